"""Whether predictions are as large as what happens: bins of equal counts, and the gap.

Rows count as independent: where one user has many, intervals are too narrow.

Shapes: N rows, J bins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Bin", "calibration_error", "chance_error", "reliability", "wilson_interval"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Rows of similar predictions: their number, mean prediction and mean label, the interval of
    that mean, and the standard deviation of the labels."""

    num_rows: int
    predicted: float
    observed: float
    low: float
    high: float
    std: float


def reliability(
    labels: ArrayLike,
    predictions: ArrayLike,
    *,
    num_bins: int = 15,
    is_binary: bool = True,
    level: float = 0.95,
) -> tuple[Bin, ...]:
    """Rows in the order of their predictions, cut into `num_bins` bins of equal counts.

    Equal predictions stay together, so there are fewer bins where many are equal. Intervals of
    the labels' mean are Wilson's for `is_binary`, else normal. `labels` and `predictions` [N] are
    finite; ValueError if not, if N is 0 or if lengths differ.
    """
    labels_N, predictions_N = _checked(labels, predictions)
    order_N = np.argsort(predictions_N, kind="stable")
    sorted_N, labels_N = predictions_N[order_N], labels_N[order_N]
    num_rows = len(sorted_N)
    wanted = [num_rows * number // num_bins for number in range(1, num_bins + 1)]
    last = sorted_N[[max(stop, 1) - 1 for stop in wanted]]
    stops = np.unique(np.searchsorted(sorted_N, last, side="right")).tolist()
    return tuple(
        _bin(labels_N[start:stop], sorted_N[start:stop], is_binary=is_binary, level=level)
        for start, stop in zip([0, *stops], stops, strict=False)
    )


def calibration_error(bins: Sequence[Bin]) -> float:
    """The expected calibration error: how far the bins' mean predictions are from their mean
    labels, by rows, in units of the label (Naeini et al., AAAI 2015)."""
    return _mean_by_rows(bins, [abs(one.predicted - one.observed) for one in bins])


def chance_error(bins: Sequence[Bin]) -> float:
    """The calibration error that perfectly calibrated predictions would show in as many rows.

    The mean size of a normal deviate is √(2/π) of its deviation, which is a bin's std / √rows.
    """
    size = math.sqrt(2 / math.pi)
    return _mean_by_rows(bins, [size * one.std / math.sqrt(one.num_rows) for one in bins])


def wilson_interval(
    num_positives: float, num_rows: int, *, level: float = 0.95
) -> tuple[float, float]:
    """The interval of a probability after `num_positives` of `num_rows` (Wilson 1927)."""
    z = NormalDist().inv_cdf(0.5 + level / 2)
    rate = num_positives / num_rows
    shrink = 1 + z * z / num_rows
    middle = (rate + z * z / (2 * num_rows)) / shrink
    reach = z * math.sqrt(rate * (1 - rate) / num_rows + (z / (2 * num_rows)) ** 2) / shrink
    return max(0.0, middle - reach), min(1.0, middle + reach)


def _bin(labels_N: Floats, predictions_N: Floats, *, is_binary: bool, level: float) -> Bin:
    num_rows, observed = len(labels_N), float(labels_N.mean())
    std = float(labels_N.std())
    if is_binary:
        low, high = wilson_interval(float(labels_N.sum()), num_rows, level=level)
    else:
        reach = NormalDist().inv_cdf(0.5 + level / 2) * std / math.sqrt(num_rows)
        low, high = observed - reach, observed + reach
    return Bin(
        num_rows=num_rows,
        predicted=float(predictions_N.mean()),
        observed=observed,
        low=low,
        high=high,
        std=std,
    )


def _mean_by_rows(bins: Sequence[Bin], values: Sequence[float]) -> float:
    total = sum(one.num_rows for one in bins)
    return sum(one.num_rows * value for one, value in zip(bins, values, strict=True)) / total


def _checked(labels: ArrayLike, predictions: ArrayLike) -> tuple[Floats, Floats]:
    labels_N = np.asarray(labels, dtype=np.float64)
    predictions_N = np.asarray(predictions, dtype=np.float64)
    if labels_N.ndim != 1 or labels_N.shape != predictions_N.shape or not labels_N.size:
        raise ValueError(
            f"labels {labels_N.shape} and predictions {predictions_N.shape} must be as many, and "
            "one at least"
        )
    if not (np.isfinite(labels_N).all() and np.isfinite(predictions_N).all()):
        raise ValueError("labels and predictions must be finite; leave rows without a label out")
    return labels_N, predictions_N
