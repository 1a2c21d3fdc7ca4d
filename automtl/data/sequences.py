"""A column of lists as one flat column of items and the row and place of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.data.columns import ColumnError, Wrong, plain

__all__ = ["SEPARATOR", "Items", "as_lists", "items", "items_of", "last_items", "pad"]

SEPARATOR = "|"  # between the items of a list in a text file


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """M items of N rows in the order of the file: their values, row and place within the row."""

    values: pl.Series
    row_M: npt.NDArray[np.int64]
    place_M: npt.NDArray[np.int64]
    length_N: npt.NDArray[np.int64]


def items(column: pl.Series) -> Items:
    """The items of a list column, missing ones dropped; a missing list has none.

    In a text file a list is written `a|b|c`. Raises DataError for a column that is no list.
    """
    rule = (
        f", a sequence must be a list (in a text file `a{SEPARATOR}b`); name a single value under"
        " `categorical`"
    )
    column, length_N = as_lists(column, rule=rule)
    values = plain(column.filter(pl.Series(length_N > 0)).explode())
    return items_of(values, length_N, is_known_M=values.is_not_null().to_numpy())


def items_of(
    values: pl.Series, length_N: npt.NDArray[np.int64], *, is_known_M: npt.NDArray[np.bool_]
) -> Items:
    """The known ones of the values [M] that lists of these lengths hold, one after the other."""
    row_M = np.repeat(np.arange(len(length_N), dtype=np.int64), length_N)
    return _items(values.filter(pl.Series(is_known_M)), row_M[is_known_M], len(length_N))


def as_lists(column: pl.Series, *, rule: str) -> tuple[pl.Series, npt.NDArray[np.int64]]:
    """The column as lists, and the length [N] of each, 0 where it is missing.

    Raises ColumnError for a column that can be none: it names the type, then says `rule`.
    """
    if column.dtype == pl.String:
        column = column.replace("", None).str.split(SEPARATOR)
    elif isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    elif column.dtype == pl.Null:
        column = column.cast(pl.List(pl.String))
    if not isinstance(column.dtype, pl.List):
        raise ColumnError([Wrong(f"column {column.name!r}", f"holds {column.dtype}{rule}")])
    return column, column.list.len().fill_null(0).to_numpy().astype(np.int64)


def last_items(all_items: Items, max_len: int) -> Items:
    """The last `max_len` items of each row."""
    kept_M = all_items.place_M >= all_items.length_N[all_items.row_M] - max_len
    values = all_items.values.filter(pl.Series(kept_M))
    return _items(values, all_items.row_M[kept_M], len(all_items.length_N))


def pad(kept: Items, ids_M: npt.NDArray[np.int32], *, out: npt.NDArray[np.int32]) -> None:
    """Writes each item's id at its row and place; `out` (N rows, max_len) holds the padding."""
    out[kept.row_M, kept.place_M] = ids_M


def _items(values: pl.Series, row_M: npt.NDArray[np.int64], num_rows: int) -> Items:
    length_N = np.bincount(row_M, minlength=num_rows).astype(np.int64)
    start_N = np.cumsum(length_N) - length_N
    place_M = np.arange(len(row_M), dtype=np.int64) - start_N[row_M]
    return Items(values=values, row_M=row_M, place_M=place_M, length_N=length_N)
