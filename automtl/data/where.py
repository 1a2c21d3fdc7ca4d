"""Which rows are read at all: an expression that must be true of them.

What it asks of one column is looked up first where that costs little: in the names of directories,
and in what a Parquet file says of the values of its row groups. There it may only tell that no row
can be kept; rows that are read are judged one by one.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from automtl.data.batch import Batch
from automtl.data.columns import LARGEST_EXACT
from automtl.data.evaluate import is_true
from automtl.data.expression import (
    Column,
    Expression,
    Infix,
    IsNull,
    Negated,
    Value,
    parse_label,
    tree_columns,
)

__all__ = ["Where"]

MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class Where:
    """What `text` says of a row, by the grammar of labels; what is unknown is not kept."""

    def __init__(self, text: str) -> None:
        self.text = text
        tree = parse_label(text)
        self.columns = tree_columns(tree)
        self._parts = list(_all_of(tree))

    def keeps(self, batch: Batch) -> npt.NDArray[np.bool_]:
        """Which rows [N] are kept; raises ColumnError as labels do."""
        return is_true(batch, parse_label(self.text), self.text)

    def may_hold(self, of_all: Mapping[str, str]) -> bool:
        """Whether a row may be kept of a file of which all rows have these values, as text."""
        row = Batch(pl.DataFrame({name: [value] for name, value in of_all.items()}))
        told = [part for part in self._parts if set(tree_columns(part)) <= set(of_all)]
        return all(is_true(row, part, self.text).all() for part in told)

    def filter(self, schema: pa.Schema) -> pc.Expression | None:
        """What of it can be said of values as they lie in a file of this schema; true of every
        row that is kept."""
        found = None
        for part in self._parts:
            said = _as_arrow(part, schema)
            if said is not None:
                found = said if found is None else found & said
        return found


def _all_of(tree: Expression) -> Iterator[Expression]:
    """The parts that must all be true."""
    if isinstance(tree, Infix) and tree.sign == "and":
        yield from _all_of(tree.left)
        yield from _all_of(tree.right)
    else:
        yield tree


def _as_arrow(part: Expression, schema: pa.Schema) -> pc.Expression | None:
    match part:
        case Negated(IsNull(Column(name)), is_number=False) if name in schema.names:
            return pc.field(name).is_valid()
        case Infix(sign, Column(name), Value(value)) if sign in MIRRORED and name in schema.names:
            return _compared(sign, name, value, schema.field(name).type)
        case Infix(sign, Value(value), Column(name)) if sign in MIRRORED and name in schema.names:
            return _compared(MIRRORED[sign], name, value, schema.field(name).type)
    return None


def _compared(
    sign: str, name: str, value: float | str | bool, dtype: pa.DataType
) -> pc.Expression | None:
    """A comparison that says of the column's own type what is said of numbers or text; None where
    that is not the same, as for text, around which blanks do not count."""
    with suppress(pa.ArrowInvalid, OverflowError, ValueError):
        if isinstance(value, float) and pa.types.is_integer(dtype) and _is_exact(value):
            return _of(sign, name, pa.scalar(int(value), dtype))
        if isinstance(value, float) and pa.types.is_float64(dtype):
            return _of(sign, name, pa.scalar(value, dtype))
        if isinstance(value, str) and pa.types.is_date32(dtype) and DATE.fullmatch(value):
            return _of(sign, name, pa.scalar(dt.date.fromisoformat(value), dtype))
    return None


def _is_exact(value: float) -> bool:
    """Whether an integer compares with it as its float does."""
    return value.is_integer() and abs(value) < LARGEST_EXACT


def _of(sign: str, name: str, value: pa.Scalar) -> pc.Expression:
    column = pc.field(name)
    match sign:
        case "==":
            return column == value
        case "<":
            return column < value
        case "<=":
            return column <= value
        case ">":
            return column > value
        case _:
            return column >= value
