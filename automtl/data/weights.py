"""How much a row counts in the loss of each task: columns of numbers from 0 on.

Shapes: N rows, K tasks (none of them where the spec names no weight).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from automtl.data.batch import Batch
from automtl.data.columns import ColumnError, Wrong
from automtl.errors import DataError

if TYPE_CHECKING:
    from automtl.spec.schema import Spec

__all__ = ["LARGEST", "WeightFit", "weight_columns", "weight_matrix"]

LARGEST = 1e12  # a batch of them adds up in float32
RULE = f"a weight is a number from 0 to {LARGEST:g}; write 0 where a row should not count"
Weights = npt.NDArray[np.float32]


def weight_columns(spec: Spec) -> tuple[str | None, ...]:
    """The column of each task [K], None where all rows count the same; empty if none has any."""
    columns = tuple(task.weight or spec.data.weight for task in spec.tasks.values())
    return columns if any(columns) else ()


def weight_matrix(batch: Batch, columns: Sequence[str | None]) -> Weights:
    """weights_NK by `weight_columns`, 1 for a task without; raises ColumnError for what is no
    weight."""
    weights_NK = np.ones((batch.height, len(columns)), dtype=np.float32)
    read = {name: _weights(batch, name) for name in columns if name is not None}
    for task, name in enumerate(columns):
        if name is not None:
            weights_NK[:, task] = read[name]
    return weights_NK


def _weights(batch: Batch, name: str) -> npt.NDArray[np.float64]:
    place = f"column {name!r} (a weight)"
    weights_N = batch.numbers(name, hint=RULE)
    is_wrong_N = ~((weights_N >= 0) & (weights_N <= LARGEST))
    if is_wrong_N.any():
        row = int(is_wrong_N.argmax())
        value = "has no number" if np.isnan(weights_N[row]) else f"is {weights_N[row]:g}"
        count = f"{int(is_wrong_N.sum())} of the {batch.height} rows read with it are wrong"
        raise ColumnError([Wrong(place, f"{value}; {RULE}; {count}", row)])
    return weights_N


class WeightFit:
    """Looks whether any train row counts, for each of the columns; parts of the rows merge."""

    def __init__(self, columns: Sequence[str | None]) -> None:
        self._columns = tuple(columns)
        self._counts_K = np.zeros(len(columns), dtype=bool)

    def add(self, batch: Batch, rows: npt.NDArray[np.int64] | None) -> None:
        """Adds the train rows of a batch, those numbered `rows` (None: all); checks every row."""
        weights_NK = weight_matrix(batch, self._columns)
        train_NK = weights_NK if rows is None else weights_NK[rows]
        self._counts_K |= (train_NK > 0).any(axis=0)

    def merge(self, other: WeightFit) -> None:
        self._counts_K |= other._counts_K

    def columns(self) -> tuple[str | None, ...]:
        """Those of `weight_columns`; raises DataError if one is 0 on all train rows."""
        for name, counts in zip(self._columns, self._counts_K, strict=True):
            if not counts:
                raise DataError(
                    f"column {name!r} (a weight): is 0 on all train rows, so nothing is learned;"
                    " name another column, or take the weight away"
                )
        return self._columns
