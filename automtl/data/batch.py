"""Some rows of the source: what both passes read, one after the other.

Shapes: N rows of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
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
from automtl.data.coded import Coded, Shared
from automtl.data.columns import ColumnError, number_array
from automtl.data.listed import FEW_ROWS, Listed, ListedRows
from automtl.data.numbered_text import NumberedRows, NumberedText
from automtl.data.written import plain_numbers

__all__ = ["Batch"]

T = TypeVar("T")
BEYOND_64 = (pl.UInt64, pl.Int128, pl.UInt128)


class Batch:
    """Rows of one source, `first_row` of it on; `start` counts over all sources, both from 0.

    `done` is the share of all rows that has been read with this batch, `shared` what the batches of
    a source hand on. `places` [N] says which rows from `first_row` on these are, where some were
    left out. `rows` may hold integers in fewer bytes than the source, whose types are `types`, and
    in place of text the numbers that `numbered` has given it.
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
        numbered: Mapping[str, NumberedText] | None = None,
    ) -> None:
        self._shared, self._types = shared or Shared(), types
        self._numbered = _of_text(numbered, types) if numbered and types is not None else {}
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
        assert not self._numbered, "its columns are not as they were read"
        return self._rows

    def array(self, name: str) -> pa.Array:
        """A column as pyarrow holds it, text perhaps by its distinct values."""
        if not isinstance(self._rows, pa.RecordBatch):
            return self[name].rechunk().to_arrow()
        array = self._stored(self._rows, name)
        of = array.type if self._types is None else self._types.field(name).type
        is_narrow = pa.types.is_integer(array.type) and array.type != of
        return array.cast(of) if is_narrow else array

    def _stored(self, rows: pa.RecordBatch, name: str) -> pa.Array:
        """A column as it lies, but for text that is numbered."""
        array = rows.column(name)
        if name not in self._numbered:
            return array
        text = self._numbered[name].distinct.array
        return pa.DictionaryArray.from_arrays(array, text, safe=False)

    def numbered(self, name: str) -> NumberedRows | None:
        """A column of text by its numbers; None for another column, or other text."""
        if name not in self._numbered or not isinstance(self._rows, pa.RecordBatch):
            return None
        return NumberedRows(self._numbered[name], numpy_numbers(self._rows.column(name)))

    def coded(self, name: str) -> Coded | None:
        """A column of text by its distinct values; None for a column of another type."""
        if not isinstance(self._rows, pa.RecordBatch):
            values = self[name]
            if values.dtype != pl.String:
                return None
            array = values.rechunk().to_arrow().cast(pa.large_string())
        else:
            array = self._stored(self._rows, name)
        if not pa.types.is_dictionary(array.type):
            if not is_text(array.type):
                return None
            array = array.dictionary_encode()
        elif not is_text(array.type.value_type):
            return None
        return Coded(self._shared.of(name, array.dictionary), array.indices)

    def integers(self, name: str) -> npt.NDArray[Any] | None:
        """A column of integers [N], as narrow as they lie, not to be written to; None for a column
        of another type, of 64 bits without a sign, or with missing values."""
        if not isinstance(self._rows, pa.RecordBatch):
            values = self[name]
            if not values.dtype.is_integer() or values.null_count() or values.dtype in BEYOND_64:
                return None
            return values.to_numpy()
        array = self._stored(self._rows, name)
        if not pa.types.is_integer(array.type) or array.null_count or array.type == pa.uint64():
            return None
        return numpy_numbers(array)

    def floats(self, name: str) -> npt.NDArray[np.float64] | None:
        """A column of numbers [N], NaN for missing, not to be written to; None for a column of
        another type."""
        if isinstance(self._rows, pa.RecordBatch):
            array = self._stored(self._rows, name)
            return numpy_floats(array) if is_number(array.type) else None
        values = self[name]
        is_plain = values.dtype.is_numeric() and not values.dtype.is_decimal()
        return values.cast(pl.Float64).to_numpy() if is_plain else None

    def known_floats(self, name: str) -> npt.NDArray[Any] | None:
        """A column of floats [N] as wide as they lie, NaN perhaps among them, not to be written to;
        None for a column of another type, or where one is missing otherwise."""
        if not isinstance(self._rows, pa.RecordBatch):
            return None
        array = self._stored(self._rows, name)
        is_plain = pa.types.is_float32(array.type) or pa.types.is_float64(array.type)
        return numpy_numbers(array) if is_plain and not array.null_count else None

    def numbers(self, name: str, *, hint: str) -> npt.NDArray[np.float64]:
        """A column as numbers [N], NaN for missing, not to be written to. Raises ColumnError on
        what is no number, ending with `hint`, the way out."""
        numbers_N = self.floats(name)
        if numbers_N is None and isinstance(self._rows, pa.RecordBatch):
            array = self._stored(self._rows, name)
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
        taken = Batch(
            self._rows.select(list(names)).take(arrow_numbers(rows)),
            types=self._types,
            numbered=self._numbered,
        )
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


def _of_text(numbered: Mapping[str, NumberedText], types: pa.Schema) -> Mapping[str, NumberedText]:
    """Those columns that are text here: in other batches all of it may be written as integers."""
    return {
        name: text
        for name, text in numbered.items()
        if name in types.names and pa.types.is_dictionary(types.field(name).type)
    }


def _tried(step: Callable[[], T]) -> T | ColumnError:
    try:
        return step()
    except ColumnError as error:
        return error
