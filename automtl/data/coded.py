"""Columns of text by their distinct values.

Shapes: N rows, D distinct values.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy.typing as npt
import polars as pl
import pyarrow as pa

from automtl.data.arrow_types import numpy_numbers
from automtl.data.columns import as_keys
from automtl.data.written import are_keys

__all__ = ["Coded", "Distinct", "Shared"]


class Distinct:
    """The distinct values of a column of text in some batches; some may occur in no row."""

    def __init__(self, array: pa.Array) -> None:
        self.array = array

    @cached_property
    def values(self) -> pl.Series:
        return pl.Series(pl.from_arrow(self.array)).cast(pl.String)

    @cached_property
    def are_keys(self) -> bool:
        """Whether they are categories as they stand, so that these are distinct, too."""
        return are_keys(self.array)

    @cached_property
    def keys(self) -> pl.Series:
        """As categories."""
        return self.values if self.are_keys else as_keys(self.values)


class Shared:
    """The distinct values of the batch before, by column: Parquet names those of a whole row group
    with each of its batches, and what follows from them need not be made again."""

    def __init__(self) -> None:
        self._last: dict[str, Distinct] = {}

    def of(self, name: str, array: pa.Array) -> Distinct:
        last = self._last.get(name)
        if last is None or not last.array.equals(array):
            last = self._last[name] = Distinct(array)
        return last


class Coded:
    """A column of text as the distinct values and, for each row, which of them it holds."""

    def __init__(self, distinct: Distinct, indices: pa.Array) -> None:
        self.distinct, self._indices = distinct, indices

    @property
    def values(self) -> pl.Series:
        return self.distinct.values

    @cached_property
    def codes_N(self) -> npt.NDArray[Any]:
        """The place of each row's value, as narrow as they lie; `len(values)` where it has none."""
        if not self._indices.null_count:
            return numpy_numbers(self._indices)
        # by polars: pyarrow's scalars, and so its `fill_null`, import pandas
        codes = pl.Series(pl.from_arrow(self._indices)).cast(pl.Int32)
        return codes.fill_null(len(self.distinct.array)).to_numpy()
