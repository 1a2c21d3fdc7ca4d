"""What retraining shows of a metric: its mean over seeds, how sure that is, and who is better.

The quantity in question is the metric that a configuration is EXPECTED to have: over training
seeds, on the population that the test rows' clusters (users) were drawn from. Two things keep us
from it, and both are in `total`: only S seeds were trained, and only these users were seen.

Differences are in the metric's own units, first less second; which sign is better is the caller's
business (`config.METRICS`). Costs that do not depend on rows (`params`) have no place here.

Shapes: J rows, S seeds, G clusters (`clusters.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from automtl.analysis.clusters import Clusters
from automtl.analysis.influence import Influence, influence
from automtl.analysis.interval import LEVEL, Interval, student_interval, two_sided_p

__all__ = ["Difference", "Estimate", "compare", "estimate", "holm", "seed_interval", "summarise"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimate:
    """One metric of one configuration: by seed, and its mean with three intervals.

    `seeds`: rows held fixed, other seeds (None for one seed). `rows`: models held fixed, other rows
    (None with fewer than two clusters on a side). `total`: both (None unless both are known).
    `moves_G` are what the clusters move the mean by (None where `rows` is), `shared` the variance
    that `seeds` and `rows` both hold: for `compare`.
    """

    metric: str
    values: tuple[float, ...]
    mean: float
    seeds: Interval | None
    rows: Interval | None
    total: Interval | None
    clusters: Clusters = field(repr=False)
    moves_G: Floats | None = field(repr=False)
    shared: float = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Mean of one configuration less mean of another, on the same rows.

    `rows`: models held fixed. `total` and `p_value`: seeds too; None where either has one seed or
    a side fewer than two clusters.
    """

    difference: float
    rows: Interval | None
    total: Interval | None
    p_value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A variance and the degrees of freedom it was estimated with."""

    variance: float
    degrees: float


def estimate(
    metric: str,
    *,
    labels_J: ArrayLike,
    scores_SJ: ArrayLike,
    groups_J: ArrayLike | None = None,
    level: float = LEVEL,
) -> Estimate | None:
    """The mean over seeds of `metric` on the rows given; None where it is not defined.

    Arguments as in `influence`, and which rows are drawn together, as in `Clusters.of`; ValueError
    as there.
    """
    found = influence(metric, labels_J=labels_J, scores_SJ=scores_SJ)
    return None if found is None else summarise(found, groups_J=groups_J, level=level)


def summarise(
    found: Influence, *, groups_J: ArrayLike | None = None, level: float = LEVEL
) -> Estimate:
    """The mean over seeds and its intervals.

    The total variance is s² / S + r - w: s² the variance of the metric between seeds, r that of the
    mean's row influences, clustered by `groups_J`. What a seed and a row do only together (this
    training errs on that user) is in both s² / S and r; w, the variance of the influences between
    seeds over S, takes it out of one, so that r - w is the mean covariance of two different seeds.
    Degrees of freedom: Welch-Satterthwaite.
    """
    clusters = Clusters.of(found.sides_J, groups_J=groups_J)
    moves_SG = moves_G = None
    if clusters.degrees is not None:
        moves_SG = np.stack([clusters.moves(rows_J) for rows_J in found.rows_SJ])
        moves_G = moves_SG.mean(axis=0)
    shared = _shared(moves_SG)
    values = tuple(found.values_S.tolist())
    mean = float(found.values_S.mean())
    of_seeds, of_rows = _seed_part(values), _row_part(moves_G, clusters)
    return Estimate(
        metric=found.metric,
        values=values,
        mean=mean,
        seeds=_interval(mean, [of_seeds], level),
        rows=_interval(mean, [of_rows], level),
        total=_interval(mean, [of_seeds, _less(of_rows, shared)], level),
        clusters=clusters,
        moves_G=moves_G,
        shared=shared,
    )


def compare(first: Estimate, second: Estimate, *, level: float = LEVEL) -> Difference:
    """`first` less `second`, paired by rows: what both models err on alike cancels.

    Their seeds are independent, so each has its own seed variance; the row variance is that of the
    difference of their influences. The test is Student's with Welch-Satterthwaite's degrees of
    freedom, two-sided; identical models have p = 1. ValueError unless metric and rows are the same.
    """
    if first.metric != second.metric:
        raise ValueError(f"{first.metric} and {second.metric}: compare the same metric")
    if not np.array_equal(first.clusters.num_rows_DG, second.clusters.num_rows_DG):
        raise ValueError(f"{first.metric}: the two are on different rows; score the same ones")
    difference = first.mean - second.mean
    moves_G = (
        None if first.moves_G is None or second.moves_G is None else first.moves_G - second.moves_G
    )
    of_rows = _row_part(moves_G, first.clusters)
    rest = _less(of_rows, first.shared + second.shared)
    parts = [_seed_part(first.values), _seed_part(second.values), rest]
    pooled = _pooled(parts)
    return Difference(
        difference=difference,
        rows=_interval(difference, [of_rows], level),
        total=_interval(difference, parts, level),
        p_value=None
        if pooled is None
        else two_sided_p(
            difference, standard_error=math.sqrt(pooled.variance), degrees=pooled.degrees
        ),
    )


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's adjusted p-values, in the order given: below α, at most a share α of families errs.

    The k-th smallest of m is multiplied by m - k + 1, and none is below a smaller one's
    (Holm, Scand. J. Statist. 6, 1979). ValueError unless all are in [0, 1].
    """
    for p_value in p_values:
        if not 0 <= p_value <= 1:
            raise ValueError(f"{p_value} is no p-value; leave out what could not be tested")
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return tuple(adjusted)


