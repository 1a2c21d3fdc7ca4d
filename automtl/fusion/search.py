"""The values of a few positive parameters that make a function large, without gradients.

A cloud of evenly spread points around the best so far, smaller round by round. An AUC is a
staircase: methods that follow slopes stop on its steps, and a cloud does not. Nothing is drawn at
random: the same function gives the same answer.

Shapes: D parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["Found", "search", "three_digits"]

NUM_ROUNDS = 10
POINTS_A_ROUND = 12  # and as many more for each parameter
SHRINK = 0.6  # of the cloud's width, a round: the last one is 1 % of the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The best parameters, their value, and how many were tried."""

    parameters: Mapping[str, float]
    value: float
    num_tried: int


def search(function: Callable[[Mapping[str, float]], float], widths: Mapping[str, float]) -> Found:
    """The parameters, each between 1 / width and width, with the largest `function`.

    Looked for evenly in their logarithms, starting with all of them 1; of equal values the first
    stays. They have three significant digits, so that what is printed is what was measured.
    """
    best = dict.fromkeys(widths, 1.0)
    value, num_tried = function(best), 1
    if not widths:
        return Found(parameters=best, value=value, num_tried=num_tried)
    reach_D = np.log(list(widths.values()))
    center_D, cloud_D = np.zeros_like(reach_D), reach_D
    for _ in range(NUM_ROUNDS):
        for _ in range(POINTS_A_ROUND * (1 + len(widths))):
            point_D = center_D + cloud_D * (2 * _spread(num_tried, len(widths)) - 1)
            logs_D = np.clip(point_D, -reach_D, reach_D)
            tried = {
                name: three_digits(math.exp(log)) for name, log in zip(widths, logs_D, strict=True)
            }
            reached = function(tried)
            num_tried += 1
            if reached > value:
                best, value = tried, reached
        center_D = np.log(list(best.values()))
        cloud_D = cloud_D * SHRINK
    return Found(parameters=best, value=value, num_tried=num_tried)


def three_digits(value: float) -> float:
    """`value` with three significant digits."""
    return float(f"{value:.3g}")


def _spread(index: int, num_dims: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Point `index` of an evenly spread sequence in [0, 1)^D: Roberts' R_d, the golden ratio in D
    dimensions (2018, "The unreasonable effectiveness of quasirandom sequences").
    """
    ratio = 2.0
    for _ in range(60):  # the root of x^(D + 1) = x + 1
        ratio = (1 + ratio) ** (1 / (num_dims + 1))
    steps_D = ratio ** -np.arange(1.0, num_dims + 1)
    return np.asarray((0.5 + index * steps_D) % 1.0)
