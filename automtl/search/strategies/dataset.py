"""What a surrogate learns from a history.

Shapes: N evaluations, M objectives, P trials that came to their end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from automtl import pareto
from automtl.search.strategies.base import Observation, Rung

__all__ = ["MAX_POINTS", "Dataset", "learnable", "prefix", "violations"]

Floats = npt.NDArray[np.float64]

MAX_POINTS = 200
GROWTH = 1.1
MIN_LEVELLED = 3  # trials at their end that tell by how much losses differ there


@dataclass(frozen=True, slots=True)
class Dataset:
    """Evaluations: whose they are, after which share_N of the training, and the losses_NM, none
    above `ceiling_M`."""

    trials: tuple[Observation, ...]
    share_N: Floats
    losses_NM: Floats
    ceiling_M: Floats

    def of(self, objectives: Sequence[int]) -> Dataset:
        """The same without the other objectives."""
        chosen = list(objectives)
        return replace(self, losses_NM=self.losses_NM[:, chosen], ceiling_M=self.ceiling_M[chosen])


def learnable(history: Sequence[Observation]) -> Dataset:
    """All evaluations of complete trials and of stopped ones: what a trial had on its way says how
    trainings go on, and so what a stopped one would have come to. Losses at a rung are levelled
    with those at the end.

    Of more than `MAX_POINTS` the best half stays, by layers of dominance, and an even choice of
    others.
    """
    levels = _levels(history)
    found = [
        (one, rung)
        for one in history
        if one.state in ("complete", "pruned")
        for rung in (
            *(level(rung) for level, rung in zip(levels, one.rungs, strict=False)),
            *([Rung(share=1.0, losses=one.losses)] if one.losses else []),
        )
    ]
    losses_NM = np.array([rung.losses for _, rung in found])
    ceiling_M = _ceiling(losses_NM)
    keep = _informative(losses_NM)
    return Dataset(
        trials=tuple(found[i][0] for i in keep),
        share_N=np.array([found[i][1].share for i in keep]),
        losses_NM=np.minimum(losses_NM[keep], ceiling_M),
        ceiling_M=ceiling_M,
    )


def violations(data: Dataset, name: str) -> Dataset:
    """The constraint `name` in place of the losses, of the trials that know it.

    It is squashed: a cost spans powers of ten, and only the sign is asked for in the end.
    """
    trials = {one.number: one for one in data.trials}
    known = tuple(one for one in trials.values() if name in one.violations)
    value_N1 = np.array([one.violations[name] for one in known]).reshape(-1, 1)
    unit = float(np.median(np.abs(value_N1))) if known else 1.0
    squashed_N1 = np.arcsinh(value_N1 / (unit or 1.0))
    return Dataset(
        trials=known,
        share_N=np.ones(len(known)),
        losses_NM=squashed_N1,
        ceiling_M=np.full(1, np.inf),
    )


def prefix(history: Sequence[Observation]) -> tuple[Observation, ...]:
    """The first trials that teach something, a number of them that grows by a tenth at a time.

    What is fitted to a prefix serves until it changes, and follows from the history all the same.
    """
    ended = [
        one for one in history if one.state == "complete" or (one.state == "pruned" and one.rungs)
    ]
    count = min(len(ended), 10)
    while round(count * GROWTH) <= len(ended) and count >= 10:
        count = round(count * GROWTH)
    return tuple(ended[:count])


@dataclass(frozen=True, slots=True)
class _Level:
    """Moves what is seen at a rung, and shrinks how it differs, to what is seen at the end.

    A tenth into its training a loss differs ten times as much between trials as at its end. A
    process of one scale then expects as much of an end, and explores for the sake of differences
    that are not there.
    """

    at_M: Floats
    end_M: Floats
    shrink_M: Floats

    def __call__(self, rung: Rung) -> Rung:
        losses_M = self.end_M + self.shrink_M * (np.array(rung.losses) - self.at_M)
        return replace(rung, losses=tuple(losses_M.tolist()))


def _levels(history: Sequence[Observation]) -> list[_Level]:
    """One a rung, the earliest first: those who came to the end have the same median there and
    here, and the same quartiles if they were further apart. A loss that a trial has from its start
    on, such as its size, stays as it is."""
    levels = []
    for rung in range(max((len(one.rungs) for one in history), default=0)):
        ended = [one for one in history if one.losses and len(one.rungs) > rung]
        at_PM = np.array([one.rungs[rung].losses for one in ended])
        end_PM = np.array([one.losses for one in ended])
        levels.append(_level(at_PM, end_PM))
    return levels


def _level(at_PM: Floats, end_PM: Floats) -> _Level:
    if len(at_PM) == 0:
        return _Level(at_M=np.zeros(1), end_M=np.zeros(1), shrink_M=np.ones(1))
    # quartiles: one training that went astray moves neither
    (at_low_M, at_M, at_high_M), (end_low_M, end_M, end_high_M) = (
        np.quantile(losses_PM, (0.25, 0.5, 0.75), axis=0) for losses_PM in (at_PM, end_PM)
    )
    shrink_M = np.ones_like(at_M)
    if len(at_PM) >= MIN_LEVELLED:
        spread_M = at_high_M - at_low_M
        np.divide(end_high_M - end_low_M, spread_M, out=shrink_M, where=spread_M > 0)
    return _Level(at_M=at_M, end_M=end_M, shrink_M=np.minimum(shrink_M, 1.0))


def _ceiling(losses_NM: Floats) -> Floats:
    """What a loss counts as at most: one training that went astray, with a loss in millions, would
    make all others look the same."""
    low_M, high_M = losses_NM.min(axis=0), np.quantile(losses_NM, 0.75, axis=0)
    ceiling_M: Floats = np.where(high_M > low_M, high_M + 3 * (high_M - low_M), np.inf)
    return ceiling_M


def _informative(losses_NM: Floats) -> list[int]:
    if len(losses_NM) <= MAX_POINTS:
        return list(range(len(losses_NM)))
    order = np.argsort(pareto.layers(losses_NM), kind="stable")
    best, others = order[: MAX_POINTS // 2], order[MAX_POINTS // 2 :]
    even = np.linspace(0, len(others) - 1, MAX_POINTS - len(best)).round().astype(int)
    return sorted([*best.tolist(), *others[even].tolist()])
