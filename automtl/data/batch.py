"""Some rows of the source: what both passes read, one after the other.

Shapes: N rows of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from automtl.data.arrow_types import (
    arrow_numbers,
    is_number,
    is_text,
    numpy_floats,
    numpy_numbers,
)
from automtl.data.columns import ColumnError, as_keys, number_array
from automtl.data.listed import FEW_ROWS, Listed, ListedRows
from automtl.data.written import are_keys, plain_numbers

__all__ = ["Batch", "Coded", "Distinct", "Shared"]

T = TypeVar("T")
BEYOND_64 = (pl.UInt64, pl.Int128, pl.UInt128)


class Distinct:
    """The distinct values of a column of text in some batches; some may occur in no row."""

    def __init__(self, array: pa.Array) -> None:
        self.array = array

    @cached_property
    def values(self) -> pl.Series:
        return pl.Series(pl.from_arrow(self.array)).cast(pl.String)

    @cached_property
    def keys(self) -> pl.Series:
        """As categories."""
        return self.values if are_keys(self.array) else as_keys(self.values)


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
    def codes_N(self) -> npt.NDArray[np.int32]:
        """The place of each row's value; `len(values)` where it has none."""
        codes = self._indices.cast(pa.int32())
        if not codes.null_count:
            return numpy_numbers(codes).astype(np.int32, copy=False)
        # by polars: pyarrow's scalars, and so its `fill_null`, import pandas
        series = pl.Series(pl.from_arrow(codes)).fill_null(len(self.distinct.array))
        return series.to_numpy()


