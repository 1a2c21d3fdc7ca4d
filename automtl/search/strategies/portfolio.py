"""Configurations to begin with, as other data sets taught them: a portfolio.

A search from nothing spends its first trials on what is bad everywhere (so Auto-Sklearn 2.0 begins
with a portfolio: Feurer et al., JMLR 2022). What was good on other rows is said in general terms,
so that it can be tried in any space: named options by their names, all else by its place from 0
to 1, layer widths in the order of their sums. `portfolio.json` holds such points for each data set
that taught them; `benchmarks/portfolio.py` writes it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from automtl.search.strategies.base import Choose, SearchSpace, generator
from automtl.search.strategies.unit import place, value_at
from automtl.spec.domains import Choice, Domain

__all__ = ["NUM_POINTS", "Point", "choosers", "generalised", "learnt", "points"]

NUM_POINTS = 8
CHANCE = 1_000  # the draw of the random numbers for what a point leaves open

Point = Mapping[str, str | float]  # by general names: an option's name, or a place from 0 to 1


@cache
def learnt() -> Mapping[str, Sequence[Point]]:
    """What each data set taught, by its name, the best first."""
    text = files("automtl.search.strategies").joinpath("portfolio.json").read_text("utf-8")
    found: Mapping[str, Sequence[Point]] = json.loads(text)
    return found


def points() -> tuple[Point, ...]:
    """The first NUM_POINTS, of each data set in turns."""
    in_turns = itertools.zip_longest(*learnt().values())
    return tuple(point for turn in in_turns for point in turn if point is not None)[:NUM_POINTS]


def choosers(start: Sequence[Point], seed: int) -> Iterator[Choose]:
    """One for each point, in order, always the same. What a space has no such option for, or a
    point says nothing of, is drawn by chance."""
    for index, point in enumerate(start):
        random = generator(seed, index, CHANCE)

        def choose(name: str, domain: Domain, point: Point = point, random: Any = random) -> Any:
            drawn = value_at(domain, float(random.random()))
            general = point.get(_general_name(name))
            return drawn if general is None else _value(domain, general, drawn)

        yield choose


def generalised(space: SearchSpace, params: Mapping[str, Any]) -> dict[str, str | float]:
    """The point of a configuration's free knobs; the inverse of a chooser, but for what is between
    two options."""
    return {
        _general_name(name): _general(space.domains[name], value) for name, value in params.items()
    }


def _general_name(name: str) -> str:
    """Tasks are others in each space, so all their weights have one name."""
    return "loss_weights" if name.startswith("loss_weights.") else name


def _value(domain: Domain, general: str | float, otherwise: Any) -> Any:
    names, widths = _names(domain), _widths(domain)
    if isinstance(general, str):
        return general if general in names else otherwise
    if names:
        return otherwise
    if widths:
        return widths[min(int(general * len(widths)), len(widths) - 1)]
    return value_at(domain, general)


def _general(domain: Domain, value: Any) -> str | float:
    if _names(domain):
        return str(value)
    if widths := _widths(domain):
        return (widths.index(tuple(value)) + 0.5) / len(widths)
    return place(domain, value)


def _names(domain: Domain) -> tuple[str, ...]:
    """The options of a choice by name; none of another domain."""
    is_named = isinstance(domain, Choice) and all(isinstance(one, str) for one in domain.options)
    return domain.options if isinstance(domain, Choice) and is_named else ()


def _widths(domain: Domain) -> list[tuple[int, ...]]:
    """The options of a choice of layers, the smallest first; none of another domain."""
    if not isinstance(domain, Choice) or not all(isinstance(one, tuple) for one in domain.options):
        return []
    return sorted(domain.options, key=lambda dims: (sum(dims), len(dims)))
