"""Numeric columns, scaled by what train rows say: standardised, or their logarithm or rank; bins.

Shapes: N rows, U different values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.config import Scale
from automtl.data.batch import Batch
from automtl.data.columns import ColumnError, Wrong
from automtl.data.loops import compiled, fixed
from automtl.data.placing import Column, Scaled

__all__ = [
    "Moments",
    "Scaling",
    "finite_array",
    "finite_column",
    "finite_numbers",
    "finite_values",
    "fit_edges",
    "fit_ranks",
    "fit_scaling",
    "inner_edges",
    "scaled",
    "scaled_column",
    "signed_log1p",
]

Floats = npt.NDArray[np.float64]

# far outside what a network can use, far inside float32
LARGEST_SCALED = 1e6
NUM_BINS = 32
NUM_RANK_BINS = 128  # ranks are exact at both ends of each, and linear between them
SLACK = 1e-6  # of a row: sums of shares are not exact
HINT = "name the column under `categorical`, or leave the field empty where there is no number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """What was fitted on one column: mean and deviation of its values, of their `signed_log1p`, or
    of their ranks in train.

    `indicator`: the column had missing values in train. A rank is the share of train rows below
    the value, half of those equal to it among them: `ranks` at the `knots`, linear between them,
    and beyond them as at the nearest.
    """

    name: str
    scale: Scale = "standard"
    mean: float
    std: float
    indicator: bool
    knots: tuple[float, ...] = ()
    ranks: tuple[float, ...] = ()

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the columns it becomes."""
        return (self.name, f"{self.name}:missing") if self.indicator else (self.name,)


class Moments:
    """Mean and deviation of a column's known values, of their logarithm for `log1p`; of parts of
    the rows, then merged.

    Kept in units of the largest value, so that squares neither overflow nor vanish.
    """

    def __init__(self, scale: Scale = "standard") -> None:
        self._scale = scale
        self._count = self._missing = 0
        self._low, self._high = np.inf, -np.inf
        self._size, self._mean, self._variance = 1.0, 0.0, 0.0

    def add(self, numbers: npt.NDArray[Any]) -> None:
        """Adds what `finite_array` returned; or `finite_values`, but for `log1p`."""
        known = signed_log1p(_known(numbers)) if self._scale == "log1p" else numbers
        part, loops = Moments(), compiled()
        told = _moments(known) if loops is None else loops.moments(fixed(known))
        part._count, part._low, part._high, part._size, part._mean, part._variance = told
        part._missing = len(numbers) - part._count
        self.merge(part)

    def merge(self, other: Moments) -> None:
        """Adds what `other` has seen (Chan et al. 1979)."""
        self._missing += other._missing
        if not other._count:
            return
        if not self._count:
            self._size, self._mean = other._size, other._mean
            self._variance, self._count = other._variance, other._count
        else:
            size = max(self._size, other._size)
            mine, theirs = self._size / size, other._size / size
            count = self._count + other._count
            share = other._count / count
            apart = other._mean * theirs - self._mean * mine
            self._variance = (
                self._variance * mine**2 * (1 - share)
                + other._variance * theirs**2 * share
                + apart**2 * share * (1 - share)
            )
            self._mean = self._mean * mine + apart * share
            self._size, self._count = size, count
        self._low, self._high = min(self._low, other._low), max(self._high, other._high)

    def scaling(self, name: str) -> Scaling:
        """Population mean and standard deviation; a constant column has std 1."""
        indicator = self._missing > 0
        if self._count == 0:
            mean, std = 0.0, 1.0
        elif self._low == self._high:
            mean, std = self._low, 1.0
        else:
            mean, std = self._mean * self._size, self._variance**0.5 * self._size
        return Scaling(name=name, scale=self._scale, mean=mean, std=std or 1.0, indicator=indicator)

    def bounds(self) -> tuple[float, ...]:
        """The smallest and the largest known value on its scale, if any."""
        return (self._low, self._high) if self._count else ()


