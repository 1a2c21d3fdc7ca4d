"""Packages that not everyone installs: which extra brings each, and what is said where one lacks.

A bundle with a graph is scored and served without any of `search`. `pyproject.toml` lists the same
packages under the names that pip knows (a test compares them). Importing this imports none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Literal

from automtl.errors import MissingPackageError

__all__ = ["EXTRAS", "Extra", "missing", "missing_told", "require"]

Extra = Literal["mlflow", "onnx", "remote", "search", "serve", "tensorboard"]

# by the names that Python imports; the first that lacks is the one that is told of
EXTRAS: Mapping[Extra, tuple[str, ...]] = {
    "mlflow": ("mlflow",),
    "onnx": ("onnxruntime", "onnx"),
    "remote": ("fsspec",),
    "search": (
        "torch",
        "ray",
        "optuna",
        "sklearn",
        "scipy",
        "threadpoolctl",
        "pandas",
        "plotly",
        "moocore",
        "jinja2",
        "numba",
    ),
    "serve": ("starlette", "uvicorn", "httptools"),
    "tensorboard": ("tensorboard",),
}


def missing(extra: Extra) -> str | None:
    """The first package of `extra` that is not installed; imports nothing."""
    return next((name for name in EXTRAS[extra] if find_spec(name) is None), None)


def require(extra: Extra, *, needed_by: str, or_else: str = "") -> None:
    """MissingPackageError unless all of `extra` is installed; `or_else` is another way out."""
    if (name := missing(extra)) is not None:
        raise _lacks(name, extra, needed_by, or_else)


@contextmanager
def missing_told(*, needed_by: str, or_else: str = "") -> Iterator[None]:
    """Within it an import that fails because an extra is not installed is a MissingPackageError."""
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        of = next((extra for extra, names in EXTRAS.items() if name in names), None)
        if of is None or find_spec(name) is not None:
            raise
        raise _lacks(name, of, needed_by, or_else) from error


def _lacks(name: str, extra: Extra, needed_by: str, or_else: str) -> MissingPackageError:
    told = f"{needed_by}: the package {name} is not installed; pip install 'automtl[{extra}]'"
    return MissingPackageError(f"{told}, or {or_else}" if or_else else told)
