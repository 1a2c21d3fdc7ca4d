"""A search over recorded curves in simulated time: only the stopping rule decides anything.

Needs numpy alone, so that a peer's environment can import it.

Shapes: N trials, R rungs (the last is the end of training), M objectives.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Finished", "MakeRule", "Pool", "Rule", "replay"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
# (trial, rung) -> it goes on; asked in the order of arrival, at the end too, in vain
Rule = Callable[[int, int], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """`losses_NRM` on VALIDATION rows at each rung, and when, in a processor's seconds since the
    trial's start, `arrival_NR`; smaller is better. `knobs_ND` describes the configurations, for
    rules that look at them."""

    losses_NRM: Floats
    arrival_NR: Floats
    knobs_ND: Floats | None = None

    def __len__(self) -> int:
        return len(self.arrival_NR)


MakeRule = Callable[[Pool], Rule]  # anew for every search


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The trials that were trained to their end, and when that was, `at_s` after the start."""

    trials: tuple[int, ...]
    at_s: tuple[float, ...]
    spent_s: float  # of all workers, until the pool was used up


def replay(pool: Pool, order: Sequence[int], rule: Rule, *, num_workers: int) -> Finished:
    """Takes trials from the pool in `order`, each worker its next one as soon as it is free."""
    waiting, free_s = list(reversed(order)), [0.0] * num_workers
    running: list[tuple[float, int, int, float]] = []  # due, trial, rung, start
    last, spent_s = pool.arrival_NR.shape[1] - 1, 0.0
    done: list[tuple[float, int]] = []
    while True:
        while waiting and free_s:
            start_s, trial = free_s.pop(), waiting.pop()
            heapq.heappush(running, (start_s + pool.arrival_NR[trial, 0], trial, 0, start_s))
        if not running:
            break
        now_s, trial, rung, start_s = heapq.heappop(running)
        if rule(trial, rung) and rung < last:
            due_s = start_s + pool.arrival_NR[trial, rung + 1]
            heapq.heappush(running, (due_s, trial, rung + 1, start_s))
            continue
        if rung == last:
            done.append((now_s, trial))
        spent_s += now_s - start_s
        free_s.append(now_s)
    return Finished(
        trials=tuple(trial for _, trial in done),
        at_s=tuple(at_s for at_s, _ in done),
        spent_s=float(spent_s),
    )
