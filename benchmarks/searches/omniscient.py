"""A search that knows what to expect of every configuration, to show what knowing is worth.

It learns nothing and stops nobody: whenever a worker is free, it trains to its end the
configuration that is expected to add the most hypervolume a second to what has come out so far.
What it does not know is chance: what a training will have beside what is expected of it.

Shapes: C configurations of the pool, R residuals, P points, M objectives.
"""

from __future__ import annotations

import heapq
from functools import partial

import numpy as np
from repeats import Floats

from automtl import pareto
from automtl.config import TrialConfig
from automtl.search.strategies.chance import choose_randomly
from automtl.space import sample
from automtl.spec.schema import Spec
from searches.simulated import Outcome
from searches.surrogate import Surrogate

__all__ = ["omniscient"]

NUM_POOL = 1_500  # configurations by chance, of which it chooses
NUM_LAYERS = 5  # by what is expected of them, that are looked at
NUM_RESIDUALS = 16  # by which a training may differ from what is expected
NUM_POINTS = 3_000  # that a volume is measured by


def omniscient(spec: Spec, surrogate: Surrogate, *, num_workers: int, until_s: float) -> Outcome:
    """Its search until `until_s`."""
    random = np.random.default_rng(spec.search.seed)
    pool = [sample(spec, partial(choose_randomly, random)) for _ in range(NUM_POOL)]
    expected = surrogate.expected(pool, num_residuals=NUM_RESIDUALS, random=random)
    objectives, losses_RCM = spec.objective_list(), expected.losses_RCM
    is_near_C = pareto.layers(losses_RCM.mean(axis=0)) < NUM_LAYERS
    possible_NM = losses_RCM.reshape(-1, len(objectives))
    low_M, high_M = possible_NM.min(axis=0), pareto.reference_point(possible_NM)
    open_PM = low_M + random.random((NUM_POINTS, len(objectives))) * (high_M - low_M)
    left = np.flatnonzero(is_near_C).tolist()
    running: list[tuple[float, int]] = []
    found: list[tuple[TrialConfig, float]] = []
    now_s = 0.0
    while now_s < until_s:
        while left and len(running) < num_workers:
            gain_C = np.array([_gain(losses_RCM[:, c], open_PM) for c in left])
            chosen = left.pop(int(np.argmax(gain_C / expected.seconds_C[left])))
            heapq.heappush(running, (now_s + surrogate.seconds(pool[chosen]), chosen))
        if not running:
            break
        now_s, ended = heapq.heappop(running)
        if now_s <= until_s:
            found.append((pool[ended], now_s))
            losses_1M = pareto.to_losses([surrogate.values(pool[ended])], objectives)
            open_PM = open_PM[~(losses_1M <= open_PM).all(axis=1)]
    return Outcome(
        configs=tuple(config for config, _ in found),
        at_s=tuple(at_s for _, at_s in found),
        spent_s=min(now_s, until_s),
        num_trials=len(found) + len(running),
    )


def _gain(losses_RM: Floats, open_PM: Floats) -> float:
    """How many of the points that nothing dominates yet are expected to be dominated."""
    dominated_RP = (losses_RM[:, None, :] <= open_PM[None, :, :]).all(axis=2)
    return float(dominated_RP.sum(axis=1).mean())