def seed_interval(values: Sequence[float], *, level: float = LEVEL) -> Interval | None:
    """Student's interval of the mean over seeds, the rows held fixed; None for one seed."""
    return _interval(float(np.mean(values)), [_seed_part(values)], level)


# ---- the parts of a variance ---------------------------------------------------------------


def _seed_part(values: Sequence[float]) -> _Part | None:
    """Of the mean over seeds; None for one seed."""
    if len(values) < 2:
        return None
    variance = float(np.var(values, ddof=1)) / len(values)
    return _Part(variance=variance, degrees=len(values) - 1)


def _row_part(moves_G: Floats | None, clusters: Clusters) -> _Part | None:
    degrees = clusters.degrees
    if moves_G is None or degrees is None:
        return None
    return _Part(variance=float(moves_G @ moves_G), degrees=degrees)


def _shared(moves_SG: Floats | None) -> float:
    """What the row variance of a mean over seeds owes to S being small: the variance of the moves
    between seeds, over S, added up over clusters. 0 for one seed."""
    if moves_SG is None or len(moves_SG) < 2:
        return 0.0
    return float(moves_SG.var(axis=0, ddof=1).sum()) / len(moves_SG)


def _less(part: _Part | None, variance: float) -> _Part | None:
    """Not below 0, where the little that is left is estimated too low."""
    if part is None:
        return None
    return replace(part, variance=max(0.0, part.variance - variance))


def _pooled(parts: Sequence[_Part | None]) -> _Part | None:
    """The sum of independent variances (Satterthwaite 1946); None if one is not known."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    variance = sum(part.variance for part in known)
    if variance == 0:
        return _Part(variance=0.0, degrees=min(part.degrees for part in known))
    shares = [(part.variance / variance, part.degrees) for part in known]
    degrees = 1 / sum(share**2 / degrees for share, degrees in shares)
    return _Part(variance=variance, degrees=degrees)


def _interval(mean: float, parts: Sequence[_Part | None], level: float) -> Interval | None:
    pooled = _pooled(parts)
    if pooled is None:
        return None
    return student_interval(
        mean, standard_error=math.sqrt(pooled.variance), degrees=pooled.degrees, level=level
    )
