"""Trade-offs between objectives: losses, dominance, fronts, hypervolume, the knee.

`to_losses` is the only place where signs change. After it, smaller is better everywhere.

Shapes: N points, M objectives, F points of a front or layer, U distinct
ones, W weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from automtl.config import MEASURED_COSTS, Objective

__all__ = [
    "contributions",
    "dominates",
    "front_order",
    "gain",
    "hypervolume",
    "hypervolume_trace",
    "knee",
    "layers",
    "pareto_front",
    "reference_point",
    "to_losses",
    "to_value",
]

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_MAX_WEIGHTS = 1_500  # of the knee's lattice: 1,499 steps for 2 objectives, 53 for 3, 18 for 4
_MEASURED_FLOOR = 1e-3  # of latency_ms: a microsecond
_TIE = 1e-9  # two knees whose marginal utilities differ by less are a tie


def to_losses(values_NM: npt.ArrayLike, objectives: Sequence[Objective]) -> Floats:
    """Values in native units, one column an objective, as losses_NM: smaller is better.

    A metric to maximize is negated; a cost of the model counts in powers of ten, so that 1 M
    against 2 M parameters weighs as much as 10 M against 20 M. What is counted is at least 1, and
    what is measured (a latency in ms) at least 0.001: nothing less can be told from noise.
    Raises ValueError for a value that is not finite: such a trial has failed.
    """
    losses_NM = np.array(values_NM, dtype=np.float64).reshape(-1, len(objectives))
    if not np.isfinite(losses_NM).all():
        raise ValueError("an objective is NaN or infinite: a trial with such a value has failed")
    for column, objective in enumerate(objectives):
        if objective.task is None:
            floor = _MEASURED_FLOOR if objective.metric in MEASURED_COSTS else 1.0
            losses_NM[:, column] = np.log10(np.maximum(losses_NM[:, column], floor))
        if objective.direction == "maximize":
            losses_NM[:, column] *= -1.0
    return losses_NM


def gain(objective: Objective, difference: float) -> float:
    """A difference of two values of a task's metric with + for better."""
    assert objective.task is not None
    return -float(to_losses([[difference]], [objective])[0, 0])


def to_value(loss: float, objective: Objective) -> float:
    """The inverse of `to_losses` for one value."""
    if objective.task is None:
        return float(10.0**loss)
    return float(loss if objective.direction == "minimize" else -loss)


def dominates(a_M: npt.ArrayLike, b_M: npt.ArrayLike) -> bool:
    """Whether losses `a_M` are no worse than `b_M` everywhere and better somewhere."""
    a, b = np.asarray(a_M), np.asarray(b_M)
    return bool((a <= b).all() and (a < b).any())


def pareto_front(losses_NM: Floats) -> Mask:
    """mask_N of the points that no other point dominates; equal points stand or fall together."""
    if len(losses_NM) == 0:
        return np.zeros(0, dtype=np.bool_)
    import moocore  # here, below too: who only reads values does not wait for it

    front_N: Mask = moocore.is_nondominated(losses_NM, keep_weakly=True)
    return front_N


def front_order(losses_NM: Floats) -> list[int]:
    """The members of the front, best in the first objective first; of equal ones the earlier."""
    members = np.flatnonzero(pareto_front(losses_NM)).tolist()
    return sorted(members, key=lambda i: (*losses_NM[i], i))


def layers(losses_NM: Floats) -> npt.NDArray[np.int64]:
    """layer_N: 0 for the front, 1 for the front of the rest, and so on; equal points share one
    (Goldberg 1989, non-dominated sorting)."""
    layer_N: npt.NDArray[np.int64] = np.zeros(len(losses_NM), dtype=np.int64)
    if len(losses_NM):
        import moocore

        layer_N[:] = moocore.pareto_rank(losses_NM)
    return layer_N


def contributions(layer_FM: Floats) -> Floats:
    """contribution_F: the hypervolume that is lost with each point of one layer, to that layer's
    own reference point; equal points all have the contribution of one. Independent of the order."""
    distinct_UM, place_F = np.unique(layer_FM, axis=0, return_inverse=True)
    if len(distinct_UM) < 2 or layer_FM.shape[1] < 2:
        return np.ones(len(layer_FM))  # one objective: all points of a layer are equal
    import moocore

    lost_U = moocore.hv_contributions(distinct_UM, ref=reference_point(distinct_UM))
    lost_F: Floats = lost_U[place_F.reshape(-1)]
    return lost_F


