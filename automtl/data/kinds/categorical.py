"""A column of single values, each an id."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from automtl.data.batch import Batch
from automtl.data.columns import plain
from automtl.data.vocabulary import BucketLookup, KeyCounts, Lookup

__all__ = ["CategoricalFit", "categorical_ids"]


class CategoricalFit:
    """Counts the keys of train rows; `is_hashed`: only looks whether there are any, for buckets
    need no counts."""

    def __init__(self, name: str, *, is_hashed: bool = False) -> None:
        self.name, self.counts, self._is_hashed = name, KeyCounts(), is_hashed

    def add(self, batch: Batch, rows: npt.NDArray[np.int64] | None) -> None:
        """Adds the train rows of a batch, those numbered `rows` (None: all); checks every row."""
        if self._is_hashed:
            plain(batch[self.name])
        elif (coded := batch.coded(self.name)) is not None:
            self.counts.add_coded(coded, rows)
        else:
            values = plain(batch[self.name])
            self.counts.add(values if rows is None else values[rows])

    def merge(self, other: CategoricalFit) -> None:
        self.counts.merge(other.counts)


def categorical_ids(
    batch: Batch, name: str, lookup: Lookup | BucketLookup
) -> npt.NDArray[np.int32]:
    """The id of each row [N]."""
    coded = batch.coded(name)
    return lookup.ids(batch[name]) if coded is None else lookup.coded_ids(coded)
