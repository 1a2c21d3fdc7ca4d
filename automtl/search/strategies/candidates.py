"""A search for the point of greatest score: by chance, around good points, around what is best.

Shapes: C candidates, D knobs, F points to start around.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from automtl.search.strategies.points import Points

__all__ = ["NUM_DRAWS", "best_candidates"]

Floats = npt.NDArray[np.float64]

NUM_RANDOM = 600
NUM_LOCAL = 600
NUM_ROUNDS = 3  # after the first, each around the best so far
NUM_PARENTS = 8
NUM_CHILDREN = 40
NUM_DRAWS = 32  # candidates that are offered
STEPS = (0.02, 0.1, 0.3)  # of a mutation, as shares of a domain
RATES = (1.0, 2.0, 4.0)  # knobs of a point that a mutation changes, on average


def best_candidates(
    points: Points,
    score: Callable[[Floats], Floats],
    *,
    parents_FD: Floats,
    tried_ND: Floats,
    random: np.random.Generator,
) -> Floats:
    """units_CD of the best candidates that were not tried, the best first."""
    seen = set(_keys(points, tried_ND))
    pool_CD, score_C = np.zeros((0, len(points.names))), np.zeros(0)
    repeats = -(-NUM_LOCAL // len(parents_FD))
    units_CD = np.vstack(
        [
            points.snapped(random.random((NUM_RANDOM, len(points.names)))),
            mutated(points, np.repeat(parents_FD, repeats, axis=0), random),
        ]
    )
    for _ in range(1 + NUM_ROUNDS):
        new = []
        for c, key in enumerate(_keys(points, units_CD)):
            if key not in seen:
                seen.add(key)
                new.append(c)
        if new:
            pool_CD = np.vstack([pool_CD, units_CD[new]])
            score_C = np.concatenate([score_C, score(units_CD[new])])
        if len(pool_CD) == 0:
            break
        order = np.argsort(-score_C, kind="stable")[:NUM_DRAWS]
        pool_CD, score_C = pool_CD[order], score_C[order]
        around_CD = np.repeat(pool_CD[:NUM_PARENTS], NUM_CHILDREN, axis=0)
        units_CD = mutated(points, around_CD, random)
    return pool_CD


def mutated(points: Points, units_CD: Floats, random: np.random.Generator) -> Floats:
    """Each point with one or a few of the knobs that it is asked for moved or drawn anew.

    Knobs that it is not asked for are drawn, for the case that a mutation brings them in.
    """
    shape = units_CD.shape
    active_CD = points.active(units_CD)
    units_CD = np.where(active_CD, units_CD, random.random(shape))
    movable_CD = active_CD & points.is_free_D
    rate_C1 = random.choice(RATES, (len(units_CD), 1)) / np.maximum(
        movable_CD.sum(axis=1, keepdims=True), 1
    )
    moves_CD = (random.random(shape) < rate_C1) & movable_CD
    some_C = np.where(movable_CD, random.random(shape), -1.0).argmax(axis=1)
    moves_CD[np.arange(len(units_CD)), some_C] |= ~moves_CD.any(axis=1)
    step_C1 = random.choice(STEPS, (len(units_CD), 1))
    near_CD = units_CD + step_C1 * random.standard_normal(shape)
    near_CD = np.abs(np.mod(near_CD + 1, 2) - 1)  # mirrored at 0 and 1
    is_anew_CD = random.random(shape) < points.anew_D
    moved_CD = np.where(is_anew_CD, random.random(shape), near_CD)
    return points.snapped(np.where(moves_CD, moved_CD, units_CD))


def _keys(points: Points, units_CD: Floats) -> list[bytes]:
    """Equal where two points lead to the same configuration."""
    return [row.tobytes() for row in np.round(points.canonical(units_CD), 9) + 0.0]
