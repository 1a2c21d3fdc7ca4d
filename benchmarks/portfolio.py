"""Writes what each data set here teaches a search to begin with.

    python benchmarks/portfolio.py > automtl/search/strategies/portfolio.json

Over the surrogate of a data set's recorded curves (`searches/surrogate.py`), of POOL random
configurations of its spec: greedily the one that adds most expected hypervolume for each second of
its training. The expectation is over the residuals of the regression, drawn for each configuration
by itself; the hypervolume is the share of random points that something dominates.

Shapes: C configurations, R residuals, P points, M objectives.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from curves import read_curves
from repeats import Floats
from searches.surrogate import Surrogate

from automtl import pareto
from automtl.config import TrialConfig
from automtl.data.cache import open_data
from automtl.search.sampler import search_space
from automtl.search.strategies.chance import choose_randomly
from automtl.search.strategies.portfolio import NUM_POINTS, Point, generalised
from automtl.space import sample
from automtl.spec.domains import Domain
from automtl.spec.load import load_spec
from automtl.spec.schema import Spec

ROOT = Path(__file__).parent.parent
NAMES = ("kuairand", "census_income")
POOL, NUM_RESIDUALS, PROBES, SEED = 3_000, 30, 2_000, 0
NUM_LAYERS = 5  # what lies behind so many fronts, by its expectation, is left out


def main() -> None:
    learnt = {name: taught_by(name) for name in NAMES}
    lines = (
        f'  "{name}": [\n' + ",\n".join(f"    {json.dumps(point)}" for point in points) + "\n  ]"
        for name, points in learnt.items()
    )
    print("{\n" + ",\n".join(lines) + "\n}")


def taught_by(name: str) -> list[Point]:
    spec = load_spec(ROOT / "search_spaces" / f"{name}.yaml")
    data = open_data(spec)
    curves = read_curves(Path(__file__).parent / "data" / f"{name}_curves.jsonl.gz")
    surrogate = Surrogate(curves, spec.objective_list(), data.features, data.tasks)
    random = np.random.default_rng(SEED)
    configs, points = pool(spec, random)
    expected = surrogate.expected(configs, num_residuals=NUM_RESIDUALS, random=random)
    losses_RCM = expected.losses_RCM
    for c in range(POOL):
        losses_RCM[:, c] = random.permutation(losses_RCM[:, c])
    chosen = greedily(losses_RCM, expected.seconds_C, random)
    print(f"{name}: {[points[c]['family'] for c in chosen]}", file=sys.stderr)
    return [
        {
            name: general if isinstance(general, str) else round(general, 2)
            for name, general in points[c].items()
        }
        for c in chosen
    ]


def pool(spec: Spec, random: np.random.Generator) -> tuple[list[TrialConfig], list[Point]]:
    """Random configurations, and what they are in general terms."""
    space, configs, points = search_space(spec), [], []
    for _ in range(POOL):
        params: dict[str, Any] = {}

        def choose(name: str, domain: Domain, params: dict[str, Any] = params) -> Any:
            params[name] = choose_randomly(random, name, domain)
            return params[name]

        configs.append(sample(spec, choose))
        points.append(generalised(space, params))
    return configs, points


def greedily(losses_RCM: Floats, seconds_C: Floats, random: np.random.Generator) -> list[int]:
    num_residuals, _, num_objectives = losses_RCM.shape
    near = np.flatnonzero(pareto.layers(losses_RCM.mean(axis=0)) < NUM_LAYERS)
    worst_M = pareto.reference_point(losses_RCM[:, near].reshape(-1, num_objectives))
    best_M = losses_RCM.min(axis=(0, 1))
    probes_PM = best_M + random.random((PROBES, num_objectives)) * (worst_M - best_M)
    covers = {c: (losses_RCM[:, c, None] <= probes_PM).all(axis=-1) for c in near.tolist()}
    left_RP = np.ones((num_residuals, PROBES), dtype=bool)
    chosen: list[int] = []
    while len(chosen) < NUM_POINTS:
        gains = {c: (covered & left_RP).sum() / seconds_C[c] for c, covered in covers.items()}
        best = max(gains, key=lambda c: gains[c])
        left_RP &= ~covers.pop(best)
        chosen.append(best)
    return chosen


if __name__ == "__main__":
    main()
