"""The strategy `grid`: one combination after the other."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from automtl.search.strategies.base import Choose, Observation, SearchSpace, look_up
from automtl.search.strategies.unit import value_at
from automtl.spec.domains import Choice, Domain, Fixed, FloatRange, IntRange, contains

__all__ = ["MAX_LEVELS", "Grid", "levels"]

MAX_LEVELS = 5  # of a range, its ends among them


class Grid:
    """All combinations, each range cut to at most `MAX_LEVELS` values.

    Combinations that follow each other differ in many knobs: the step from one to the next is
    the golden section of the grid (an additive recurrence), so a search that ends early has
    still seen all parts of the space. Trials and the seed teach it nothing; what was tried,
    whatever proposed it, is left out.
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space

    def draws(
        self, history: Sequence[Observation], *, number: int, pins: Mapping[str, Any]
    ) -> Iterator[Choose]:
        free = {
            name: levels(domain) for name, domain in self._space.domains.items() if name not in pins
        }
        total = math.prod(len(values) for values in free.values())
        step = _coprime(round(total * (math.sqrt(5) - 1) / 2), total)
        # a pinned trial may be outside the space, where equal params are another configuration
        seen = set() if pins else {_key(one.params) for one in history}
        for index in range(number, number + total):
            combination = _combination(index * step % total, free)
            key = _key(self._params({**pins, **combination}))
            if key not in seen:  # knobs that do not apply make twins
                seen.add(key)
                yield partial(look_up, combination)

    def _params(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The params of a trial of these values: of knobs that it is asked for."""
        chosen = {name: value for name, value in values.items() if name not in self._space.domains}
        params = {}
        for name, domain in self._space.domains.items():
            if self._space.is_active(name, chosen):
                chosen[name] = values[name]
                if contains(domain, values[name]):
                    params[name] = values[name]
        return params


def levels(domain: Domain) -> list[Any]:
    """The values of a grid: every option; of a range both ends and what is evenly between them,
    on the scale of the domain."""
    match domain:
        case Fixed(value):
            return [value]
        case Choice(options):
            return list(options)
        case IntRange(low, high) if high - low < MAX_LEVELS:
            return list(range(low, high + 1))
        case IntRange() | FloatRange():
            steps = MAX_LEVELS - 1
            return list(dict.fromkeys(value_at(domain, i / steps) for i in range(MAX_LEVELS)))


def _coprime(near: int, total: int) -> int:
    """The first whole number from `near` on that has no factor in common with `total`."""
    return next(step for step in itertools.count(max(near, 1)) if math.gcd(step, total) == 1)


def _combination(index: int, free: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Number `index` of all combinations."""
    chosen = {}
    for name, values in free.items():
        index, position = divmod(index, len(values))
        chosen[name] = values[position]
    return chosen


def _key(params: Mapping[str, Any]) -> str:
    return json.dumps(params, sort_keys=True)
