"""Stopping rules for replays, by name, and what of a recorded curve each of them sees.

Shapes: N trials, R rungs, M objectives.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from curves import Curve

from automtl import pareto
from automtl.config import Objective, TrialConfig
from automtl.search.rungs import judge
from searches.replay import Pool, Rule
from searches.result import losses

__all__ = ["NONE", "RULES", "StoppingRule", "make_pool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppingRule:
    """Judges at `shares` of a trial's epochs; `kind` is `none`, `ours`, `first` (as ours, by the
    first objective alone), `front` (as ours, but nobody on the front stops), `predicted` (as ours,
    by the ends that a regression expects), `predicted, front` (both), or a variant of Syne Tune's
    MOASHA: `shipped`, or `published`."""

    kind: str
    shares: tuple[float, ...] = ()
    eta: int = 3

    def start(self, pool: Pool) -> Rule:
        """For one search. Those of Syne Tune run in its own environment (`peers/moasha.py`)."""
        assert self.kind not in ("shipped", "published")
        columns = slice(1) if self.kind == "first" else slice(None)
        seen: list[list[int]] = [[] for _ in [*self.shares, 1.0]]

        def goes_on(trial: int, rung: int) -> bool:
            seen[rung].append(trial)
            if rung == len(self.shares):
                return False
            table_NM = pool.losses_NRM[seen[rung], rung, columns]
            if self.kind.startswith("predicted") and len(seen[-1]) >= MIN_FINISHED:
                table_NM = predicted(pool, seen[rung], rung, finished=seen[-1])
            if self.kind.endswith("front") and pareto.layers(table_NM)[-1] == 0:
                return True
            feasible_N = np.zeros(len(table_NM))
            return judge(table_NM, feasible_N, newcomer=-1, eta=self.eta).goes_on

        return goes_on


def predicted(pool: Pool, trials: list[int], rung: int, *, finished: list[int]) -> pareto.Floats:
    """What `trials` will have at their end: a ridge regression on their losses at `rung` and their
    knobs, over the trials that have finished. Losses that never change are as they are."""
    assert pool.knobs_ND is not None
    moves_M = np.ptp(pool.losses_NRM, axis=1).max(axis=0) > 0
    inputs_ND = np.hstack([pool.losses_NRM[:, rung, moves_M], pool.knobs_ND])
    known_KD, targets_KM = inputs_ND[finished], pool.losses_NRM[finished, -1][:, moves_M]
    mean_D, scale_D = known_KD.mean(axis=0), known_KD.std(axis=0)
    scale_D = np.where(scale_D > 0, scale_D, np.inf)
    known_KD = (known_KD - mean_D) / scale_D
    center_M = targets_KM.mean(axis=0)
    weights_DM = np.linalg.solve(
        known_KD.T @ known_KD + RIDGE * np.eye(len(scale_D)),
        known_KD.T @ (targets_KM - center_M),
    )
    losses_NM = pool.losses_NRM[trials, -1].copy()
    losses_NM[:, moves_M] = (inputs_ND[trials] - mean_D) / scale_D @ weights_DM + center_M
    return losses_NM


def knobs(config: TrialConfig) -> list[float]:
    """What of a configuration decides how fast it learns, as numbers."""
    model, train = config.model, config.train
    return [
        math.log(train.lr),
        math.log(train.embedding_lr),
        sum(map(math.log, train.loss_weights.values())),
        float(train.weighting == "uncertainty"),
        float(model.dependency == "esmm"),
        model.dropout,
        math.log(model.embedding_dim),
    ]


MIN_FINISHED = 8  # before ends are predicted
RIDGE = 3.0
NONE = "no stopping"
RULES: Mapping[str, StoppingRule] = {
    NONE: StoppingRule(kind="none"),
    "ours, 1/9 1/3": StoppingRule(kind="ours", shares=(1 / 9, 1 / 3)),
    "ours, 1/27 1/9 1/3": StoppingRule(kind="ours", shares=(1 / 27, 1 / 9, 1 / 3)),
    "ours, 1/27": StoppingRule(kind="ours", shares=(1 / 27,)),
    "ours, 1/3": StoppingRule(kind="ours", shares=(1 / 3,)),
    "ours, 1/9": StoppingRule(kind="ours", shares=(1 / 9,)),
    "ours, eta 4, 1/16 1/4": StoppingRule(kind="ours", shares=(1 / 16, 1 / 4), eta=4),
    "ours, eta 2, 1/8 1/4 1/2": StoppingRule(kind="ours", shares=(1 / 8, 1 / 4, 1 / 2), eta=2),
    "the front goes on, 1/9 1/3": StoppingRule(kind="front", shares=(1 / 9, 1 / 3)),
    "predicted end, 1/9 1/3": StoppingRule(kind="predicted", shares=(1 / 9, 1 / 3)),
    "predicted end, the front goes on, 1/27 1/9": StoppingRule(
        kind="predicted, front", shares=(1 / 27, 1 / 9)
    ),
    "predicted end, 1/27 1/9": StoppingRule(kind="predicted", shares=(1 / 27, 1 / 9)),
    "predicted end, 1/9": StoppingRule(kind="predicted", shares=(1 / 9,)),
    "predicted end, 1/27": StoppingRule(kind="predicted", shares=(1 / 27,)),
    "predicted end, 1/27 1/9 1/3": StoppingRule(kind="predicted", shares=(1 / 27, 1 / 9, 1 / 3)),
    "ASHA, first metric, 1/3": StoppingRule(kind="first", shares=(1 / 3,)),
    "ASHA, first metric, 1/9 1/3": StoppingRule(kind="first", shares=(1 / 9, 1 / 3)),
    "MOASHA as shipped, 1/3": StoppingRule(kind="shipped", shares=(1 / 3,)),
    "MOASHA as shipped, 1/9 1/3": StoppingRule(kind="shipped", shares=(1 / 9, 1 / 3)),
    "MOASHA as shipped, 1/27 1/9 1/3": StoppingRule(kind="shipped", shares=(1 / 27, 1 / 9, 1 / 3)),
    "MOASHA as published, 1/3": StoppingRule(kind="published", shares=(1 / 3,)),
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
    return Pool(
        losses_NRM=losses_NRM,
        arrival_NR=np.maximum.accumulate(arrival_NR, axis=1),
        knobs_ND=np.array([knobs(curve.config) for curve in curves]),
    )
