"""The strategy `gp`: by chance, or from a portfolio, until enough trials have ended, then by
`posterior.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from automtl.search.strategies.base import Choose, Observation, SearchSpace, has_begun
from automtl.search.strategies.chance import random_draws
from automtl.search.strategies.portfolio import Point, choosers

if TYPE_CHECKING:
    from automtl.search.strategies.posterior import Posterior

__all__ = ["Gaussian"]


class Gaussian:
    """Learns once `num_startup` trials have ended, one of them at least at its end: what stopped
    ones had on their way counts, too. Until then it tries the points of `start`, in their order.
    """

    def __init__(
        self, space: SearchSpace, *, seed: int, num_startup: int, start: Sequence[Point] = ()
    ) -> None:
        self._space, self._seed, self._num_startup = space, seed, num_startup
        self._start = start

    def draws(
        self, history: Sequence[Observation], *, number: int, pins: Mapping[str, Any]
    ) -> Iterator[Choose]:
        if has_begun(history, self._num_startup, min_complete=1):
            yield from self._posterior.best(history, number=number, pins=pins)
        else:  # those that were tried before will not be taken again
            yield from choosers(self._start, self._seed)
        yield from random_draws(self._seed, number, start=1)

    @cached_property
    def _posterior(self) -> Posterior:
        # here: SciPy is imported in a fraction of a second, but not before it is needed
        from automtl.search.strategies.posterior import Posterior

        return Posterior(self._space, seed=self._seed)