class Batch:
    """Rows of one source, `first_row` of it on; `start` counts over all sources, both from 0.

    `done` is the share of all rows that has been read with this batch, `shared` what the batches of
    a source hand on. `places` [N] says which rows from `first_row` on these are, where some were
    left out. `rows` may hold integers in fewer bytes than the source, whose types are `types`.
    """

    def __init__(
        self,
        rows: pa.RecordBatch | pl.DataFrame | ListedRows,
        *,
        source: str = "",
        first_row: int = 0,
        start: int = 0,
        done: float = 1.0,
        places: npt.NDArray[np.int64] | None = None,
        shared: Shared | None = None,
        types: pa.Schema | None = None,
    ) -> None:
        self._shared, self._types = shared or Shared(), types
        self._rows, self._read = rows, dict[str, pl.Series]()
        self.height: int
        self.columns: list[str]
        if isinstance(rows, pl.DataFrame | ListedRows):
            self.height, self.columns = rows.height, rows.columns
        else:
            self.height, self.columns = rows.num_rows, rows.schema.names
        self.source, self.first_row, self.start, self.done = source, first_row, start, done
        self.places = places

    def __getitem__(self, name: str) -> pl.Series:
        """A column as it is in the source."""
        if isinstance(self._rows, pl.DataFrame):
            return self._rows[name]
        if name not in self._read:
            self._read[name] = self._made(name)
        return self._read[name]

    def _made(self, name: str) -> pl.Series:
        if isinstance(self._rows, ListedRows):
            return self._rows.by_name[name].series(name)
        array = self.array(name)
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        return pl.Series(name, pl.from_arrow(array))

    def listed(self, name: str) -> Listed | None:
        """A column of few rows as Python values; None where there are many."""
        if self.height > FEW_ROWS:
            return None
        if isinstance(self._rows, ListedRows):
            return self._rows.by_name[name]
        values = self[name]
        return Listed(dtype=values.dtype, values=values.to_list())

    def arrow(self) -> pa.RecordBatch:
        """All columns as pyarrow holds them; of rows that pyarrow has read."""
        assert isinstance(self._rows, pa.RecordBatch)
        return self._rows

    def array(self, name: str) -> pa.Array:
        """A column as pyarrow holds it, text perhaps by its distinct values."""
        if not isinstance(self._rows, pa.RecordBatch):
            return self[name].rechunk().to_arrow()
        array = self._rows.column(name)
        of = array.type if self._types is None else self._types.field(name).type
        is_narrow = pa.types.is_integer(array.type) and array.type != of
        return array.cast(of) if is_narrow else array

    def coded(self, name: str) -> Coded | None:
        """A column of text by its distinct values; None for a column of another type."""
        if not isinstance(self._rows, pa.RecordBatch):
            values = self[name]
            if values.dtype != pl.String:
                return None
            array = values.rechunk().to_arrow().cast(pa.large_string())
        else:
            array = self._rows.column(name)
        if not pa.types.is_dictionary(array.type):
            if not is_text(array.type):
                return None
            array = array.dictionary_encode()
        elif not is_text(array.type.value_type):
            return None
        return Coded(self._shared.of(name, array.dictionary), array.indices)

    def integers(self, name: str) -> npt.NDArray[np.int64] | None:
        """A column of integers [N], not to be written to; None for a column of another type, of 64
        bits without a sign, or with missing values."""
        if not isinstance(self._rows, pa.RecordBatch):
            values = self[name]
            if not values.dtype.is_integer() or values.null_count() or values.dtype in BEYOND_64:
                return None
            return values.to_numpy().astype(np.int64, copy=False)
        array = self._rows.column(name)
        if not pa.types.is_integer(array.type) or array.null_count or array.type == pa.uint64():
            return None
        return numpy_numbers(array).astype(np.int64, copy=False)

    def floats(self, name: str) -> npt.NDArray[np.float64] | None:
        """A column of numbers [N], NaN for missing, not to be written to; None for a column of
        another type."""
        if isinstance(self._rows, pa.RecordBatch):
            array = self._rows.column(name)
            return numpy_floats(array) if is_number(array.type) else None
        values = self[name]
        is_plain = values.dtype.is_numeric() and not values.dtype.is_decimal()
        return values.cast(pl.Float64).to_numpy() if is_plain else None

    def numbers(self, name: str, *, hint: str) -> npt.NDArray[np.float64]:
        """A column as numbers [N], NaN for missing, not to be written to. Raises ColumnError on
        what is no number, ending with `hint`, the way out."""
        numbers_N = self.floats(name)
        if numbers_N is None and isinstance(self._rows, pa.RecordBatch):
            array = self._rows.column(name)
            numbers_N = plain_numbers(array) if is_text(array.type) else None
        return number_array(self[name], hint=hint) if numbers_N is None else numbers_N

    def frame(
        self, names: Iterable[str], rows: npt.NDArray[np.int64] | None = None
    ) -> pl.DataFrame:
        """Some columns side by side; `rows`: only these."""
        if rows is None:
            return pl.DataFrame({name: self[name] for name in names})
        if not isinstance(self._rows, pa.RecordBatch):
            return self.frame(names)[rows]
        taken = Batch(self._rows.select(list(names)).take(arrow_numbers(rows)), types=self._types)
        return taken.frame(names)

    def checked(self, steps: Sequence[Callable[[], T]]) -> list[T]:
        """What the steps return; raises the ColumnErrors of all of them as one, with its rows
        counted in the source."""
        results: list[Any] = [_tried(step) for step in steps]
        if errors := [one for one in results if isinstance(one, ColumnError)]:
            at = [self._at_place(one) for one in errors]
            raise ColumnError.at(at, source=self.source, first_row=self.first_row)
        return results

    def kept(
        self, is_kept_N: npt.NDArray[np.bool_], columns: Sequence[str], *, start: int
    ) -> Batch:
        """Some of its rows with some of its columns, as rows from `start` on."""
        rows = self.frame(columns) if isinstance(self._rows, ListedRows) else self._rows
        kept = pa.array(is_kept_N) if isinstance(rows, pa.RecordBatch) else pl.Series(is_kept_N)
        return self.with_rows(
            rows.select(list(columns)).filter(kept),
            start=start,
            done=self.done,
            places=np.flatnonzero(is_kept_N),
        )

    def with_rows(
        self,
        rows: pa.RecordBatch | pl.DataFrame,
        *,
        start: int,
        done: float,
        places: npt.NDArray[np.int64] | None = None,
    ) -> Batch:
        """Rows made of these, in their place: what a source's batches share, theirs do too."""
        return Batch(
            rows,
            source=self.source,
            first_row=self.first_row,
            start=start,
            done=done,
            places=places,
            shared=self._shared,
        )

    def _at_place(self, error: ColumnError) -> ColumnError:
        if (places := self.places) is None:
            return error
        return ColumnError(
            [
                one if one.row is None else replace(one, row=int(places[one.row]))
                for one in error.wrong
            ]
        )


def _tried(step: Callable[[], T]) -> T | ColumnError:
    try:
        return step()
    except ColumnError as error:
        return error