def _moments(numbers: Floats) -> tuple[int, float, float, float, float, float]:
    """What `compiled.moments` tells of numbers."""
    known = _known(numbers)
    if not len(known):
        return 0, np.inf, -np.inf, 1.0, 0.0, 0.0
    low, high = float(known.min()), float(known.max())
    size = max(abs(low), abs(high)) or 1.0
    values = known / size
    mean = float(values.sum()) / len(known)
    values -= mean
    values *= values
    return len(known), low, high, size, mean, float(values.sum()) / len(known)


def fit_scaling(column: pl.Series) -> Scaling:
    """The scaling of a whole column."""
    moments = Moments()
    moments.add(finite_array(column))
    return moments.scaling(column.name)


def fit_ranks(column: pl.Series, *, indicator: bool) -> Scaling:
    """The scaling by rank of a column, or of a sample of it: knots at the ends of bins that are
    about equally full, where a value that holds a bin's share has one of its own."""
    values_U, counts_U = np.unique(_known(finite_array(column)), return_counts=True)
    share_U = counts_U / max(1, counts_U.sum())
    rank_U = share_U.cumsum() - share_U / 2
    last = _last_of_bins(counts_U, NUM_RANK_BINS) if len(values_U) else np.zeros(0, dtype=int)
    ends = [0, len(values_U) - 1] if len(values_U) else []
    knots = _distinct(np.concatenate([ends, last, last + 1]).astype(int))
    rank_U = np.interp(values_U, values_U[knots], rank_U[knots]) if len(knots) else rank_U
    mean = float(share_U @ rank_U)
    std = float(np.sqrt(share_U @ (rank_U - mean) ** 2))
    return Scaling(
        name=column.name,
        scale="quantile",
        mean=mean,
        std=std if len(values_U) > 1 else 1.0,
        indicator=indicator,
        knots=tuple(values_U[knots].tolist()),
        ranks=tuple(rank_U[knots].tolist()),
    )


def inner_edges(numbers_N: Floats, num_bins: int) -> Floats:
    """Where known numbers are cut into about `num_bins` bins, half way between two values, rising;
    see `fit_edges`."""
    values_U, counts_U = np.unique(_known(numbers_N), return_counts=True)
    if len(values_U) < 2:
        return np.zeros(0)
    last = _last_of_bins(counts_U, num_bins)
    below, above = values_U[last], values_U[last + 1]
    between = below / 2 + above / 2
    return np.where(between > below, between, above)  # of neighbours the middle is one of them


def fit_edges(
    column: pl.Series,
    scaling: Scaling,
    *,
    num_bins: int = NUM_BINS,
    bounds: Sequence[float] = (),
) -> tuple[float, ...]:
    """The edges of about `num_bins` bins of the known values, standardised and rising.

    A value that holds a bin's share of the rows has a bin of its own, however small what lies on
    its two sides; the other values fill the other bins about equally. So a column that is mostly 0
    has a bin for 0, and nearly all bins for the rest. Inner edges lie half way between two values;
    the outer ones are the smallest and the largest value, of `bounds` (on the scale) too where the
    column is a sample of the rows that these are of.
    """
    known = _on_scale(_known(finite_array(column)), scaling)
    values_U, counts_U = np.unique(_standardised(known, scaling), return_counts=True)
    if len(values_U) < 2:
        return ()
    last_of_bin = _last_of_bins(counts_U, num_bins)
    inner = (values_U[last_of_bin] + values_U[last_of_bin + 1]) / 2
    outer = _standardised(np.array(bounds, dtype=np.float64), scaling)
    low, high = min([values_U[0], *outer]), max([values_U[-1], *outer])
    edges = np.concatenate([[low], inner, [high]])
    return tuple(float(edge) for edge in _distinct(edges))


def signed_log1p(values_N: Floats) -> Floats:
    """log(1 + x), and for negative x its mirror image −log(1 − x): smooth, rising, for any x.

    A plain log1p has no value below −1, so that one odd row would end a search, or a service.
    """
    return np.sign(values_N) * np.log1p(np.abs(values_N))


