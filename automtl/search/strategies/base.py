"""What a strategy knows and answers: observations in, choosers of knobs out; nothing of specs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from automtl.spec.domains import Domain

__all__ = [
    "Choose",
    "Known",
    "Observation",
    "Rung",
    "SearchSpace",
    "Strategy",
    "Told",
    "generator",
    "has_begun",
    "look_up",
]

Choose = Callable[[str, Domain], Any]  # a knob's value, for the knobs that are asked for, in order


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Some losses of a configuration, and the effort of training it, in whatever unit."""

    losses: tuple[float, ...]
    effort: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What follows from the knobs: the losses at the places `objectives`, as a model's size is one,
    and how much work it is to train.

    `tell` says so of values of the free `knobs`; of the values that it is given it takes these and
    pins.
    """

    objectives: tuple[int, ...]
    knobs: tuple[str, ...]
    tell: Callable[[Mapping[str, Any]], Told]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace:
    """Free knobs by name, in the order in which they are asked for.

    A knob in `needs` is asked for only where the knob `needs[name][0]` has one of the values
    `needs[name][1]`; that one comes earlier, and need not be free. What is `known` need not be
    learnt.
    """

    domains: Mapping[str, Domain]
    needs: Mapping[str, tuple[str, tuple[Any, ...]]] = field(default_factory=dict)
    known: Known | None = None

    def is_active(self, name: str, chosen: Mapping[str, Any]) -> bool:
        """Whether `name` is asked for after `chosen`; where nothing is known, it is."""
        if name not in self.needs:
            return True
        parent, values = self.needs[name]
        return parent not in chosen or chosen[parent] in values


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """The losses after `share` of the training, between 0 and 1."""

    share: float
    losses: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A trial as a strategy sees it.

    `params` holds the values of the knobs that it was asked for. `losses` (smaller is better) are
    those of a complete trial. `violations` are the constraints that are known, <= 0 where they
    hold. `rungs` are its evaluations before the end, the earliest first.
    """

    number: int
    state: Literal["running", "complete", "pruned", "failed"]
    params: Mapping[str, Any]
    losses: tuple[float, ...] | None = None
    violations: Mapping[str, float] = field(default_factory=dict)
    rungs: tuple[Rung, ...] = ()

    @property
    def is_feasible(self) -> bool:
        return all(violation <= 0 for violation in self.violations.values())


class Strategy(Protocol):
    """Decides what to try next, from what was seen; keeps nothing but what follows from it."""

    def draws(
        self, history: Sequence[Observation], *, number: int, pins: Mapping[str, Any]
    ) -> Iterator[Choose]:
        """Choosers for trial `number`, the best first; the end means that nothing is left.

        A function of its arguments and the strategy's seed. `history` is in the order of numbers.
        `pins` are values, inside their domains or not, that will not be asked for. A caller takes
        the first chooser that leads to a new configuration that it accepts.
        """
        ...


def generator(seed: int, number: int, index: int = 0) -> np.random.Generator:
    """The random numbers of draw `index` of trial `number`."""
    # (number, 0) seeds the training
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number, 1 + index)))


def has_begun(history: Sequence[Observation], num_startup: int, *, min_complete: int = 3) -> bool:
    """Whether enough trials have ended to learn from; `min_complete` at least were not stopped."""
    states = [one.state for one in history]
    num_complete = states.count("complete")
    return num_complete >= min_complete and num_complete + states.count("pruned") >= num_startup


def look_up(point: Mapping[str, Any], name: str, domain: Domain) -> Any:
    """The choice that `point` has made."""
    return point[name]
