"""How much hypervolume a candidate is expected to add to a front, exactly.

What no point of the front dominates is cut into boxes. The volume that a point y adds to the box
from l to u is the product over the objectives of (u - y)+ - (l - y)+, so for independent normal y
its expectation is a product of differences of expected improvements (Yang et al. 2019, "Efficient
computation of expected hypervolume improvement using box decomposition algorithms").

Shapes: F points of a front, K boxes, M objectives, C candidates.
"""

from __future__ import annotations

import itertools
import math

import moocore
import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from automtl.pareto import pareto_front

__all__ = ["MAX_BOXES", "boxes", "expected_improvement"]

Floats = npt.NDArray[np.float64]

MAX_BOXES = 600


def boxes(losses_NM: Floats, ref_M: Floats) -> tuple[Floats, Floats]:
    """low_KM and high_KM of boxes that tile what is below `ref_M` and not dominated by a point.

    A front of more than `MAX_BOXES` boxes loses the points of least hypervolume first.
    """
    inside_NM = losses_NM[(losses_NM < ref_M).all(axis=1)]
    front_FM = np.unique(inside_NM[pareto_front(inside_NM)], axis=0)
    while True:
        found = _tile(front_FM, ref_M)
        if len(found) <= MAX_BOXES:
            low_KM, high_KM = (np.array([box[side] for box in found]) for side in (0, 1))
            return low_KM, high_KM
        share_F = moocore.hv_contributions(front_FM, ref=ref_M)
        keep = np.sort(np.argsort(-share_F, kind="stable")[: int(0.8 * len(front_FM))])
        front_FM = front_FM[keep]


def _tile(front_FM: Floats, ref_M: Floats) -> list[tuple[list[float], list[float]]]:
    """Slices along the last objective, each tiled by the front of the points below it."""
    last = float(ref_M[-1])
    if len(ref_M) == 1:
        return [([-math.inf], [min([last, *front_FM[:, 0].tolist()])])]
    cuts = [-math.inf, *np.unique(front_FM[:, -1]).tolist(), last]
    found = []
    for low, high in itertools.pairwise(cuts):
        below = front_FM[front_FM[:, -1] <= low][:, :-1]
        below = below[pareto_front(below)]
        found += [([*a, low], [*b, high]) for a, b in _tile(below, ref_M[:-1])]
    return found


def expected_improvement(
    mean_MC: Floats, std_MC: Floats, low_KM: Floats, high_KM: Floats
) -> Floats:
    """gain_C: the expected hypervolume that each candidate adds."""
    gain_KC = np.ones((len(low_KM), mean_MC.shape[1]))
    for m, (mean_C, std_C) in enumerate(zip(mean_MC, std_MC, strict=True)):
        edges_U, place_2K = np.unique(np.stack([low_KM[:, m], high_KM[:, m]]), return_inverse=True)
        below_UC = _mean_below(edges_U, mean_C, std_C)
        gain_KC *= below_UC[place_2K[1]] - below_UC[place_2K[0]]
    gain_C: Floats = gain_KC.sum(axis=0)
    return gain_C


def _mean_below(edges_U: Floats, mean_C: Floats, std_C: Floats) -> Floats:
    """below_UC: by how much each candidate is expected to lie below each edge, 0 where it does
    not."""
    below_UC = np.zeros((len(edges_U), len(mean_C)))
    finite = np.isfinite(edges_U)  # the first edge may be at -inf
    z_UC = (edges_U[finite, None] - mean_C) / std_C
    density_UC = np.exp(-0.5 * np.square(z_UC)) / math.sqrt(2 * math.pi)
    below_UC[finite] = std_C * (z_UC * ndtr(z_UC) + density_UC)
    return below_UC
