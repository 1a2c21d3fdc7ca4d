"""A column of single values, each an id."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from automtl.data.batch import Batch
from automtl.data.columns import plain
from automtl.data.vocabulary import KeyCounts, Lookup

__all__ = ["CategoricalFit", "categorical_ids"]


class CategoricalFit:
    """Counts the keys of train rows."""

    def __init__(self, name: str) -> None:
        self.name, self.counts = name, KeyCounts()

    def add(self, batch: Batch, rows: npt.NDArray[np.int64] | None) -> None:
        """Adds the train rows of a batch, those numbered `rows` (None: all); checks every row."""
        if (coded := batch.coded(self.name)) is not None:
            self.counts.add_coded(coded, rows)
        else:
            values = plain(batch[self.name])
            self.counts.add(values if rows is None else values[rows])

    def merge(self, other: CategoricalFit) -> None:
        self.counts.merge(other.counts)


def categorical_ids(batch: Batch, name: str, lookup: Lookup) -> npt.NDArray[np.int32]:
    """The id of each row [N]."""
    coded = batch.coded(name)
    return lookup.ids(batch[name]) if coded is None else lookup.coded_ids(coded)
