"""A column of single values, each an id."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from automtl.data.batch import Batch
from automtl.data.columns import plain
from automtl.data.key_counts import KeyCounts
from automtl.data.loops import compiled
from automtl.data.placing import Column, Found
from automtl.data.vocabulary import BucketLookup, Lookup

__all__ = ["CategoricalFit", "categorical_column"]


class CategoricalFit:
    """Counts the keys of train rows; `is_hashed`: only looks whether there are any, for buckets
    need no counts."""

    def __init__(self, name: str, *, is_hashed: bool = False) -> None:
        self.name, self.counts, self._is_hashed = name, KeyCounts(), is_hashed

    def add(self, batch: Batch, rows: npt.NDArray[np.int64] | None) -> None:
        """Adds the train rows of a batch, those numbered `rows` (None: all); checks every row."""
        if self._is_hashed:
            plain(batch[self.name])
        elif (numbered := batch.numbered(self.name)) is not None:
            self.counts.add_numbered(numbered, rows)
        elif (coded := batch.coded(self.name)) is not None:
            self.counts.add_coded(coded, rows)
        elif (values_N := batch.integers(self.name)) is not None:
            self.counts.add_integers(values_N if rows is None else values_N[rows])
        else:
            values = plain(batch[self.name])
            self.counts.add(values if rows is None else values[rows])

    def merge(self, other: CategoricalFit) -> None:
        self.counts.merge(other.counts)


def categorical_column(batch: Batch, name: str, lookup: Lookup | BucketLookup) -> Column:
    """The id of each row."""
    if (few := batch.listed(name)) is not None:
        found_N = lookup.remembered.ids(few, lambda new: _ids(Batch(new.to_frame()), "", lookup))
        if found_N is not None:
            return found_N
    if compiled() is not None and (found := _found(batch, name, lookup)) is not None:
        return found
    return _ids(batch, name, lookup)


def _ids(batch: Batch, name: str, lookup: Lookup | BucketLookup) -> npt.NDArray[np.int32]:
    if (coded := batch.coded(name)) is not None:
        return lookup.distinct_ids(coded.distinct).take(coded.codes_N)
    if (values_N := batch.integers(name)) is not None:
        return lookup.integer_ids(values_N)
    return lookup.ids(batch[name])


def _found(batch: Batch, name: str, lookup: Lookup | BucketLookup) -> Found | None:
    """The id of each row, to be looked up where it is put; None where that cannot be."""
    if (numbered := batch.numbered(name)) is not None:
        table_V = lookup.distinct_ids(numbered.text.distinct)
        return Found(values_N=numbered.numbers_N, table_V=table_V)
    if (coded := batch.coded(name)) is not None:
        return Found(values_N=coded.codes_N, table_V=lookup.distinct_ids(coded.distinct))
    if (values_N := batch.integers(name)) is not None:
        return lookup.found(values_N)
    return None
