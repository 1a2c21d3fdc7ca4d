"""One column of a request, as JSON gives it, checked, to a column as the encoder reads it.

A value means what it means in a file of the same type: `2`, `2.0` and `"2"` are one category.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any, Literal, Self

import polars as pl

from automtl.data.columns import as_keys
from automtl.data.listed import Listed
from automtl.export.manifest import InputColumn
from automtl.serving.problems import Problem, shown

__all__ = ["Kind", "column_of", "kinds_of", "takes"]

Kind = Literal["categorical", "numeric", "sequence", "time", "dense"]
Types = frozenset[type]

SCALARS: Mapping[Kind, Types] = {
    "categorical": frozenset([str, int, float, bool]),
    "numeric": frozenset([int, float, bool]),
    "time": frozenset([str, int, float]),
    "sequence": frozenset([list]),
    "dense": frozenset([list]),
}
ITEMS: Mapping[Kind, Types] = {
    "sequence": frozenset([str, int, float, bool]),
    "dense": frozenset([int, float]),
}
RULES: Mapping[Kind, str] = {
    "categorical": "is not a category: text, a number, true, false or null",
    "numeric": "is not a number; write one without quotes, or null",
    "time": "is not a time: text such as 2022-04-25 18:30:00, a number in its unit, or null",
    "sequence": "is not a list of ids; write one, or null",
    "dense": "is not a list of numbers; write one, or null",
}
NONE = frozenset([type(None)])
LOWEST, HIGHEST = -(2**63), 2**64 - 1  # what 64 bits hold, with or without a sign
LARGEST_INT64 = 2**63 - 1
TEXT, FLOAT = pl.String(), pl.Float64()
DTYPES: Mapping[type, pl.DataType] = {
    str: TEXT,
    bool: pl.Boolean(),
    float: FLOAT,
    int: pl.Int64(),
}


def kinds_of(inputs: Sequence[InputColumn]) -> dict[str, tuple[Kind, ...]]:
    """Of each column that a request must have."""
    found: dict[str, tuple[Kind, ...]] = {}
    for one in inputs:
        found[one.name] = (*found.get(one.name, ()), one.kind)
    return found


@cache
def takes(kinds: tuple[Kind, ...]) -> Types:
    """The types of JSON values that all these kinds of one column take, null beside them."""
    return frozenset.intersection(*(SCALARS[kind] for kind in kinds))


def column_of(name: str, kinds: tuple[Kind, ...], values: Sequence[Any]) -> Listed | Problem:
    """The values [N] as a column, or the first that does not fit its kinds."""
    found = _Found.of(values)
    allowed = takes(kinds)
    if not found.types <= allowed:
        bad = next(row for row, one in enumerate(values) if type(one) not in allowed | NONE)
        return Problem(row=bad, column=name, value=shown(values[bad]), rule=_rule(kinds, allowed))
    if found.types == {list}:
        return _lists(name, kinds[0], values)
    if (row := found.beyond()) is not None:
        return Problem(row=row, column=name, value=shown(values[row]), rule=_limit(values[row]))
    if "numeric" in kinds and found.types - {int}:
        numbers = [None if one is None else float(one) for one in values]
        return Listed(dtype=FLOAT, values=numbers)
    if (dtype := found.own_type()) is not None:
        return Listed(dtype=dtype, values=values)
    return Listed(dtype=TEXT, values=[_key(one) for one in values])


@dataclass(frozen=True, slots=True)
class _Found:
    """What some values are: their types, null aside, and between which the integers lie."""

    values: Sequence[Any]
    types: Types
    low: int = 0
    high: int = 0

    @classmethod
    def of(cls, values: Sequence[Any]) -> Self:
        types = frozenset(map(type, values))
        if int not in types:
            return cls(values, types - NONE)
        integers = values if len(types) == 1 else [one for one in values if type(one) is int]
        return cls(values, types - NONE, min(integers), max(integers))

    def beyond(self) -> int | None:
        """The place of the first number that is none of 64 bits."""
        if not LOWEST <= self.low <= self.high <= HIGHEST:
            wrong = (type(one) is int and not LOWEST <= one <= HIGHEST for one in self.values)
            return list(wrong).index(True)
        if float in self.types:
            is_wrong = [type(one) is float and not math.isfinite(one) for one in self.values]
            return is_wrong.index(True) if any(is_wrong) else None
        return None

    def own_type(self) -> pl.DataType | None:
        """The type that holds the values as they are, if one does."""
        if len(self.types) > 1 or self.high > LARGEST_INT64:
            return None
        return next((DTYPES[only] for only in self.types), TEXT)


def _rule(kinds: tuple[Kind, ...], allowed: Types) -> str:
    """That of the kind that takes least."""
    return RULES[next((kind for kind in kinds if SCALARS[kind] == allowed), kinds[0])]


def _limit(value: float) -> str:
    if isinstance(value, float):
        return "is not finite; write null where there is no number"
    return "has more than 64 bits; write an id of more as text"


def _key(value: Any) -> str | None:
    """The text of a value's key, as `as_keys` writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        key: str = as_keys(pl.Series([value]))[0]
        return key
    return None if value is None else str(value)


def _lists(name: str, kind: Kind, values: Sequence[list[Any] | None]) -> Listed | Problem:
    found = _Found.of(list(chain.from_iterable(one for one in values if one is not None)))
    if not found.types <= ITEMS[kind] or found.beyond() is not None:
        return _wrong_item(name, kind, values)
    if kind == "dense":
        vectors = [one if one is None else [_number(item) for item in one] for one in values]
        return Listed(dtype=pl.List(FLOAT), values=vectors)
    if (dtype := found.own_type()) is not None:
        return Listed(dtype=pl.List(dtype), values=values)
    keys = [one if one is None else [_key(item) for item in one] for one in values]
    return Listed(dtype=pl.List(TEXT), values=keys)


def _number(item: float | None) -> float | None:
    return None if item is None else float(item)


def _wrong_item(name: str, kind: Kind, values: Sequence[list[Any] | None]) -> Problem:
    allowed = ITEMS[kind] | NONE
    for row, items in enumerate(values):
        for item in items or ():
            if type(item) not in allowed:
                rule = f"stands in its list; {RULES[kind]}"
                return Problem(row=row, column=name, value=shown(item), rule=rule)
            if _Found.of([item]).beyond() is not None:
                rule = f"stands in its list and {_limit(item)}"
                return Problem(row=row, column=name, value=shown(item), rule=rule)
    raise AssertionError(name)
