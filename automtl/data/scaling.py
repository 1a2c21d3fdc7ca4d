"""Numeric columns, standardised by the mean and standard deviation of train rows, and their bins.

Shapes: N rows, U different values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.data.columns import as_numbers, row_of
from automtl.errors import DataError

__all__ = ["Scaling", "finite_numbers", "fit_edges", "fit_scaling", "scale"]

# far outside what a network can use, far inside float32
LARGEST_SCALED = 1e6
NUM_BINS = 32
SLACK = 1e-6  # of a row: sums of shares are not exact
HINT = "name the column under `categorical`, or leave the field empty where there is no number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """What was fitted on one column. `indicator`: the column had missing values in train."""

    name: str
    mean: float
    std: float
    indicator: bool

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the columns it becomes."""
        return (self.name, f"{self.name}:missing") if self.indicator else (self.name,)


def fit_scaling(column: pl.Series) -> Scaling:
    """Population mean and standard deviation of the known values; a constant column has std 1."""
    known = finite_numbers(column).drop_nulls().to_numpy()
    indicator = len(known) < len(column)
    if len(known) == 0:
        return Scaling(name=column.name, mean=0.0, std=1.0, indicator=indicator)
    if known.min() == known.max():
        return Scaling(name=column.name, mean=float(known[0]), std=1.0, indicator=indicator)
    size = np.abs(known).max()  # so that squares neither overflow nor vanish
    mean, std = (known / size).mean() * size, (known / size).std() * size
    return Scaling(name=column.name, mean=float(mean), std=float(std) or 1.0, indicator=indicator)


def fit_edges(
    column: pl.Series, scaling: Scaling, *, num_bins: int = NUM_BINS
) -> tuple[float, ...]:
    """The edges of about `num_bins` bins of the known values, standardised and rising.

    A value that holds a bin's share of the rows has a bin of its own, however small what lies on
    its two sides; the other values fill the other bins about equally. So a column that is mostly 0
    has a bin for 0, and nearly all bins for the rest. Inner edges lie half way between two values;
    the outer ones are the smallest and the largest value.
    """
    known = finite_numbers(column).drop_nulls()
    scaled_N1 = np.zeros((len(known), len(scaling.outputs)), dtype=np.float32)
    scale(known, scaling, out=scaled_N1)
    values_U, counts_U = np.unique(scaled_N1[:, 0], return_counts=True)
    if len(values_U) < 2:
        return ()
    last_of_bin = _last_of_bins(counts_U, num_bins)
    inner = (values_U[last_of_bin] + values_U[last_of_bin + 1]) / 2
    edges = np.concatenate([values_U[:1], inner, values_U[-1:]])
    return tuple(float(edge) for edge in np.unique(edges))


def _last_of_bins(counts_U: npt.NDArray[np.int64], num_bins: int) -> npt.NDArray[np.int64]:
    """The places of the values that end a bin, all but the last bin."""
    last_U = np.arange(len(counts_U) - 1)
    if len(counts_U) <= num_bins:
        return last_U
    is_frequent_U = counts_U >= counts_U.sum() / num_bins
    frequent = np.flatnonzero(is_frequent_U)
    reached_U = np.where(is_frequent_U, 0, counts_U).cumsum()
    num_others = max(num_bins - len(frequent), 1)
    shares = np.arange(1, num_others) * reached_U[-1] / num_others
    others = np.searchsorted(reached_U, shares - SLACK)
    return np.intersect1d(np.concatenate([frequent - 1, frequent, others]), last_U)


def scale(column: pl.Series, scaling: Scaling, *, out: npt.NDArray[np.float32]) -> None:
    """Writes (value − mean) / std into `out` (N rows, one column an output); missing is 0.

    Results are kept within ±1e6, so that one absurd value cannot overflow float32. The indicator
    is 1 where the value is missing.
    """
    values = finite_numbers(column)
    missing_N = values.is_null().to_numpy()
    known_N = values.fill_null(scaling.mean).to_numpy()
    with np.errstate(over="ignore"):  # an overflow is cut below
        scaled_N = (known_N - scaling.mean) / scaling.std
    out[:, 0] = np.clip(scaled_N, -LARGEST_SCALED, LARGEST_SCALED)
    if scaling.indicator:
        out[:, 1] = missing_N


def finite_numbers(column: pl.Series) -> pl.Series:
    """Float64 with null for missing; raises DataError on what is no finite number."""
    values = as_numbers(column, hint=HINT)
    if (wrong := values.is_infinite().fill_null(value=False)).any():
        row = row_of(wrong)
        raise DataError(
            f"column {column.name!r}, row {row} (counted from 0): {column[row]!r} is infinite; a"
            " numeric feature must be finite; leave the field empty where there is no number"
        )
    return values
