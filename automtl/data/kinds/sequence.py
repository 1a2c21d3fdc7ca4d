"""A column of lists, of which the last items are ids.

Shapes: N rows, L items at most, M items of all rows.
"""

from __future__ import annotations

from itertools import chain

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.config import SequenceFeature
from automtl.data.batch import Batch
from automtl.data.key_counts import KeyCounts
from automtl.data.listed import Listed
from automtl.data.sequences import Items, items, items_of, last_items, pad
from automtl.data.vocabulary import MISSING, BucketLookup, Lookup

__all__ = ["SequenceFit", "sequence_ids"]


class SequenceFit:
    """Counts the items that are kept of train rows, but for a table that `is_hashed`."""

    def __init__(self, feature: SequenceFeature, *, is_hashed: bool = False) -> None:
        self.feature, self.counts, self._is_hashed = feature, KeyCounts(), is_hashed

    def add(self, batch: Batch, rows: npt.NDArray[np.int64] | None) -> None:
        """Adds the train rows of a batch, those numbered `rows` (None: all); checks every row."""
        kept = last_items(items(batch[self.feature.name]), self.feature.max_len)
        if self._is_hashed:
            return
        values = kept.values
        if rows is not None:
            is_train_N = np.zeros(batch.height, dtype=bool)
            is_train_N[rows] = True
            values = values.filter(is_train_N[kept.row_M])
        self.counts.add(values)

    def merge(self, other: SequenceFit) -> None:
        self.counts.merge(other.counts)


def sequence_ids(
    batch: Batch, feature: SequenceFeature, lookup: Lookup | BucketLookup
) -> npt.NDArray[np.int32]:
    """The ids of the items [N, L], padded with 0."""
    ids_NL = np.zeros((batch.height, feature.max_len), dtype=np.int32)
    few = batch.listed(feature.name)
    if few is not None and (of_few := _ids_of_few(few, lookup)) is not None:
        kept = last_items(of_few, feature.max_len)
        pad(kept, kept.values.to_numpy(), out=ids_NL)
    else:
        kept = last_items(items(batch[feature.name]), feature.max_len)
        pad(kept, lookup.ids(kept.values), out=ids_NL)
    return ids_NL


def _ids_of_few(column: Listed, lookup: Lookup | BucketLookup) -> Items | None:
    """The items' ids, by what was asked before; None where it is no column of lists, or where it
    has too many."""
    if not isinstance(column.dtype, pl.List):
        return None
    all_items = Listed(
        dtype=column.dtype.inner,
        values=list(chain.from_iterable(one for one in column.values if one)),
    )
    ids_M = lookup.remembered.ids(all_items, lookup.ids)
    if ids_M is None:
        return None
    lengths = (len(one) if one else 0 for one in column.values)
    length_N = np.fromiter(lengths, dtype=np.int64, count=len(column.values))
    return items_of(pl.Series(ids_M), length_N, is_known_M=ids_M != MISSING)
