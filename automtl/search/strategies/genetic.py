"""The strategy `nsga2`: children of the best trials so far (Deb et al. 2002).

The algorithm of the paper runs in generations; here every trial that has ended counts at once, so
that a proposal follows from the trials so far, whoever is still running.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from automtl import pareto
from automtl.search.strategies.base import Choose, Observation, SearchSpace, generator, has_begun
from automtl.search.strategies.chance import choose_randomly, random_draws
from automtl.search.strategies.unit import is_ordered, place, value_at
from automtl.spec.domains import Domain, contains

__all__ = ["Genetic", "crowding"]

Floats = npt.NDArray[np.float64]

POPULATION = 20
SWAP = 0.5  # how often a knob comes from the second parent
STEP = 0.15  # of a mutation, as a share of the domain
NUM_DRAWS = 100  # before chance takes over


class Genetic:
    """Two parents by tournament, a knob from the one or the other, one knob in D mutated."""

    def __init__(self, space: SearchSpace, *, seed: int, num_startup: int) -> None:
        self._space, self._seed, self._num_startup = space, seed, num_startup

    def draws(
        self, history: Sequence[Observation], *, number: int, pins: Mapping[str, Any]
    ) -> Iterator[Choose]:
        complete = [one for one in history if one.state == "complete"]
        start = 0
        if has_begun(history, self._num_startup):
            population = _best(complete)
            for start in range(1, NUM_DRAWS + 1):
                random = generator(self._seed, number, start)
                mother, father = (_tournament(population, random) for _ in range(2))
                yield partial(self._child, mother, father, random)
        yield from random_draws(self._seed, number, start=start + 1)

    def _child(
        self,
        mother: Mapping[str, Any],
        father: Mapping[str, Any],
        random: np.random.Generator,
        name: str,
        domain: Domain,
    ) -> Any:
        first, second = (father, mother) if random.random() < SWAP else (mother, father)
        known = [p[name] for p in (first, second) if name in p and contains(domain, p[name])]
        if not known:
            return choose_randomly(random, name, domain)
        if random.random() >= 1 / len(mother):
            return known[0]
        if not is_ordered(domain):
            return choose_randomly(random, name, domain)
        unit = place(domain, known[0]) + STEP * random.standard_normal()
        return value_at(domain, float(np.abs(np.mod(unit + 1, 2) - 1)))


def crowding(losses_NM: Floats) -> Floats:
    """distance_N: the sum over the objectives of the gap between the neighbours, in ranges; the
    ends have infinite ones."""
    distance_N = np.zeros(len(losses_NM))
    for loss_N in losses_NM.T:
        order = np.argsort(loss_N, kind="stable")
        span = np.ptp(loss_N) or 1.0
        distance_N[order[[0, -1]]] = np.inf
        distance_N[order[1:-1]] += (loss_N[order[2:]] - loss_N[order[:-2]]) / span
    return distance_N


def _best(complete: Sequence[Observation]) -> list[Mapping[str, Any]]:
    """The params of the population, the best first: feasible ones by layer, then by crowding."""
    losses_NM = np.array([one.losses for one in complete])
    broken_N = np.array([sum(max(v, 0.0) for v in one.violations.values()) for one in complete])
    layer_N, crowding_N = np.zeros(len(complete)), np.zeros(len(complete))
    feasible = np.flatnonzero(broken_N == 0)
    layer_N[feasible] = pareto.layers(losses_NM[feasible])
    for layer in set(layer_N[feasible].tolist()):
        members = feasible[layer_N[feasible] == layer]
        crowding_N[members] = crowding(losses_NM[members])
    order = np.lexsort((-crowding_N, layer_N, broken_N))
    return [complete[i].params for i in order[:POPULATION]]


def _tournament(
    population: Sequence[Mapping[str, Any]], random: np.random.Generator
) -> Mapping[str, Any]:
    return population[int(random.integers(len(population), size=2).min())]
