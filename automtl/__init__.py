"""automtl: a search over architectures of multi-task recommender models.

    study = automtl.search("spec.yaml", data=frame)      # and automtl.Study.load("reports/name")
    bundle = study.export(pick="knee", to="knee")        # and automtl.load("knee")
    model = automtl.build_model("ple", schema)           # the model zoo alone

Importing this package imports no torch, ray, optuna or pandas: a name is looked up when it is
first asked for. All but `load` and `Bundle` want the extra `search`.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inspect import Signature

    from automtl.config import FeatureSchema, ModelConfig, TaskSchema
    from automtl.export.bundle import Bundle
    from automtl.public.calls import search, train
    from automtl.public.load import load
    from automtl.public.losses import task_losses
    from automtl.public.study import Study
    from automtl.public.zoo import Schema, build_model, schema

__version__ = "0.1.0"

__all__ = [
    "Bundle",
    "FeatureSchema",
    "ModelConfig",
    "Schema",
    "Study",
    "TaskSchema",
    "__version__",
    "build_model",
    "load",
    "schema",
    "search",
    "task_losses",
    "train",
]

_HOMES = {
    "Bundle": "automtl.export.bundle",
    "FeatureSchema": "automtl.config",
    "ModelConfig": "automtl.config",
    "Schema": "automtl.public.zoo",
    "Study": "automtl.public.study",
    "TaskSchema": "automtl.config",
    "build_model": "automtl.public.zoo",
    "load": "automtl.public.load",
    "schema": "automtl.public.zoo",
    "task_losses": "automtl.public.losses",
    "train": "automtl.public.calls",
}
# what they need last, they should not miss after hours
_WITH_ALL_OF_SEARCH = ("Study", "search", "train")


def __getattr__(name: str) -> Any:
    if name == "search":
        return importlib.import_module("automtl.search")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_imported(_HOMES[name], name), name)


def _imported(module: str, name: str) -> ModuleType:
    """The home of `name`. MissingPackageError, with the way out, where an extra is missing."""
    from automtl.extras import missing_told, require

    needed_by = f"automtl.{name}"
    if name in _WITH_ALL_OF_SEARCH:
        require("search", needed_by=needed_by)
    with missing_told(needed_by=needed_by):
        return importlib.import_module(module)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _CallableSearch(ModuleType):
    """`automtl.search` is a package of ours, and what people call to search."""

    def __call__(self, *arguments: Any, **named: Any) -> Study:
        calls = _imported("automtl.public.calls", "search")
        return calls.search(*arguments, **named)  # type: ignore[no-any-return]

    @property
    def __signature__(self) -> Signature:
        """That of the call, which notebooks and `help` show."""
        import inspect

        from automtl.errors import MissingPackageError

        try:
            return inspect.signature(_imported("automtl.public.calls", "search").search)
        except MissingPackageError as error:
            raise AttributeError(str(error)) from error


class _Package(ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        if name == "search" and isinstance(value, ModuleType):  # whoever imports it sets it here
            value.__class__ = _CallableSearch
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