def _on_scale(values_N: Floats, scaling: Scaling) -> Floats:
    match scaling.scale:
        case "log1p":
            return signed_log1p(values_N)
        case "quantile":
            knots, ranks = scaling.knots or (0.0,), scaling.ranks or (0.0,)  # no train row has any
            return np.interp(values_N, knots, ranks)
        case _:
            return values_N


def _standardised(values_N: Floats, scaling: Scaling) -> npt.NDArray[np.float32]:
    """Values on their scale [N] in units of its deviation, cut to ±LARGEST_SCALED."""
    with np.errstate(over="ignore"):  # an overflow is cut
        scaled_N = values_N - scaling.mean
        scaled_N /= scaling.std
    return np.clip(scaled_N, -LARGEST_SCALED, LARGEST_SCALED, out=scaled_N).astype(np.float32)


def _known(numbers: Floats) -> Floats:
    missing = np.isnan(numbers)
    return numbers[~missing] if missing.any() else numbers


def _distinct(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The values, rising, each once. By sorting: NumPy's hash of a few floats takes 0.1 s."""
    values = np.sort(values)
    return values[np.append(True, values[1:] != values[:-1])] if len(values) else values


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
    last = _distinct(np.concatenate([frequent - 1, frequent, others]))
    return last[(last >= 0) & (last < len(last_U))]


def scaled(numbers_N: Floats, scaling: Scaling) -> npt.NDArray[np.float32]:
    """(value − mean) / std, of the value on its scale [N], or [N, 2] with the indicator; missing
    (NaN) is 0.

    Results are kept within ±1e6, so that one absurd value cannot overflow float32. The indicator
    is 1 where the value is missing.
    """
    scaled_N = _standardised(_on_scale(numbers_N, scaling), scaling)
    missing_N = np.isnan(numbers_N)
    if missing_N.any():
        scaled_N[missing_N] = 0
    if not scaling.indicator:
        return scaled_N
    return np.stack([scaled_N, missing_N.astype(np.float32)], axis=1)


def scaled_column(batch: Batch, scaling: Scaling) -> Column:
    """What `scaled` makes of a column of a batch; raises ColumnError where a number is not finite
    or is none."""
    if compiled() is None or scaling.scale != "standard":
        return scaled(finite_column(batch, scaling.name), scaling)
    return Scaled(
        numbers_N=finite_values(batch, scaling.name),
        mean=scaling.mean,
        std=scaling.std,
        largest=LARGEST_SCALED,
        indicator=scaling.indicator,
    )


def finite_values(batch: Batch, name: str) -> npt.NDArray[Any]:
    """A column as `finite_column` has it, for compiled loops: as wide as it lies."""
    numbers_N, loops = batch.known_floats(name), compiled()
    if numbers_N is None or loops is None or loops.any_infinite(fixed(numbers_N)):
        return finite_column(batch, name)  # says which is infinite
    return numbers_N


def finite_numbers(column: pl.Series) -> pl.Series:
    """Float64 with null for missing; raises DataError on what is no finite number."""
    return pl.Series(column.name, finite_array(column)).fill_nan(None)


def finite_array(column: pl.Series) -> npt.NDArray[np.float64]:
    """The numbers [N], NaN for missing; raises ColumnError on what is no finite number."""
    return finite_column(Batch(column.to_frame()), column.name)


def finite_column(batch: Batch, name: str) -> Floats:
    """A column as `finite_array` has it, not to be written to."""
    numbers_N = batch.numbers(name, hint=HINT)
    if (wrong_N := np.isinf(numbers_N)).any():
        row = int(wrong_N.argmax())
        rule = (
            f"{batch[name][row]!r} is infinite; a numeric feature must be finite; leave the field"
            " empty where there is no number"
        )
        raise ColumnError([Wrong(f"column {name!r}", rule, row)])
    return numbers_N
