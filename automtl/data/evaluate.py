"""What an expression says of each row, by polars.

Unknown stays unknown, as in SQL: a comparison or a sum with a missing value is missing (so the
label is not observed), `false and missing` is false; a division by 0 is missing. A column is what
it is used as: beside a number or in arithmetic a number, beside text a text (blanks around it do
not count), where something is true or not a truth value.

Shapes: N rows.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.data.batch import Batch
from automtl.data.columns import ColumnError, Wrong, as_numbers
from automtl.data.expression import (
    Column,
    Expression,
    Infix,
    IsIn,
    IsNull,
    Negated,
    Value,
    parse_label,
)

__all__ = ["BOOLEANS", "is_true", "label_values"]

BOOLEANS = {"True": "1", "true": "1", "False": "0", "false": "0"}  # as programs write them
ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}
COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
Kind = Literal["number", "text", "truth"]


def label_values(batch: Batch, label: str) -> pl.Series:
    """The label of each row [N], null where it is not known, under the label's own text as name.

    A column as it is in the source; of an expression numbers or truth values. Raises ColumnError
    for a column that cannot be what it is used as.
    """
    tree = parse_label(label)
    if isinstance(tree, Column):
        return batch[tree.name].alias(label)
    return _Evaluation(batch, label).value(tree, _kind(tree, batch)).alias(label)


def is_true(batch: Batch, tree: Expression, text: str) -> npt.NDArray[np.bool_]:
    """Which rows [N] a part of the expression `text` is true of, not false and not unknown.

    Raises ColumnError as `label_values` does.
    """
    truth = _Evaluation(batch, text).value(tree, "truth")
    return truth.fill_null(value=False).to_numpy()


class _Evaluation:
    def __init__(self, batch: Batch, label: str) -> None:
        self._batch, self._label = batch, label

    def value(self, tree: Expression, kind: Kind) -> pl.Series:
        """The tree as numbers, text or truth values [N]."""
        if isinstance(tree, Column):
            return self._column(tree.name, kind)
        if isinstance(tree, Value):
            return _constant(tree.value, kind, self._batch.height)
        own = _kind(tree, self._batch)
        found = self._own(tree)
        if own == kind:
            return found
        if kind == "text":
            rule = f"a computed value cannot be compared with text, in {self._label!r}"
            raise ColumnError([Wrong("label", f"{rule}; compare it with a number")])
        return found.cast(pl.Float64) if kind == "number" else found != 0

    def _own(self, tree: Expression) -> pl.Series:
        match tree:
            case Infix("and", left, right):
                return self.value(left, "truth") & self.value(right, "truth")
            case Infix("or", left, right):
                return self.value(left, "truth") | self.value(right, "truth")
            case Infix("/", left, right):
                below = self.value(right, "number")
                below = below.zip_with(below != 0, pl.Series([None], dtype=pl.Float64))
                return self.value(left, "number") / below
            case Infix(sign, left, right) if sign in ARITHMETIC:
                sides = self.value(left, "number"), self.value(right, "number")
                return pl.Series(ARITHMETIC[sign](*sides))
            case Infix(sign, left, right):
                kind = _common(_kind(left, self._batch), _kind(right, self._batch), left, right)
                return pl.Series(COMPARISONS[sign](self.value(left, kind), self.value(right, kind)))
            case Negated(of, is_number=True):
                return -self.value(of, "number")
            case Negated(of):
                return ~self.value(of, "truth")
            case IsNull(of):
                return self.value(of, _kind(of, self._batch)).is_null()
            case IsIn(of, values):
                kind = "text" if any(isinstance(one, str) for one in values) else "number"
                wanted = [str(one) if kind == "text" else float(one) for one in values]
                return self.value(of, kind).is_in(wanted)
            case _:
                raise AssertionError(f"no such part: {tree!r}")

    def _column(self, name: str, kind: Kind) -> pl.Series:
        values = self._batch[name]
        if values.dtype.is_nested() or values.dtype in (pl.Binary, pl.Object):
            rule = f"holds {values.dtype}, a single value is needed in {self._label!r}"
            raise ColumnError([Wrong(f"column {name!r}", rule)])
        if kind == "text":
            text = values.cast(pl.String).str.strip_chars()
            return text.replace("", None)
        if values.dtype == pl.String:
            values = values.str.strip_chars().replace(BOOLEANS)
        hint = f"{self._label!r} reads it as a number; compare it with a text in quotes"
        numbers = as_numbers(values, hint=hint)
        return numbers if kind == "number" else numbers != 0


def _kind(tree: Expression, batch: Batch) -> Kind:
    """What a part is by itself."""
    match tree:
        case Column(name):
            dtype = batch[name].dtype
            if dtype == pl.Boolean:
                return "truth"
            return "number" if dtype.is_numeric() else "text"
        case Value(bool()):
            return "truth"
        case Value(str()):
            return "text"
        case Value() | Negated(is_number=True):
            return "number"
        case Infix(sign) if sign in "+-*/":
            return "number"
        case _:
            return "truth"


def _common(left_kind: Kind, right_kind: Kind, left: Expression, right: Expression) -> Kind:
    """As what two sides are compared: a value that is written there decides, then a number."""
    for tree in (left, right):
        if isinstance(tree, Value):
            return "number" if isinstance(tree.value, bool) else _of_value(tree.value)
    return "text" if left_kind == right_kind == "text" else "number"


def _of_value(value: float | str) -> Kind:
    return "text" if isinstance(value, str) else "number"


def _constant(value: float | str | bool, kind: Kind, height: int) -> pl.Series:
    match kind:
        case "text":
            return pl.Series([str(value)], dtype=pl.String).new_from_index(0, height)
        case "number":
            return pl.Series([float(value)], dtype=pl.Float64).new_from_index(0, height)
        case "truth":
            return pl.Series([bool(value)], dtype=pl.Boolean).new_from_index(0, height)
