"""A small valid spec as plain data, and what is wrong with a changed one."""

import copy
from typing import Any

from automtl.errors import SpecError
from automtl.spec.schema import Spec

VALID: dict[str, Any] = {
    "version": 1,
    "name": "test",
    "data": {
        "path": "rows.parquet",
        "split": {"column": "split"},
        "categorical": ["user", "item"],
        "numeric": ["price"],
        "sequence": {"history": {"shares": "item", "max_len": 5}},
    },
    "tasks": {
        "click": {"label": "is_click"},
        "buy": {"label": "is_buy", "given": "click"},
        "spend": {"label": "spend", "type": "regression", "given": "buy"},
    },
    "objectives": ["click.auc", "buy.auc", "params"],
    "space": {
        "sharing": [
            {"family": "shared_bottom"},
            {"family": "mmoe", "num_shared_experts": {"int": [2, 4]}},
        ]
    },
}


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    """VALID with `{"space.lr": 0.1}` done; a value of `...` takes the key away."""
    raw = copy.deepcopy(VALID)
    for name, value in changes.items():
        *way, last = name.split(".")
        block = raw
        for key in way:
            block = block.setdefault(key, {})
        if value is ...:
            del block[last]
        else:
            block[last] = value
    return raw


def make(changes: dict[str, Any] | None = None) -> Spec:
    return Spec.from_dict(changed(changes or {}))


def problems(changes: dict[str, Any]) -> dict[str, str]:
    """Key -> "rule; hint" of every problem, " | " between several of one key; {} if valid."""
    try:
        make(changes)
    except SpecError as error:
        found: dict[str, list[str]] = {}
        for one in error.diagnostics:
            found.setdefault(one.key, []).append("; ".join(filter(None, (one.rule, one.hint))))
        return {key: " | ".join(texts) for key, texts in found.items()}
    return {}
