"""Whether loops over rows are compiled, which pays where there are millions of rows.

NumPy goes over a column once for each step, in the cache of one core; compiled loops do several
steps at once, put what they find where it belongs, and leave the interpreter to other threads.
Importing and compiling them costs seconds on a new machine. What they give is the same, but for
the last digits of means and deviations.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy.typing as npt

__all__ = ["always_compiled", "compiled", "compiled_loops", "fixed"]

_in_use: list[ModuleType] = []  # once for each who asks for them


@contextmanager
def compiled_loops(*, pays: bool) -> Iterator[None]:
    """Has loops compiled until the block ends, in all threads, if that pays and Numba is there."""
    try:
        loops = always_compiled() if pays else None
    except ImportError:  # not installed, or it refuses a NumPy that is newer than itself
        loops = None
    if loops is None:
        yield
        return
    _in_use.append(loops)
    try:
        yield
    finally:
        _in_use.pop()


def compiled() -> ModuleType | None:
    """The module of the compiled loops while they are in use."""
    return _in_use[-1] if _in_use else None


def always_compiled() -> ModuleType:
    """That module at any time, for what was begun with it. ImportError without Numba."""
    from automtl.data import compiled

    return compiled


def fixed(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array as one that cannot be written to: a loop is compiled for each of the two kinds."""
    view = values.view()
    view.flags.writeable = False
    return view
