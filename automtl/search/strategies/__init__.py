"""Which configuration next: a strategy a file, on any list of named domains (`base.Strategy`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from automtl.search.strategies.base import SearchSpace, Strategy
from automtl.search.strategies.portfolio import Point

__all__ = ["StrategyName", "make_strategy"]

StrategyName = Literal["auto", "tpe", "gp", "nsga2", "random", "grid"]


def make_strategy(
    name: StrategyName,
    space: SearchSpace,
    *,
    seed: int,
    num_startup: int,
    num_objectives: int,
    start: Sequence[Point] = (),
) -> Strategy:
    """The strategy of this name; it draws by chance until `num_startup` trials have ended, `auto`
    the points of `start` first.

    Only what the strategy needs is imported: SciPy and Optuna take their time.
    """
    match name:
        case "auto":
            from automtl.search.strategies.auto import Auto

            return Auto(
                space,
                seed=seed,
                num_startup=num_startup,
                num_objectives=num_objectives,
                start=start,
            )
        case "tpe":
            from automtl.search.strategies.parzen import Parzen

            return Parzen(space, seed=seed, num_startup=num_startup, num_objectives=num_objectives)
        case "gp":
            from automtl.search.strategies.gaussian import Gaussian

            return Gaussian(space, seed=seed, num_startup=num_startup)
        case "nsga2":
            from automtl.search.strategies.genetic import Genetic

            return Genetic(space, seed=seed, num_startup=num_startup)
        case "random":
            from automtl.search.strategies.chance import Random

            return Random(seed=seed)
        case "grid":
            from automtl.search.strategies.grid import Grid

            return Grid(space)
