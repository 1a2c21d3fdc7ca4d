"""One column of a request, as JSON gives it, to a column as the encoder reads it.

A value means what it means in a file of the same type: `2`, `2.0` and `"2"` are one category.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Literal

import polars as pl

from automtl.data.columns import as_keys
from automtl.serving.problems import Problem, shown

__all__ = ["Kind", "column_of", "takes"]

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
    "categorical": "a category is text, a number, true, false or null",
    "numeric": "a number is needed, without quotes, or null",
    "time": "a time is text such as 2022-04-25 18:30:00, a number in its unit, or null",
    "sequence": "a list of ids is needed, or null",
    "dense": "a list of numbers is needed, or null",
}
NONE = frozenset([type(None)])
LOWEST, HIGHEST = -(2**63), 2**64 - 1  # what 64 bits hold, with or without a sign
LARGEST_INT64 = 2**63 - 1


def takes(kinds: Sequence[Kind]) -> Types:
    """The types of JSON values that all these kinds of one column take, null beside them."""
    return frozenset.intersection(*(SCALARS[kind] for kind in kinds))


def column_of(name: str, kinds: Sequence[Kind], values: Sequence[Any]) -> pl.Series | Problem:
    """The values [N] as a column, or the first that does not fit its kinds."""
    types = frozenset(map(type, values)) - NONE
    allowed = takes(kinds)
    if not types <= allowed:
        bad = next(row for row, one in enumerate(values) if type(one) not in allowed | NONE)
        return Problem(row=bad, column=name, value=shown(values[bad]), rule=_rule(kinds, allowed))
    if types == {list}:
        return _lists(name, kinds[0], values)
    if (row := _beyond(values, types)) is not None:
        return Problem(row=row, column=name, value=shown(values[row]), rule=_limit(values[row]))
    if "numeric" in kinds and types - {int}:
        numbers = [None if one is None else float(one) for one in values]
        return pl.Series(name, numbers, dtype=pl.Float64)
    return _scalars(name, values, types)


def _rule(kinds: Sequence[Kind], allowed: Types) -> str:
    """That of the kind that takes least."""
    return RULES[next((kind for kind in kinds if SCALARS[kind] == allowed), kinds[0])]


def _limit(value: float) -> str:
    if isinstance(value, float):
        return "is not finite; write null where there is no number"
    return "has more than 64 bits; write an id of more as text"


def _beyond(values: Sequence[Any], types: Types) -> int | None:
    """The first row with a number that is none of 64 bits."""
    if int in types:
        integers = [one for one in values if type(one) is int]
        if min(integers) < LOWEST or max(integers) > HIGHEST:
            wrong = (type(one) is int and not LOWEST <= one <= HIGHEST for one in values)
            return list(wrong).index(True)
    if float in types:
        is_wrong = [type(one) is float and not math.isfinite(one) for one in values]
        return is_wrong.index(True) if any(is_wrong) else None
    return None


def _scalars(name: str, values: Sequence[Any], types: Types) -> pl.Series:
    """Of one type as they are, of several as the text of their keys."""
    if types <= {str}:
        return pl.Series(name, values, dtype=pl.String)
    if types == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    if types == {float}:
        return pl.Series(name, values, dtype=pl.Float64)
    if types == {int} and _fits(values):
        return pl.Series(name, values, dtype=pl.Int64)
    return pl.Series(name, [_key(one) for one in values], dtype=pl.String)


def _fits(values: Sequence[int | None]) -> bool:
    return max(one for one in values if one is not None) <= LARGEST_INT64


def _key(value: Any) -> str | None:
    """The text of a value's key, as `as_keys` writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        key: str = as_keys(pl.Series([value]))[0]
        return key
    return None if value is None else str(value)


def _lists(name: str, kind: Kind, values: Sequence[list[Any] | None]) -> pl.Series | Problem:
    items = list(chain.from_iterable(one for one in values if one is not None))
    types = frozenset(map(type, items)) - NONE
    if not types <= ITEMS[kind] or _beyond(items, types) is not None:
        return _wrong_item(name, kind, values)
    if kind == "dense":
        vectors = [one if one is None else [_number(item) for item in one] for one in values]
        return pl.Series(name, vectors, dtype=pl.List(pl.Float64))
    if types <= {int} and (not types or _fits(items)):
        return pl.Series(name, values, dtype=pl.List(pl.Int64))
    keys = [one if one is None else [_key(item) for item in one] for one in values]
    return pl.Series(name, keys, dtype=pl.List(pl.String))


def _number(item: float | None) -> float | None:
    return None if item is None else float(item)


def _wrong_item(name: str, kind: Kind, values: Sequence[list[Any] | None]) -> Problem:
    allowed = ITEMS[kind] | NONE
    for row, items in enumerate(values):
        for item in items or ():
            if type(item) not in allowed:
                rule = f"stands in its list; {RULES[kind]}"
                return Problem(row=row, column=name, value=shown(item), rule=rule)
            if _beyond([item], frozenset([type(item)])) is not None:
                rule = f"stands in its list and {_limit(item)}"
                return Problem(row=row, column=name, value=shown(item), rule=rule)
    raise AssertionError(name)
