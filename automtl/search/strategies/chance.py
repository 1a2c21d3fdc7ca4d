"""The strategy `random`, and what every other one falls back to."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from automtl.search.strategies.base import Choose, Observation, generator
from automtl.search.strategies.unit import value_at
from automtl.spec.domains import Domain

__all__ = ["Random", "choose_randomly", "random_draws"]


class Random:
    """Draws every knob by chance."""

    def __init__(self, *, seed: int) -> None:
        self._seed = seed

    def draws(
        self, history: Sequence[Observation], *, number: int, pins: Mapping[str, Any]
    ) -> Iterator[Choose]:
        return random_draws(self._seed, number)


def random_draws(seed: int, number: int, start: int = 0) -> Iterator[Choose]:
    """Choosers by chance without end, from draw `start` of the trial on."""
    for index in itertools.count(start):
        yield partial(choose_randomly, generator(seed, number, index))


def choose_randomly(random: np.random.Generator, name: str, domain: Domain) -> Any:
    """Any value, as likely as its domain says."""
    return value_at(domain, float(random.random()))
