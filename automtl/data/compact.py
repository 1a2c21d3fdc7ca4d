"""Rows in few bytes: integers as narrow as they are small, the text of text files as what it means.

A `Batch` widens integers again where it is asked for them (`Batch.integers` takes them as they
lie). What does not fit stays as it is.

Shapes: N rows of a batch.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from automtl.data.arrow_types import arrow_numbers, is_text, numpy_numbers
from automtl.data.batch import Batch
from automtl.data.columns import ColumnError
from automtl.data.loops import compiled
from automtl.data.numbered_text import NumberedText
from automtl.data.written import plain_integers

__all__ = ["Compact", "Uses", "places_of"]

PLACE = "automtl:place"  # of each row in its source, beside its columns
NARROW = (np.dtype(np.int8), np.dtype(np.int16), np.dtype(np.int32))
LIMITS = [(np.iinfo(one).min, np.iinfo(one).max) for one in NARROW]


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What columns are taken for, each in one of these or none.

    Where they are text, `keys`, which are nothing but categories, are kept as integers as long as
    all of a column were written as such, `numbers`, which are nothing but numbers, as these, and
    `repeated` by their distinct values. Those of `keys` that are `listed` in a vocabulary are
    numbered, where loops are compiled.
    """

    keys: Collection[str] = ()
    numbers: Collection[str] = ()
    repeated: Collection[str] = ()
    listed: Collection[str] = ()

    @property
    def all(self) -> frozenset[str]:
        return frozenset([*self.keys, *self.numbers, *self.repeated])


class Compact:
    """Batches of one source, one after the other."""

    def __init__(self, uses: Uses) -> None:
        self._uses, self._used = uses, uses.all
        self._worded = set[str]()  # keys that were no integers
        # of each column: the place in NARROW of its integers, and of what says its distinct values
        self._narrow: dict[str, int] = {}
        self._codes: dict[str, int] = {}
        self._listed = uses.listed if compiled() is not None else ()
        self.numbered: dict[str, NumberedText] = {}  # by column

    def finish(self) -> None:
        """Says that no more batches come."""
        for text in self.numbered.values():
            text.finish()

    def parsed(self, batch: Batch) -> Batch:
        """The batch with plain text as what it is taken for."""
        rows = batch.arrow()
        text = [field.name for field in rows.schema if is_text(field.type)]
        if not self._used.intersection(text):
            return batch
        arrays = [
            self._parsed(batch, name) if name in text else rows.column(name)
            for name in batch.columns
        ]
        return batch.with_rows(
            pa.RecordBatch.from_arrays(arrays, names=batch.columns),
            start=batch.start,
            done=batch.done,
            places=batch.places,
        )

    def _parsed(self, batch: Batch, name: str) -> pa.Array:
        text = batch.arrow().column(name)
        if name not in self._used:
            return text
        if name in self._uses.numbers:
            numbers = _numbers(batch, name)
            return text if numbers is None else numbers
        if name in self._uses.keys and name not in self._worded:
            if (integers := plain_integers(text)) is not None:
                return integers
            self._worded.add(name)  # a column of both is not tried batch by batch
        return text.dictionary_encode()

    def narrowed(self, batch: Batch) -> pa.RecordBatch:
        """The rows with integers in as few bytes as those of the column needed so far, and their
        places in the source where some were left out."""
        rows, names = batch.arrow(), list(batch.columns)
        arrays = [self._narrow_array(name, rows.column(name)) for name in names]
        if batch.places is not None:
            names.append(PLACE)
            arrays.append(self._narrow_array(PLACE, arrow_numbers(batch.places)))
        return pa.RecordBatch.from_arrays(arrays, names=names)

    def _narrow_array(self, name: str, array: pa.Array) -> pa.Array:
        """Of integers, as long as none of the column was missing, and of text by its distinct
        values; others as they are."""
        if pa.types.is_dictionary(array.type):
            return self._narrow_text(name, array)
        if not pa.types.is_integer(array.type):
            return array
        if array.null_count:
            self._narrow[name] = len(NARROW)
            return array
        values_N = numpy_numbers(array)
        place = self._narrow.get(name, 0)
        if place < len(NARROW):
            place = max(place, _narrowest(int(values_N.min()), int(values_N.max())))
            self._narrow[name] = place
        if place == len(NARROW) or NARROW[place].itemsize >= values_N.itemsize:
            return array
        return arrow_numbers(values_N.astype(NARROW[place]))

    def _narrow_text(self, name: str, array: pa.DictionaryArray) -> pa.Array:
        """Its numbers, or which of its distinct values a row has."""
        if name in self._listed and is_text(array.type.value_type):
            text = self.numbered.setdefault(name, NumberedText())
            return self._narrow_places(name, arrow_numbers(text.add(array)), text.num)
        codes = self._narrow_places(name, array.indices, len(array.dictionary))
        return pa.DictionaryArray.from_arrays(codes, array.dictionary, safe=False)

    def _narrow_places(self, name: str, places: pa.Array, num: int) -> pa.Array:
        """Places in a list of `num`, in as few bytes."""
        place = max(self._codes.get(name, 0), _narrowest(0, max(0, num - 1)))
        self._codes[name] = place
        return places.cast(pa.from_numpy_dtype(NARROW[place]))


def places_of(rows: pa.RecordBatch) -> npt.NDArray[np.int64] | None:
    """The places [N] that `narrowed` has put beside the rows."""
    if PLACE not in rows.schema.names:
        return None
    return numpy_numbers(rows.column(PLACE)).astype(np.int64)


def _numbers(batch: Batch, name: str) -> pa.Array | None:
    """Text as numbers, NaN for missing; None where one is no finite number: who asks for them tells
    that with the text as it stands there."""
    try:
        numbers_N = batch.numbers(name, hint="")
    except ColumnError:
        return None
    return None if np.isinf(numbers_N).any() else arrow_numbers(numbers_N)


def _narrowest(low: int, high: int) -> int:
    """The place in NARROW of what holds all from `low` to `high`, behind them where none does."""
    fits = [lowest <= low and high <= highest for lowest, highest in LIMITS]
    return fits.index(True) if any(fits) else len(NARROW)
