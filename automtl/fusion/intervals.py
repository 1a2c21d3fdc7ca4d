"""How sure we can be of a metric of an order, and of what one order leads another by.

Of an AUC as in `analysis.estimates`, the model held fixed and rows clustered by group. Of a mean
over groups: a bootstrap over the groups.

Shapes: N rows, G groups, R resamples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from automtl.analysis.estimates import Estimate, compare, estimate
from automtl.analysis.interval import Interval
from automtl.fusion.ranking import Judge

__all__ = ["NUM_RESAMPLES", "lead", "mean_interval", "metric_interval"]

Floats = NDArray[np.float64]

NUM_RESAMPLES = 1000
LEVEL = 0.95


def metric_interval(judge: Judge, scores_N: Floats, *, seed: int = 0) -> Interval:
    """The metric of an order, with its 95 % interval; ValueError where it cannot be known."""
    if judge.metric.kind != "auc":
        return mean_interval(judge.by_group(scores_N), seed=seed)
    return _known(_auc(judge, scores_N).rows)


def lead(judge: Judge, scores_N: Floats, others_N: Floats, *, seed: int = 0) -> Interval:
    """The metric of `scores_N` minus that of `others_N` on the same rows, with its interval.

    Paired: what both orders err on alike cancels. ValueError as above.
    """
    if judge.metric.kind != "auc":
        return mean_interval(judge.by_group(scores_N) - judge.by_group(others_N), seed=seed)
    return _known(compare(_auc(judge, scores_N), _auc(judge, others_N)).rows)


def _auc(judge: Judge, scores_N: Floats) -> Estimate:
    found = estimate(
        "auc",
        labels_J=judge.truth.happened_N,
        scores_SJ=_ranks(scores_N)[None],
        groups_J=judge.truth.groups_N,
    )
    assert found is not None, "the event varies: `open_sides` has seen to it"
    return found


def _known(interval: Interval | None) -> Interval:
    if interval is None:
        raise ValueError("it takes two groups or rows with the event, and two without")
    return interval


def mean_interval(
    values_G: Floats, *, num_resamples: int = NUM_RESAMPLES, seed: int = 0
) -> Interval:
    """The mean of a number a group, and the percentile interval of a bootstrap over the groups."""
    rng = np.random.default_rng(seed)
    num_groups = len(values_G)
    means_R = np.empty(num_resamples)
    for index in range(num_resamples):
        means_R[index] = values_G[rng.integers(num_groups, size=num_groups)].mean()
    low, high = np.quantile(means_R, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Interval(
        estimate=float(values_G.mean()),
        low=float(low),
        high=float(high),
        standard_error=float(means_R.std(ddof=1)),
    )


def _ranks(scores_N: Floats) -> Floats:
    """The same order as finite numbers: a score of 0 has the logarithm -inf."""
    return np.unique(scores_N, return_inverse=True)[1].astype(np.float64)
