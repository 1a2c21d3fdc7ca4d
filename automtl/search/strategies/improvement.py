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
import torch
from torch import Tensor

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
    mean_MC: Tensor, std_MC: Tensor, low_KM: Tensor, high_KM: Tensor
) -> Tensor:
    """gain_C: the expected hypervolume that each candidate adds."""
    gain_CK = torch.ones((), dtype=torch.float64)
    for m in range(len(mean_MC)):
        edges, place_2K = torch.unique(
            torch.stack([low_KM[:, m], high_KM[:, m]]), return_inverse=True
        )
        z_CU = (edges[None, :] - mean_MC[m][:, None]) / std_MC[m][:, None]
        density_CU = torch.exp(-0.5 * z_CU.square()) / math.sqrt(2 * math.pi)
        below_CU = std_MC[m][:, None] * (z_CU * torch.special.ndtr(z_CU) + density_CU)
        below_CU = torch.where(torch.isinf(z_CU), 0.0, below_CU)  # the edge at -inf
        gain_CK = gain_CK * (below_CU[:, place_2K[1]] - below_CU[:, place_2K[0]])
    return gain_CK.sum(-1)
