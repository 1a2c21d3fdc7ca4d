"""A column of lists, of which the last items are ids.

Shapes: N rows, L items at most.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from automtl.config import SequenceFeature
from automtl.data.batch import Batch
from automtl.data.key_counts import KeyCounts
from automtl.data.sequences import items, last_items, pad
from automtl.data.vocabulary import BucketLookup, Lookup

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
    kept = last_items(items(batch[feature.name]), feature.max_len)
    ids_NL = np.zeros((batch.height, feature.max_len), dtype=np.int32)
    pad(kept, lookup.ids(kept.values), out=ids_NL)
    return ids_NL
