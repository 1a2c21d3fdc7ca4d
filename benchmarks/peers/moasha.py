"""Replays with Syne Tune's MOASHA deciding, in the peer's environment.

    python benchmarks/peers/moasha.py IN.npz OUT.json

IN holds a pool (`losses` [N, R, M], `arrival` [N, R]), `orders` [S, N], `eta`, `workers`, and
whether ranks are to be those `published`. As shipped (0.16), the order of the sorted trials stands
where their ranks are expected, twice; published are the ranks that its paper describes.

Shapes: S orders, N trials, R rungs, M objectives.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from searches.replay import Pool, Rule, replay
from syne_tune.backend.trial_status import Trial
from syne_tune.optimizer.scheduler import SchedulerDecision
from syne_tune.optimizer.schedulers.multiobjective import non_dominated_priority
from syne_tune.optimizer.schedulers.multiobjective.moasha import MOASHA
from syne_tune.optimizer.schedulers.multiobjective.multiobjective_priority import (
    NonDominatedPriority,
)


class PublishedPriority(NonDominatedPriority):
    """Ranks in place of the sorted order, of layers and within a layer."""

    def priority_unsafe(self, objectives: np.ndarray) -> np.ndarray:
        shipped = non_dominated_priority.compute_epsilon_net
        non_dominated_priority.compute_epsilon_net = lambda *args, **options: np.argsort(
            shipped(*args, **options)
        )
        try:
            return np.argsort(super().priority_unsafe(objectives))
        finally:
            non_dominated_priority.compute_epsilon_net = shipped


def moasha(pool: Pool, *, eta: int, is_published: bool) -> Rule:
    """The scheduler's own decisions; its time counts the first rung as 1."""
    num_rungs = pool.arrival_NR.shape[1]
    names = [f"loss{m}" for m in range(pool.losses_NRM.shape[2])]
    scheduler = MOASHA(
        {},
        metrics=names,
        max_t=eta ** (num_rungs - 1),
        grace_period=1,
        reduction_factor=eta,
        multiobjective_priority=PublishedPriority() if is_published else None,
    )
    trials: dict[int, Trial] = {}

    def goes_on(number: int, rung: int) -> bool:
        if number not in trials:
            trials[number] = Trial(number, {}, dt.datetime.now())
            scheduler.on_trial_add(trials[number])
        values = pool.losses_NRM[number, rung].tolist()
        result = dict(zip(names, values, strict=True)) | {"training_iteration": eta**rung}
        decision = scheduler.on_trial_result(trials[number], result)
        return decision == SchedulerDecision.CONTINUE

    return goes_on


def main(source: str, out: str) -> None:
    with np.load(source) as arrays:
        pool = Pool(losses_NRM=arrays["losses"], arrival_NR=arrays["arrival"])
        finished = [
            replay(
                pool,
                order.tolist(),
                moasha(pool, eta=int(arrays["eta"]), is_published=bool(arrays["published"])),
                num_workers=int(arrays["workers"]),
            )
            for order in arrays["orders"]
        ]
    Path(out).write_text(json.dumps([asdict(one) for one in finished]), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
