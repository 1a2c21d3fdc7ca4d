"""A column of vectors of one length, such as embeddings of a text or an image, standardised.

Shapes: N rows, D numbers of a vector.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.config import DenseFeature
from automtl.data.batch import Batch
from automtl.data.columns import ColumnError, Wrong, as_numbers, row_of
from automtl.data.scaling import LARGEST_SCALED
from automtl.data.sequences import SEPARATOR, as_lists

__all__ = ["DenseFit", "DenseScaling"]

BLOCK = 4096  # rows: moments are added up in float64
Vectors = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseScaling:
    """Mean and deviation of each place. `indicator`: train had rows without a vector."""

    name: str
    means: tuple[float, ...]
    stds: tuple[float, ...]
    indicator: bool

    def feature(self) -> DenseFeature:
        return DenseFeature(name=self.name, width=len(self.means) + self.indicator)

    def numbers(self, batch: Batch) -> npt.NDArray[np.float32]:
        """[N, D, or one more]: 0 where there is no vector, then the indicator."""
        width = len(self.means)
        out = np.empty((batch.height, width + self.indicator), dtype=np.float32)
        vectors_ND, known_N = _vectors(batch[self.name], width)
        mean_D, std_D = np.array(self.means), np.array(self.stds)
        for start in range(0, len(vectors_ND), BLOCK):
            part = slice(start, start + BLOCK)
            scaled_JD = (vectors_ND[part] - mean_D) / std_D
            out[part, :width] = np.clip(scaled_JD, -LARGEST_SCALED, LARGEST_SCALED)
        out[~known_N, :width] = 0
        if self.indicator:
            out[:, width] = ~known_N
        return out


class DenseFit:
    """Mean and deviation of each place over train rows, merged as Chan et al. (1979) do."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._width: int | None = None  # of the first vector, on whichever side its row is
        self._count = self._missing = 0
        self._mean_D = self._squares_D = np.zeros(0)
        self._low_D = self._high_D = np.zeros(0)

    def add(self, batch: Batch, rows: npt.NDArray[np.int64] | None) -> None:
        """Adds the train rows of a batch, those numbered `rows` (None: all); checks every row."""
        vectors_ND, known_N = _vectors(batch[self._name], self._width)
        if self._width is None and known_N.any():
            self._width = vectors_ND.shape[1]
        rows = np.arange(batch.height) if rows is None else rows
        chosen = rows[known_N[rows]]
        self._missing += len(rows) - len(chosen)
        for start in range(0, len(chosen), BLOCK):
            part_JD = vectors_ND[chosen[start : start + BLOCK]].astype(np.float64)
            mean_D = part_JD.mean(axis=0)
            squares_D = ((part_JD - mean_D) ** 2).sum(axis=0)
            self._add(len(part_JD), mean_D, squares_D, part_JD.min(axis=0), part_JD.max(axis=0))

    def merge(self, other: DenseFit) -> None:
        """Raises ColumnError if the other's vectors are of another length."""
        self._missing += other._missing
        if self._width is None:
            self._width = other._width
        elif other._width not in (None, self._width):
            raise ColumnError([Wrong(f"column {self._name!r}", _rule(other._width, self._width))])
        if other._count:
            self._add(other._count, other._mean_D, other._squares_D, other._low_D, other._high_D)

    def scaling(self) -> DenseScaling:
        """A place that never changes has deviation 1. Raises ColumnError if train has no vector."""
        if not self._count:
            rule = "no train row has a vector; take the column away"
            raise ColumnError([Wrong(f"column {self._name!r}", rule)])
        is_constant_D = self._low_D == self._high_D
        mean_D = np.where(is_constant_D, self._low_D, self._mean_D)
        std_D = np.sqrt(self._squares_D / self._count)
        std_D[is_constant_D | (std_D == 0)] = 1
        return DenseScaling(
            name=self._name,
            means=tuple(mean_D.tolist()),
            stds=tuple(std_D.tolist()),
            indicator=self._missing > 0,
        )

    def _add(
        self, count: int, mean_D: Floats, squares_D: Floats, low_D: Floats, high_D: Floats
    ) -> None:
        if not self._count:
            self._count, self._mean_D, self._squares_D = count, mean_D, squares_D
            self._low_D, self._high_D = low_D, high_D
            return
        total = self._count + count
        apart_D = mean_D - self._mean_D
        self._squares_D = self._squares_D + squares_D + apart_D**2 * (self._count * count / total)
        self._mean_D = self._mean_D + apart_D * (count / total)
        self._low_D = np.minimum(self._low_D, low_D)
        self._high_D = np.maximum(self._high_D, high_D)
        self._count = total


def _vectors(column: pl.Series, width: int | None) -> tuple[Vectors, npt.NDArray[np.bool_]]:
    """The vectors [N, D], and which rows [N] have one; the others (null, or empty) hold zeros.

    `width` is how many numbers each must have, None: as many as the first. In a text file a vector
    is written `0.1|0.2`. Raises ColumnError for another length and for what is no finite number.
    """
    rule = (
        f"; a dense feature is a list of numbers (in a text file `0.1{SEPARATOR}0.2`); name a"
        " single number under `numeric`"
    )
    column, length_N = as_lists(column, rule=rule)
    known_N = length_N > 0
    if width is None:
        width = int(length_N[known_N.argmax()]) if known_N.any() else 0
    if (wrong := np.flatnonzero(known_N & (length_N != width))).size:
        row = int(wrong[0])
        wrong_length = _rule(int(length_N[row]), width)
        raise ColumnError([Wrong(f"column {column.name!r}", wrong_length, row)])
    vectors_ND = np.zeros((len(column), width), dtype=np.float32)
    if known_N.any():
        flat = column.filter(pl.Series(known_N)).explode().alias(column.name)
        vectors_ND[known_N] = _numbers(flat, np.flatnonzero(known_N), width)
    return vectors_ND, known_N


def _numbers(flat: pl.Series, rows: npt.NDArray[np.int64], width: int) -> Vectors:
    """The numbers of the vectors of some rows, one below the other."""
    place, number = f"column {flat.name!r}", "a vector has a finite number at every place"
    if flat.dtype != pl.Float32:
        try:
            flat = as_numbers(flat, hint=number)
        except ColumnError as error:  # its row counts numbers
            found = error.wrong[0]
            row = None if found.row is None else int(rows[found.row // width])
            raise ColumnError([Wrong(place, found.rule, row)]) from None
        with np.errstate(over="ignore"):
            flat = pl.Series(flat.name, flat.to_numpy().astype(np.float32))
    is_wrong = ~flat.is_finite().fill_null(value=False)
    if is_wrong.any():
        first = row_of(is_wrong)
        rule = f"has no finite number at place {first % width} (counted from 0); {number}, or none"
        raise ColumnError([Wrong(place, rule, int(rows[first // width]))])
    return flat.to_numpy().reshape(-1, width)


def _rule(length: int | None, width: int | None) -> str:
    return (
        f"has {length} numbers, others have {width}; all vectors of a column are of one length;"
        " leave the field empty where there is none"
    )
