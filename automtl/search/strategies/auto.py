"""The strategy `auto`: the one that measured best (`benchmarks/search_tables.py`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from automtl.search.strategies.base import Choose, Observation, SearchSpace
from automtl.search.strategies.gaussian import Gaussian
from automtl.search.strategies.parzen import Parzen
from automtl.search.strategies.portfolio import Point

__all__ = ["Auto"]

MAX_GAUSSIAN = 400


class Auto:
    """`gp`, from the points of `start`, until `MAX_GAUSSIAN` trials are known, then `tpe`.

    Up to 190 trials, stopped ones counted, `gp` found more of the front than Optuna's TPE, NSGA-II
    and random on each of six tables. The bound is a guess: `gp` keeps 200 evaluations, TPE learns
    from all, and nothing longer than 250 trials was measured.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int,
        num_startup: int,
        num_objectives: int,
        start: Sequence[Point] = (),
    ) -> None:
        self._gaussian = Gaussian(space, seed=seed, num_startup=num_startup, start=start)
        self._parzen = Parzen(
            space, seed=seed, num_startup=num_startup, num_objectives=num_objectives
        )

    def draws(
        self, history: Sequence[Observation], *, number: int, pins: Mapping[str, Any]
    ) -> Iterator[Choose]:
        is_small = len(history) <= MAX_GAUSSIAN
        return (self._gaussian if is_small else self._parzen).draws(
            history, number=number, pins=pins
        )
