"""How unlike train's the rows to score are: ids that train never had, values that are missing.

Shapes: N rows, C id columns, L items at most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.data.batch import Batch
from automtl.data.columns import MISSING_NUMBERS
from automtl.data.encode import Encoder, Inputs
from automtl.data.vocabulary import MISSING, UNSEEN

__all__ = ["Unlike"]


class Unlike:
    """Counts by column, of batches one after the other.

    `unseen`: values of an id column that train never had (of a sequence: items). `missing`: rows
    without a value (of a sequence: without an item). Every column that the encoder reads has a
    count, or none where it cannot be unseen: numbers, times, vectors.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        ids = [feature.name for feature in encoder.keyed]
        ids += [sequence.name for sequence in encoder.features.sequence]
        self.unseen: Counter[str] = Counter(dict.fromkeys(ids, 0))
        self.missing: Counter[str] = Counter(dict.fromkeys(encoder.columns, 0))

    def add(self, batch: Batch, inputs: Inputs) -> None:
        """`inputs` are those of the batch."""
        by_ids = set[str]()
        for name, ids_NL in self._ids(inputs.ids_NC):
            self.unseen[name] += int((ids_NL == UNSEEN).sum())
            self.missing[name] += int((ids_NL == MISSING).all(axis=1).sum())
            by_ids.add(name)
        for name in self._encoder.columns:
            if name not in by_ids:
                self.missing[name] += _num_missing(batch[name])

    def _ids(self, ids_NC: npt.NDArray[np.int32]) -> Iterator[tuple[str, npt.NDArray[np.int32]]]:
        """The columns of ids that stand for keys; what lies between them are parts of times."""
        for column, feature in enumerate(self._encoder.keyed):
            yield feature.name, ids_NC[:, column : column + 1]
        start = len(self._encoder.features.categorical)
        for sequence in self._encoder.features.sequence:
            yield sequence.name, ids_NC[:, start : start + sequence.max_len]
            start += sequence.max_len


def _num_missing(values: pl.Series) -> int:
    """Rows without a number, a time or a vector."""
    if values.dtype.is_float():
        values = values.fill_nan(None)
    elif values.dtype == pl.String:
        return int(values.str.strip_chars().is_in(MISSING_NUMBERS).fill_null(value=True).sum())
    elif isinstance(values.dtype, pl.List):
        return int((values.list.len().fill_null(0) == 0).sum())
    return values.null_count()
