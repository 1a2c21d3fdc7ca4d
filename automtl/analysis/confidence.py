"""How sure we can be of an AUC, and of the difference of two AUCs on the same rows.

Two ways. DeLong's variance treats rows as independent: exact algebra, no randomness. The cluster
bootstrap draws whole groups (users) with replacement: right where one user has many rows, whose
labels resemble each other. Both hold the two models FIXED: they say how far the numbers would move
on other test rows, not how far they would move with another training seed.

Shapes: N rows, P positives, Q negatives, M score columns, G groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Interval",
    "auc_interval",
    "delong",
    "paired_auc_difference",
    "paired_auc_p_value",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with its standard error and the bounds of its interval, all in one unit."""

    estimate: float
    low: float
    high: float
    standard_error: float

    def excludes(self, value: float) -> bool:
        """Whether `value` lies outside: the estimate can be told from it at this level."""
        return not self.low <= value <= self.high


def auc_interval(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    num_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """One AUC: DeLong without `groups`, a cluster bootstrap over `groups` with them.

    `labels` [N] of 0 and 1 (both present), `scores` [N] finite, `groups` [N] of any sortable
    values; ValueError otherwise.
    """
    truth_N, scores_MN = _checked(labels, scores)
    if groups is None:
        auc_M, covariance_MM = delong(truth_N, scores_MN)
        return _normal(float(auc_M[0]), float(covariance_MM[0, 0]), level)
    resampled_RM = _cluster_bootstrap(truth_N, scores_MN, groups, num_resamples, seed)
    return _percentile(_auc(truth_N, scores_MN[0]), resampled_RM[:, 0], level)


def paired_auc_difference(
    labels: ArrayLike,
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    num_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """AUC of `scores_a` minus AUC of `scores_b` on the same rows, with a two-sided interval.

    Paired: what the two have in common (hard rows, luck of the sample) cancels. Without `groups`
    the interval is DeLong's normal one; with them the percentile interval of a bootstrap that draws
    G groups with replacement, the same ones for both columns. Arguments as in `auc_interval`.
    """
    truth_N, scores_MN = _checked(labels, scores_a, scores_b)
    if groups is None:
        auc_M, covariance_MM = delong(truth_N, scores_MN)
        return _normal(float(auc_M[0] - auc_M[1]), _variance_of_difference(covariance_MM), level)
    resampled_RM = _cluster_bootstrap(truth_N, scores_MN, groups, num_resamples, seed)
    estimate = _auc(truth_N, scores_MN[0]) - _auc(truth_N, scores_MN[1])
    return _percentile(estimate, resampled_RM[:, 0] - resampled_RM[:, 1], level)


def paired_auc_p_value(labels: ArrayLike, scores_a: ArrayLike, scores_b: ArrayLike) -> float:
    """DeLong's two-sided test of equal AUCs on the same rows (DeLong et al. 1988, eq. 7).

    1.0 for scores that order every pair alike.
    """
    auc_M, covariance_MM = delong(*_checked(labels, scores_a, scores_b))
    variance = _variance_of_difference(covariance_MM)
    if variance <= 0:
        return 1.0 if auc_M[0] == auc_M[1] else 0.0
    return float(2 * NormalDist().cdf(-abs(auc_M[0] - auc_M[1]) / variance**0.5))


def delong(labels: ArrayLike, scores_MN: ArrayLike) -> tuple[Floats, Floats]:
    """The AUCs [M] of M score columns on the same rows, and their covariance matrix [M, M].

    DeLong, DeLong & Clarke-Pearson 1988, in O(M N log N) as in Sun & Xu 2014: a row's placement
    among the rows of the other class is read off sorted scores, ties counted half.
    ValueError unless both classes are there, at least two rows each.
    """
    truth_N, scores = _checked(labels, *np.atleast_2d(np.asarray(scores_MN, dtype=np.float64)))
    num_positive, num_negative = int(truth_N.sum()), int((~truth_N).sum())
    if min(num_positive, num_negative) < 2:
        raise ValueError("the variance of an AUC needs two positives and two negatives")
    pairs = [(row_N[truth_N], row_N[~truth_N]) for row_N in scores]
    won_MP = np.stack([_share_below(negative, positive) for positive, negative in pairs])
    lost_MQ = np.stack([_share_below(positive, negative) for positive, negative in pairs])
    # np.cov of one row is a scalar: atleast_2d
    covariance_MM = np.atleast_2d(np.cov(won_MP)) / num_positive
    covariance_MM = covariance_MM + np.atleast_2d(np.cov(lost_MQ)) / num_negative
    return won_MP.mean(axis=1), covariance_MM


# ---- the parts -----------------------------------------------------------------------------


def _share_below(others: Floats, values: Floats) -> Floats:
    """For each value the share of `others` below it, ties counted half."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, values, side="left")
    not_above = np.searchsorted(ordered, values, side="right")
    return (below + not_above) / (2.0 * len(others))


def _auc(truth_N: NDArray[np.bool_], scores_N: Floats) -> float:
    return float(_share_below(scores_N[~truth_N], scores_N[truth_N]).mean())


def _variance_of_difference(covariance_MM: Floats) -> float:
    return float(covariance_MM[0, 0] + covariance_MM[1, 1] - 2 * covariance_MM[0, 1])


class _WeightedAuc:
    """The AUC of one score column under changing row weights: sorts once, then O(N) a call."""

    def __init__(self, truth_N: NDArray[np.bool_], scores_N: Floats) -> None:
        positive_P, negative_Q = np.flatnonzero(truth_N), np.flatnonzero(~truth_N)
        self._negative_Q = negative_Q[np.argsort(scores_N[negative_Q], kind="stable")]
        # positives in order too: the look-ups below then walk through memory
        self._positive_P = positive_P[np.argsort(scores_N[positive_P], kind="stable")]
        ordered_Q = scores_N[self._negative_Q]
        self._below_P = np.searchsorted(ordered_Q, scores_N[self._positive_P], side="left")
        self._not_above_P = np.searchsorted(ordered_Q, scores_N[self._positive_P], side="right")

    def __call__(self, weights_N: Floats) -> float:
        """NaN if all the weight lies on one class."""
        weights_P = weights_N[self._positive_P]
        total_Q = np.concatenate(([0.0], np.cumsum(weights_N[self._negative_Q])))
        won_P = 0.5 * (total_Q[self._below_P] + total_Q[self._not_above_P])
        num_pairs = weights_P.sum() * total_Q[-1]
        return float(weights_P @ won_P / num_pairs) if num_pairs > 0 else float("nan")


def _cluster_bootstrap(
    truth_N: NDArray[np.bool_],
    scores_MN: Floats,
    groups: ArrayLike,
    num_resamples: int,
    seed: int,
) -> Floats:
    """AUCs [R, M] of resamples that draw groups with replacement; a row counts as often as its
    group was drawn. Resamples with one class only are left out.
    """
    names_G, group_N = np.unique(np.asarray(groups), return_inverse=True)
    if group_N.shape != truth_N.shape:
        raise ValueError(f"{group_N.size} groups for {truth_N.size} rows")
    num_groups = len(names_G)
    if num_groups < 2:
        raise ValueError("a bootstrap over groups needs two groups at least")
    rng = np.random.default_rng(seed)
    columns = [_WeightedAuc(truth_N, scores_N) for scores_N in scores_MN]
    resampled = []
    for _ in range(num_resamples):
        drawn = rng.integers(num_groups, size=num_groups)
        weights_N = np.bincount(drawn, minlength=num_groups).astype(np.float64)[group_N]
        resampled.append([column(weights_N) for column in columns])
    resampled_RM = np.array(resampled, dtype=np.float64).reshape(-1, len(columns))
    resampled_RM = resampled_RM[~np.isnan(resampled_RM).any(axis=1)]
    if len(resampled_RM) < 2:
        raise ValueError("too few resamples hold both classes; the groups are too few")
    return resampled_RM


def _normal(estimate: float, variance: float, level: float) -> Interval:
    error = max(variance, 0.0) ** 0.5  # rounding can leave -1e-20 for two equal columns
    reach = NormalDist().inv_cdf(0.5 + level / 2) * error
    return Interval(
        estimate=estimate, low=estimate - reach, high=estimate + reach, standard_error=error
    )


def _percentile(estimate: float, resampled_R: Floats, level: float) -> Interval:
    low, high = np.quantile(resampled_R, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(
        estimate=estimate,
        low=float(low),
        high=float(high),
        standard_error=float(resampled_R.std(ddof=1)),
    )


def _checked(labels: ArrayLike, *scores: ArrayLike) -> tuple[NDArray[np.bool_], Floats]:
    """Labels as booleans [N] and scores as one matrix [M, N]."""
    labels_N = np.asarray(labels)
    scores_MN = np.stack([np.asarray(column, dtype=np.float64) for column in scores])
    if labels_N.ndim != 1 or scores_MN.shape[1:] != labels_N.shape:
        raise ValueError(f"labels {labels_N.shape} and scores {scores_MN.shape[1:]} must match")
    if not np.isin(labels_N, (0, 1)).all():
        raise ValueError("labels must be 0 or 1; leave rows without a label out")
    if not np.isfinite(scores_MN).all():
        raise ValueError("scores must be finite")
    truth_N = labels_N.astype(bool)
    if truth_N.all() or not truth_N.any():
        raise ValueError("an AUC needs positives and negatives")
    return truth_N, scores_MN
