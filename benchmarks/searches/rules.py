"""Stopping rules for replays, by name, and what of a recorded curve each of them sees.

Shapes: N trials, R rungs, M objectives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from curves import Curve

from automtl import pareto
from automtl.config import Objective
from automtl.search.rungs import judge
from searches.replay import Pool, Rule
from searches.result import losses

__all__ = ["NONE", "RULES", "StoppingRule", "make_pool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppingRule:
    """Judges at `shares` of a trial's epochs; `kind` is `none`, `ours`, `first` (as ours, by the
    first objective alone), `front` (as ours, but nobody on the front stops), or a variant of Syne
    Tune's MOASHA: `shipped`, or `published`."""

    kind: str
    shares: tuple[float, ...] = ()
    eta: int = 3

    def start(self, pool: Pool) -> Rule:
        """For one search. Those of Syne Tune run in its own environment (`peers/moasha.py`)."""
        assert self.kind in ("none", "ours", "first", "front")
        columns = slice(1) if self.kind == "first" else slice(None)
        seen: list[list[int]] = [[] for _ in self.shares]

        def goes_on(trial: int, rung: int) -> bool:
            seen[rung].append(trial)
            table_NM = pool.losses_NRM[seen[rung], rung, columns]
            feasible_N = np.zeros(len(table_NM))
            if self.kind == "front" and pareto.layers(table_NM)[-1] == 0:
                return True
            return judge(table_NM, feasible_N, newcomer=-1, eta=self.eta).goes_on

        return goes_on


NONE = "no stopping"
RULES: Mapping[str, StoppingRule] = {
    NONE: StoppingRule(kind="none"),
    "ours, 1/9 1/3": StoppingRule(kind="ours", shares=(1 / 9, 1 / 3)),
    "ours, 1/27 1/9 1/3": StoppingRule(kind="ours", shares=(1 / 27, 1 / 9, 1 / 3)),
    "ours, 1/3": StoppingRule(kind="ours", shares=(1 / 3,)),
    "ours, 1/9": StoppingRule(kind="ours", shares=(1 / 9,)),
    "ours, eta 4, 1/16 1/4": StoppingRule(kind="ours", shares=(1 / 16, 1 / 4), eta=4),
    "ours, eta 2, 1/8 1/4 1/2": StoppingRule(kind="ours", shares=(1 / 8, 1 / 4, 1 / 2), eta=2),
    "the front goes on, 1/9 1/3": StoppingRule(kind="front", shares=(1 / 9, 1 / 3)),
    "ASHA, first metric, 1/9 1/3": StoppingRule(kind="first", shares=(1 / 9, 1 / 3)),
    "MOASHA as shipped, 1/9 1/3": StoppingRule(kind="shipped", shares=(1 / 9, 1 / 3)),
    "MOASHA as shipped, 1/27 1/9 1/3": StoppingRule(kind="shipped", shares=(1 / 27, 1 / 9, 1 / 3)),
    "MOASHA as published, 1/9 1/3": StoppingRule(kind="published", shares=(1 / 9, 1 / 3)),
    "MOASHA as published, 1/27 1/9 1/3": StoppingRule(
        kind="published", shares=(1 / 27, 1 / 9, 1 / 3)
    ),
}


def make_pool(
    curves: Sequence[Curve], objectives: Sequence[Objective], shares: Sequence[float]
) -> Pool:
    """What trials show at `shares` and at their end, and when: training, and one evaluation for
    each time they are judged. Between recorded rungs metrics are linear in log(share)."""
    at = [*shares, 1.0]
    known = np.array([point.share for point in curves[0].points])
    values_NPM = np.array(
        [losses([point.metrics for point in curve.points], objectives) for curve in curves]
    )
    arrival_NP = np.array([[point.cpu_s for point in curve.points] for curve in curves])
    evaluation_N1 = np.array([[curve.evaluation_s] for curve in curves])
    trained_NP = arrival_NP - evaluation_N1 * np.arange(1, len(known) + 1)
    losses_NRM = np.array(
        [
            [np.interp(np.log(at), np.log(known), curve_P) for curve_P in values_PM.T]
            for values_PM in values_NPM
        ]
    ).transpose(0, 2, 1)
    trained_NR = np.array([np.interp(at, known, trained_P) for trained_P in trained_NP])
    arrival_NR = trained_NR + evaluation_N1 * np.arange(1, len(at) + 1)
    return Pool(losses_NRM=losses_NRM, arrival_NR=np.maximum.accumulate(arrival_NR, axis=1))
