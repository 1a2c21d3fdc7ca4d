"""Columns that are made as they are put into a matrix: compiled loops look up and scale in one go.

Shapes: N rows, V entries of a table, C columns of the matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from automtl.data.loops import always_compiled, fixed

__all__ = ["Column", "Found", "Scaled", "side_by_side"]

PART_ROWS = 1 << 12  # of a batch that are put side by side at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What stands in a table at the place of each integer [N], `first` being at 0; of others what
    stands at its end."""

    values_N: npt.NDArray[Any]
    table_V: npt.NDArray[np.int32]
    first: int = 0

    @property
    def width(self) -> int:
        return 1

    def put(self, out_NC: npt.NDArray[Any], column: int) -> None:
        table_V = fixed(self.table_V)
        always_compiled().put_found(fixed(self.values_N), self.first, table_V, out_NC, column)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """(number − mean) / std of each number [N], cut to ±`largest`, 0 for NaN; behind it the
    `indicator`, if any, 1 for NaN."""

    numbers_N: npt.NDArray[Any]
    mean: float
    std: float
    largest: float
    indicator: bool

    @property
    def width(self) -> int:
        return 2 if self.indicator else 1

    def put(self, out_NC: npt.NDArray[Any], column: int) -> None:
        numbers_N = fixed(self.numbers_N)
        always_compiled().put_scaled(numbers_N, self.mean, self.std, self.largest, out_NC, column)
        if self.indicator:
            always_compiled().put_missing(numbers_N, out_NC, column + 1)


Column: TypeAlias = npt.NDArray[Any] | Found | Scaled  # an array may have several [N, columns]


def side_by_side(columns: Sequence[Column], out_NC: npt.NDArray[Any]) -> None:
    """Fills a matrix; what is made already so many rows at a time that they stay in a cache."""
    arrays, place = list[tuple[int, npt.NDArray[Any]]](), 0
    for column in columns:
        if isinstance(column, Found | Scaled):
            column.put(out_NC, place)
            place += column.width
        else:
            arrays.append((place, column))
            place += 1 if column.ndim == 1 else column.shape[1]
    for start in range(0, len(out_NC) if arrays else 0, PART_ROWS):
        rows = slice(start, start + PART_ROWS)
        for place, array in arrays:
            if array.ndim == 1:
                out_NC[rows, place] = array[rows]
            else:
                out_NC[rows, place : place + array.shape[1]] = array[rows]
