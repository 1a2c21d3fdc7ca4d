"""Reading a document that may be wrong anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["Raw", "get", "is_number", "tasks_of"]

Raw = Mapping[str, Any]


def get(raw: Any, *path: str, default: Any = None) -> Any:
    """The value at `path`, or `default` where the way there does not exist."""
    for key in path:
        if not isinstance(raw, Mapping) or key not in raw:
            return default
        raw = raw[key]
    return raw


def tasks_of(raw: Raw) -> Mapping[str, Any]:
    """The blocks under `tasks` that have a name, whatever they hold."""
    tasks = get(raw, "tasks")
    if not isinstance(tasks, Mapping):
        return {}
    return {name: task for name, task in tasks.items() if isinstance(name, str)}


def is_number(value: object) -> bool:
    """Whether `value` is a number (booleans are not)."""
    return isinstance(value, int | float) and not isinstance(value, bool)
