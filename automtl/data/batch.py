"""Some rows of the source: what both passes read, one after the other.

Shapes: N rows of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from automtl.data.arrow_types import is_text
from automtl.data.columns import ColumnError

__all__ = ["Batch", "Coded", "Run"]

T = TypeVar("T")
Run = Callable[[Sequence[Callable[[], Any]]], list[Any]]  # calls them all, perhaps at once


class Coded:
    """A column of text as the distinct values and, for each row, which of them it holds."""

    def __init__(self, array: pa.DictionaryArray) -> None:
        self._array = array

    @cached_property
    def values(self) -> pl.Series:
        """The distinct values; some may occur in no row."""
        return pl.Series(pl.from_arrow(self._array.dictionary)).cast(pl.String)

    @cached_property
    def codes_N(self) -> npt.NDArray[np.int32]:
        """The place of each row's value; `len(values)` where it has none."""
        # by polars: a pyarrow scalar, and so its `fill_null`, imports pandas
        codes = pl.Series(pl.from_arrow(self._array.indices)).cast(pl.Int32)
        if codes.null_count():
            codes = codes.fill_null(len(self._array.dictionary))
        return codes.to_numpy()


class Batch:
    """Rows of one source, `first_row` of it on; `start` counts over all sources, both from 0.

    `done` is the share of all rows that has been read with this batch. `places` [N] says which
    rows from `first_row` on these are, where some were left out.
    """

    def __init__(
        self,
        rows: pa.RecordBatch | pl.DataFrame,
        *,
        source: str = "",
        first_row: int = 0,
        start: int = 0,
        done: float = 1.0,
        places: npt.NDArray[np.int64] | None = None,
    ) -> None:
        self._rows, self._read = rows, dict[str, pl.Series]()
        self.height: int = rows.height if isinstance(rows, pl.DataFrame) else rows.num_rows
        self.columns: list[str] = (
            rows.columns if isinstance(rows, pl.DataFrame) else rows.schema.names
        )
        self.source, self.first_row, self.start, self.done = source, first_row, start, done
        self._places = places

    def __getitem__(self, name: str) -> pl.Series:
        """A column as it is in the source."""
        if isinstance(self._rows, pl.DataFrame):
            return self._rows[name]
        if name not in self._read:
            array = self._rows.column(name)
            if pa.types.is_dictionary(array.type):
                array = array.dictionary_decode()
            self._read[name] = pl.Series(name, pl.from_arrow(array))
        return self._read[name]

    def array(self, name: str) -> pa.Array:
        """A column as pyarrow holds it, text perhaps by its distinct values."""
        if isinstance(self._rows, pl.DataFrame):
            return self._rows[name].rechunk().to_arrow()
        return self._rows.column(name)

    def coded(self, name: str) -> Coded | None:
        """A column of text by its distinct values; None for a column of another type."""
        if not isinstance(self._rows, pl.DataFrame):
            array = self._rows.column(name)
            if pa.types.is_dictionary(array.type) and is_text(array.type.value_type):
                return Coded(array)
            return Coded(array.dictionary_encode()) if is_text(array.type) else None
        if self._rows.schema[name] != pl.String:
            return None
        text = self._rows[name].rechunk().to_arrow().cast(pa.large_string())
        return Coded(text.dictionary_encode())

    def frame(self, names: Iterable[str]) -> pl.DataFrame:
        """Some columns side by side."""
        return pl.DataFrame({name: self[name] for name in names})

    def checked(self, steps: Sequence[Callable[[], T]], run: Run | None = None) -> list[T]:
        """What the steps return, called by `run`; raises the ColumnErrors of all of them as one,
        with its rows counted in the source."""
        tried = [partial(_tried, step) for step in steps]
        results: list[Any] = [step() for step in tried] if run is None else run(tried)
        if errors := [one for one in results if isinstance(one, ColumnError)]:
            at = [self._at_place(one) for one in errors]
            raise ColumnError.at(at, source=self.source, first_row=self.first_row)
        return results

    def kept(
        self, is_kept_N: npt.NDArray[np.bool_], columns: Sequence[str], *, start: int
    ) -> Batch:
        """Some of its rows with some of its columns, as rows from `start` on."""
        kept = pl.Series(is_kept_N) if isinstance(self._rows, pl.DataFrame) else pa.array(is_kept_N)
        return Batch(
            self._rows.select(list(columns)).filter(kept),
            source=self.source,
            first_row=self.first_row,
            start=start,
            done=self.done,
            places=np.flatnonzero(is_kept_N),
        )

    def _at_place(self, error: ColumnError) -> ColumnError:
        if self._places is None:
            return error
        places = self._places
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