def reference_point(losses_NM: Floats) -> Floats:
    """ref_M: the nadir of the front plus a tenth of the front's range (Ishibuchi et al. 2011).

    Compute it once a study, over all its points, and use it for every prefix. Where the front has
    no range in an objective, the range over all points counts; where these have none, 1.
    Raises ValueError without a point.
    """
    if len(losses_NM) == 0:
        raise ValueError("no reference point without a point")
    front_FM = losses_NM[pareto_front(losses_NM)]
    range_M = np.ptp(front_FM, axis=0)
    range_M = np.where(range_M > 0, range_M, np.ptp(losses_NM, axis=0))
    range_M = np.where(range_M > 0, range_M, 1.0)
    ref_M: Floats = front_FM.max(axis=0) + 0.1 * range_M
    return ref_M


def hypervolume(losses_NM: Floats, ref_M: Floats) -> float:
    """The volume between the points and the reference point; points beyond it add nothing."""
    inside_N = (losses_NM < ref_M).all(axis=1)
    if not inside_N.any():
        return 0.0
    import moocore

    return float(moocore.hypervolume(losses_NM[inside_N], ref=ref_M))


def hypervolume_trace(losses_NM: Floats, ref_M: Floats) -> Floats:
    """hypervolume_N: entry n is the hypervolume of points 0..n, all to the same reference point."""
    trace_N = np.zeros(len(losses_NM))
    front_FM = losses_NM[:0]
    volume = 0.0
    for n, loss_M in enumerate(losses_NM):
        if not (front_FM <= loss_M).all(axis=1).any():
            front_FM = np.vstack([front_FM[~(loss_M <= front_FM).all(axis=1)], loss_M])
            # the maximum is against rounding: a volume never shrinks
            volume = max(volume, hypervolume(front_FM, ref_M))
        trace_N[n] = volume
    return trace_N


def knee(front_FM: Floats) -> int:
    """The index of the point of a front that one would miss most: a suggestion, not "the best".

    It is the point of greatest expected marginal utility (Branke et al. 2004, "Finding knees in
    multi-objective optimization"). Losses are first scaled to [0, 1] over the front. A user with
    weights w_M picks the point of least weighted sum; what is lost without it, the distance to
    the next best sum, is its marginal utility. It is averaged over users, here a lattice of
    weights, so the answer is deterministic and does not change with the units of an objective.
    No weight is below 1/(2M): who asks for a compromise cares about every objective, and with all
    weights the ends of a front would nearly always win. Equal points count as one. Of two points
    the one with the smaller scaled sum is taken. Ties go to the first. Raises ValueError without
    a point.
    """
    if len(front_FM) == 0:
        raise ValueError("no knee without a point")
    range_M = np.ptp(front_FM, axis=0)
    scaled_FM = (front_FM - front_FM.min(axis=0)) / np.where(range_M > 0, range_M, 1.0)
    _, first_U = np.unique(scaled_FM, axis=0, return_index=True)
    first_U = np.sort(first_U)
    distinct_UM = scaled_FM[first_U]
    if len(distinct_UM) <= 2:
        merit_U = -distinct_UM.sum(axis=1)
    else:
        utility_WU = _weights(distinct_UM.shape[1]) @ distinct_UM.T
        best_W = utility_WU.argmin(axis=1)
        two_W2 = np.partition(utility_WU, 1, axis=1)[:, :2]
        missed_W = two_W2[:, 1] - two_W2[:, 0]
        merit_U = np.bincount(best_W, missed_W, minlength=len(distinct_UM)) / len(missed_W)
    return int(first_U[np.argmax(merit_U >= merit_U.max() - _TIE)])


def _weights(num_objectives: int) -> Floats:
    """weights_WM: a lattice of weights of at least 1/(2M) that sum to 1, as fine as W allows."""
    if num_objectives == 1:
        return np.ones((1, 1))
    steps = 1
    while math.comb(steps + num_objectives, num_objectives - 1) <= _MAX_WEIGHTS:
        steps += 1
    shares_WM = np.array(_compositions(steps, num_objectives), dtype=np.float64) / steps
    weights_WM: Floats = (shares_WM + 1 / num_objectives) / 2
    return weights_WM


def _compositions(total: int, parts: int) -> list[tuple[int, ...]]:
    """All ways to write `total` as a sum of `parts` non-negative integers, in order."""
    if parts == 1:
        return [(total,)]
    return [
        (first, *rest)
        for first in range(total + 1)
        for rest in _compositions(total - first, parts - 1)
    ]
