"""Some of the rows of each split, column by column, so that memory does not grow with the rows.

A split of up to `max_rows` is looked at whole. Of a larger one NUM_BLOCKS runs of rows are, evenly
spread, since the cache is row-major: a run is read at once, single rows would touch every page.

Shapes: N rows of a split, J rows looked at, C id columns, F numeric columns, K tasks, L items.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from automtl.config import AGE, TIME_PARTS, NumericFeature
from automtl.data.cache import EncodedData, Rows
from automtl.data.spread import spread

__all__ = ["Column", "Kind", "Sample", "columns_of", "labels_of", "runs", "samples_of"]

NUM_BLOCKS = 256
MISSING_SUFFIX = ":missing"
Kind = Literal["categorical", "numeric", "sequence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A feature as the spec names it. `first` is its first column in the matrix of its kind, and
    `width` how many it has there; `num_codes` bounds what `Sample.codes` gives."""

    name: str
    kind: Kind
    first: int
    width: int
    num_codes: int
    edges: tuple[float, ...] = ()
    has_indicator: bool = False
    is_cut: bool = False  # ids of buckets of a number

    @property
    def place(self) -> str:
        column, _, what = self.name.rpartition(":")
        if column and what in (*TIME_PARTS, AGE):
            return f"data.time: {column}"
        return f"data.{'numeric' if self.is_cut else self.kind}: {self.name}"


def columns_of(data: EncodedData, *, numbers: Container[str] = ()) -> list[Column]:
    """The features of `data`, in the order of its matrices; indicators belong to their numbers.
    `numbers` are the columns that the spec names as numbers."""
    features = data.features
    sizes = {table.name: table.num_rows for table in features.tables}
    found = [
        Column(
            name=one.name,
            kind="categorical",
            first=index,
            width=1,
            num_codes=sizes[one.table],
            is_cut=one.name in numbers,
        )
        for index, one in enumerate(features.categorical)
    ]
    first = len(found)
    for one in features.sequence:
        found.append(
            Column(
                name=one.name,
                kind="sequence",
                first=first,
                width=one.max_len,
                num_codes=sizes[one.table],
            )
        )
        first += one.max_len
    return found + _numeric(features.numeric)


def _numeric(features: Sequence[NumericFeature]) -> list[Column]:
    names = [one.name for one in features]
    return [
        Column(
            name=one.name,
            kind="numeric",
            first=index,
            width=1,
            num_codes=max(len(one.edges), 2),
            edges=one.edges,
            has_indicator=names[index + 1 : index + 2] == [one.name + MISSING_SUFFIX],
        )
        for index, one in enumerate(features)
        if not (one.name.endswith(MISSING_SUFFIX) and one.name[: -len(MISSING_SUFFIX)] in names)
    ]


class Sample:
    """The rows of one split that are looked at."""

    def __init__(self, data: EncodedData, split: str, *, max_rows: int) -> None:
        self.split, self.num_rows = split, data.num_rows[split]
        self._rows: Rows = data.rows(split)
        self._runs = runs(self.num_rows, max_rows)

    def __len__(self) -> int:
        return sum(run.stop - run.start for run in self._runs)

    def labels(self, task: int) -> NDArray[np.float32]:
        """The label [J] of the task with this number, NaN where it is not observed."""
        return self._take(self._rows.labels_NK[:, task])

    def codes(self, column: Column) -> NDArray[Any]:
        """What the model reads, as whole numbers from 0: 0 missing.

        Categorical [J]: the ids. Numeric [J]: the bins, from 1. Sequence [J, L]: the items' ids.
        """
        if column.kind == "categorical":
            return self._take(self._rows.ids_NC[:, column.first])
        if column.kind == "sequence":
            return self._take(self._rows.ids_NC[:, column.first : column.first + column.width])
        bins_J = 1 + np.searchsorted(np.array(column.edges[1:-1]), self.values(column))
        return np.where(self.is_missing(column), 0, bins_J)

    def values(self, column: Column) -> NDArray[np.float32]:
        """The standardised numbers [J] of a numeric column; 0 where they are missing."""
        return self._take(self._rows.numeric_NF[:, column.first])

    def numbers(self, first: int, width: int) -> NDArray[np.float32]:
        """Some columns [J, width] of the matrix of numbers."""
        return self._take(self._rows.numeric_NF[:, first : first + width])

    def is_missing(self, column: Column) -> NDArray[np.bool_]:
        """Where [J] a numeric column has no number; unknown, so False, if train has all."""
        if not column.has_indicator:
            return np.zeros(len(self), dtype=bool)
        indicator_J = self._take(self._rows.numeric_NF[:, column.first + 1])
        return np.asarray(indicator_J == 1)

    def _take(self, whole: NDArray[Any]) -> NDArray[Any]:
        plain = np.asarray(whole)  # a slice of a mapped array costs ten times as much
        return np.concatenate([plain[run] for run in self._runs])


def samples_of(data: EncodedData, *, max_rows: int) -> dict[str, Sample]:
    """By split, of those that have rows."""
    return {
        split: Sample(data, split, max_rows=max_rows)
        for split, num_rows in data.num_rows.items()
        if num_rows
    }


def labels_of(samples: Mapping[str, Sample], task: int) -> dict[str, NDArray[np.float32]]:
    """A task's label [J] in train, where a feature is fitted to it, and in valid, where judged."""
    return {split: samples[split].labels(task) for split in ("train", "valid")}


def runs(num_rows: int, max_rows: int) -> list[slice]:
    """The rows to look at, as runs: all, or NUM_BLOCKS runs of `max_rows` in total."""
    if num_rows <= max_rows:
        return [slice(0, num_rows)]
    length = max(1, max_rows // NUM_BLOCKS)
    starts = spread(length, of=num_rows, num=min(NUM_BLOCKS, max_rows))
    return [slice(start, start + length) for start in starts]
