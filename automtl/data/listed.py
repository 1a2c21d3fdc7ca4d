"""Columns of few rows as Python values, as a request brings them.

To make a column of polars and ask it something costs some microseconds whatever its length. Of
many rows that is nothing, of the columns of a request most of its time.

Shapes: N rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from polars._typing import PolarsDataType

__all__ = ["FEW_ROWS", "Listed", "ListedRows"]

FEW_ROWS = 512  # to look at each value by itself would not pay for more


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A column: values [N] that `dtype` can hold, None where one is missing."""

    dtype: PolarsDataType
    values: Sequence[Any]

    def series(self, name: str = "") -> pl.Series:
        return pl.Series(name, self.values, dtype=self.dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRows:
    """Columns of `height` values each."""

    by_name: Mapping[str, Listed]
    height: int

    @property
    def columns(self) -> list[str]:
        return list(self.by_name)
