"""What is expected of points: by Gaussian processes of training, exactly of what the knobs say.

A model's size need not be learnt from models that were trained, and early in a search, which has
seen ten of them, it is not known well enough by a process.

Shapes: N evaluations, R points that are believed, C candidates, D knobs, M objectives, L those that
are learnt, K those that are known, E columns of the embedding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from automtl.search.strategies.base import Known, Told
from automtl.search.strategies.points import Points
from automtl.search.strategies.process import Process

__all__ = ["Expectation", "Facts", "Scale", "rows_of"]

Floats = npt.NDArray[np.float64]

UNIT_SHARE = 1 / 27  # of the training: this and its end are as far apart as the ends of a knob
CERTAIN = 1e-9  # a standard deviation


class Scale:
    """To mean 0 and variance 1, an objective at a time."""

    def __init__(self, values_NM: Floats) -> None:
        spread_M = values_NM.std(axis=0)
        self.mean_M = values_NM.mean(axis=0)
        self.spread_M = np.where(spread_M > 0, spread_M, 1.0)

    def apply(self, values_NM: Floats) -> Floats:
        scaled_NM: Floats = (values_NM - self.mean_M) / self.spread_M
        return scaled_NM


def rows_of(points: Points, units_ND: Floats, share_N: Floats | None = None) -> Floats:
    """rows_NE: where points lie, and how far they are trained (None: to the end) by the logarithm:
    0 at the end and 1 at `UNIT_SHARE`."""
    share_N = np.ones(len(units_ND)) if share_N is None else share_N
    trained_N1 = np.log(share_N)[:, None] / math.log(UNIT_SHARE)
    return np.hstack([points.embedded(units_ND), trained_N1])


class Facts:
    """What is `known` of points; what was asked for once is remembered."""

    def __init__(self, known: Known | None) -> None:
        self.objectives = [] if known is None else list(known.objectives)
        self._known = known
        self._found: dict[tuple[str, bytes], Told] = {}

    def __call__(self, points: Points, units_CD: Floats) -> tuple[Floats, Floats]:
        """losses_CK, and effort_C; 1 where nothing is known."""
        if self._known is None:
            return np.empty((len(units_CD), 0)), np.ones(len(units_CD))
        knobs = [d for d, name in enumerate(points.names) if name in self._known.knobs]
        pins = repr(sorted(points.pins.items()))
        keys = [(pins, row.tobytes()) for row in np.round(units_CD[:, knobs], 9) + 0.0]
        for key, units_D in zip(keys, units_CD, strict=True):
            if key not in self._found:
                self._found[key] = self._known.tell(points.values(units_D))
        told = [self._found[key] for key in keys]
        return np.array([one.losses for one in told]), np.array([one.effort for one in told])


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """mean_MC and std_MC of the scaled losses of points, and the effort_C of training them;
    `process` is of the objectives `learnt`.

    No loss that is known counts as more than its ceiling, as none that was seen does.
    """

    points: Points
    process: Process
    learnt: list[int]
    facts: Facts
    scale: Scale
    ceiling_M: Floats

    def __call__(self, units_CD: Floats) -> tuple[Floats, Floats, Floats]:
        shape = len(self.scale.mean_M), len(units_CD)
        mean_MC, std_MC = np.empty(shape), np.full(shape, CERTAIN)
        mean_MC[self.learnt], std_MC[self.learnt] = self.process(rows_of(self.points, units_CD))
        known, scale = self.facts.objectives, self.scale
        known_CK, effort_C = self.facts(self.points, units_CD)
        known_CK = np.minimum(known_CK, self.ceiling_M[known])
        mean_MC[known] = ((known_CK - scale.mean_M[known]) / scale.spread_M[known]).T
        return mean_MC, std_MC, effort_C

    def believing(self, units_RD: Floats) -> tuple[Expectation, Floats]:
        """What is expected once these points have come to what is expected of them now, mean_MR."""
        mean_MR, _, _ = self(units_RD)
        process = self.process.given(rows_of(self.points, units_RD), mean_MR[self.learnt])
        return replace(self, process=process), mean_MR
