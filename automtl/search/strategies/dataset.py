"""What a surrogate learns from a history: points, losses, and how sure each loss is.

Shapes: N points, M objectives, P prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from automtl.search.strategies.base import Observation
from automtl.search.strategies.genetic import layers

__all__ = ["MAX_POINTS", "Dataset", "learnable", "prefix", "violations"]

Floats = npt.NDArray[np.float64]

MAX_POINTS = 200
GROWTH = 1.1
MIN_GAPS = 3  # complete trials with the same rung that an extrapolation needs
SAME_RUNG = 1e-6


@dataclass(frozen=True, slots=True)
class Dataset:
    """Trials, losses_NM of their full training, and extra_NM, the variance of a guessed one."""

    trials: tuple[Observation, ...]
    losses_NM: Floats
    extra_NM: Floats


def learnable(history: Sequence[Observation]) -> Dataset:
    """Complete trials, and stopped ones with the losses that they would have come to.

    What a stopped trial lacks is the median of what complete trials lacked at that rung, objective
    by objective; their spread (the median absolute deviation) is its uncertainty. Of more than
    `MAX_POINTS` trials the best half stays, by layers of dominance, and an even choice of the
    others.
    """
    complete = [one for one in history if one.state == "complete"]
    found = []
    for one in history:
        if one.losses is not None and one.state == "complete":
            loss_M = np.array(one.losses)
            found.append((one, loss_M, np.zeros_like(loss_M)))
        elif one.state == "pruned" and one.rungs:
            last = one.rungs[-1]
            gaps_GM = _gaps(complete, last.share)
            if len(gaps_GM) >= MIN_GAPS:
                gap_M = np.median(gaps_GM, axis=0)
                spread_M = 1.4826 * np.median(np.abs(gaps_GM - gap_M), axis=0)
                found.append((one, np.array(last.losses) + gap_M, spread_M**2))
    losses_NM = np.array([loss_M for _, loss_M, _ in found])
    keep = _informative(losses_NM)
    return Dataset(
        trials=tuple(found[i][0] for i in keep),
        losses_NM=losses_NM[keep],
        extra_NM=np.array([found[i][2] for i in keep]),
    )


def violations(data: Dataset, name: str) -> Dataset:
    """The constraint `name` in place of the losses, of the trials that know it.

    It is squashed: a cost spans powers of ten, and only the sign is asked for in the end.
    """
    known = tuple(one for one in data.trials if name in one.violations)
    value_N1 = np.array([one.violations[name] for one in known]).reshape(-1, 1)
    unit = float(np.median(np.abs(value_N1))) if known else 1.0
    squashed_N1 = np.arcsinh(value_N1 / (unit or 1.0))
    return Dataset(trials=known, losses_NM=squashed_N1, extra_NM=np.zeros_like(squashed_N1))


def prefix(history: Sequence[Observation]) -> tuple[Observation, ...]:
    """The first trials that have ended, a number of them that grows by a tenth at a time.

    What is fitted to a prefix serves until it changes, and follows from the history all the same.
    """
    ended = [one for one in history if one.state in ("complete", "pruned")]
    count = min(len(ended), 10)
    while round(count * GROWTH) <= len(ended) and count >= 10:
        count = round(count * GROWTH)
    first = tuple(ended[:count])
    enough = sum(one.state == "complete" for one in first) >= MIN_GAPS
    return first if enough else tuple(ended)


def _gaps(complete: Sequence[Observation], share: float) -> Floats:
    """gaps_GM between the full losses and those after `share` of the training."""
    return np.array(
        [
            np.array(one.losses) - np.array(rung.losses)
            for one in complete
            for rung in one.rungs
            if abs(rung.share - share) < SAME_RUNG
        ]
    )


def _informative(losses_NM: Floats) -> list[int]:
    if len(losses_NM) <= MAX_POINTS:
        return list(range(len(losses_NM)))
    order = np.argsort(layers(losses_NM), kind="stable")
    best, others = order[: MAX_POINTS // 2], order[MAX_POINTS // 2 :]
    even = np.linspace(0, len(others) - 1, MAX_POINTS - len(best)).round().astype(int)
    return sorted([*best.tolist(), *others[even].tolist()])
