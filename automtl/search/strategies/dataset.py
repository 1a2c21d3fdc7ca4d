"""What a surrogate learns from a history: points, losses, and how sure each loss is.

Shapes: N points, M objectives, P prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from automtl.search.strategies.base import Observation, Rung
from automtl.search.strategies.genetic import layers

__all__ = ["MAX_POINTS", "Dataset", "learnable", "prefix", "violations"]

Floats = npt.NDArray[np.float64]

MAX_POINTS = 200
GROWTH = 1.1
MIN_GAPS = 3  # complete trials with the same rung that an extrapolation needs


@dataclass(frozen=True, slots=True)
class Dataset:
    """Trials, losses_NM of their full training, and extra_NM, the variance of a guessed one.

    No loss is above `ceiling_M`.
    """

    trials: tuple[Observation, ...]
    losses_NM: Floats
    extra_NM: Floats
    ceiling_M: Floats


def learnable(history: Sequence[Observation]) -> Dataset:
    """Complete trials, and stopped ones with the losses that they would have come to.

    What a stopped trial lacks is the median of what complete trials lacked at that rung, objective
    by objective; their spread (the median absolute deviation) is its uncertainty. Of more than
    `MAX_POINTS` trials the best half stays, by layers of dominance, and an even choice of the
    others.
    """
    gaps = _gaps(history)
    found = []
    for one in history:
        if one.state == "complete" and one.losses is not None:
            loss_M = np.array(one.losses)
            found.append((one, loss_M, np.zeros_like(loss_M)))
        elif one.state == "pruned" and one.rungs:
            last = one.rungs[-1]
            gap_M, spread_M = gaps.get(_rung_key(last), (None, None))
            if gap_M is not None and spread_M is not None:
                found.append((one, np.array(last.losses) + gap_M, spread_M**2))
    losses_NM = np.array([loss_M for _, loss_M, _ in found])
    ceiling_M = _ceiling(losses_NM)
    keep = _informative(losses_NM)
    return Dataset(
        trials=tuple(found[i][0] for i in keep),
        losses_NM=np.minimum(losses_NM[keep], ceiling_M),
        extra_NM=np.array([found[i][2] for i in keep]),
        ceiling_M=ceiling_M,
    )


def violations(data: Dataset, name: str) -> Dataset:
    """The constraint `name` in place of the losses, of the trials that know it.

    It is squashed: a cost spans powers of ten, and only the sign is asked for in the end.
    """
    known = tuple(one for one in data.trials if name in one.violations)
    value_N1 = np.array([one.violations[name] for one in known]).reshape(-1, 1)
    unit = float(np.median(np.abs(value_N1))) if known else 1.0
    squashed_N1 = np.arcsinh(value_N1 / (unit or 1.0))
    return Dataset(
        trials=known,
        losses_NM=squashed_N1,
        extra_NM=np.zeros_like(squashed_N1),
        ceiling_M=np.full(1, np.inf),
    )


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


def _gaps(history: Sequence[Observation]) -> dict[float, tuple[Floats, Floats]]:
    """By rung: the median gap_M from its losses to the full ones, and spread_M of these gaps."""
    found: dict[float, list[Floats]] = {}
    for one in history:
        if one.state == "complete" and one.losses is not None:
            for rung in one.rungs:
                gap_M = np.array(one.losses) - np.array(rung.losses)
                found.setdefault(_rung_key(rung), []).append(gap_M)
    gaps = {}
    for key, gaps_GM in found.items():
        if len(gaps_GM) >= MIN_GAPS:
            gap_M = np.median(gaps_GM, axis=0)
            gaps[key] = gap_M, 1.4826 * np.median(np.abs(np.array(gaps_GM) - gap_M), axis=0)
    return gaps


def _rung_key(rung: Rung) -> float:
    return round(rung.share, 6)


def _ceiling(losses_NM: Floats) -> Floats:
    """What a loss counts as at most: one training that went astray, with a loss in millions, would
    make all others look the same."""
    low_M, high_M = losses_NM.min(axis=0), np.quantile(losses_NM, 0.75, axis=0)
    ceiling_M: Floats = np.where(high_M > low_M, high_M + 3 * (high_M - low_M), np.inf)
    return ceiling_M


def _informative(losses_NM: Floats) -> list[int]:
    if len(losses_NM) <= MAX_POINTS:
        return list(range(len(losses_NM)))
    order = np.argsort(layers(losses_NM), kind="stable")
    best, others = order[: MAX_POINTS // 2], order[MAX_POINTS // 2 :]
    even = np.linspace(0, len(others) - 1, MAX_POINTS - len(best)).round().astype(int)
    return sorted([*best.tolist(), *others[even].tolist()])
