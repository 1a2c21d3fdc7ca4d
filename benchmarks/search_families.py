"""Our samplers on our own conditional space of seven families, without training.

    python benchmarks/search_families.py [--seeds 6] [--trials 24 60 120] [--samplers NAME ...]
                                         [--out JSON]

Every family has AUC surfaces of its own over its knobs and the shared ones, of different height and
with other best places; params are counted for real. So the front runs through several families, as
in a search. A search starts with the plan of every search (`search/plan.py`). The hypervolume is a
share of that of 20,000 configurations by chance; a search can pass 1. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from automtl import pareto
from automtl.config import (
    CategoricalFeature,
    Evaluation,
    FeatureSchema,
    Table,
    TaskSchema,
    TrialConfig,
)
from automtl.models.cost import costs
from automtl.records import TrialRecord
from automtl.search.plan import plan_trials
from automtl.search.sampler import Proposal, Sampler
from automtl.search.strategies import StrategyName
from automtl.search.strategies.unit import value_at
from automtl.space import sample
from automtl.spec.schema import Spec

Floats = npt.NDArray[np.float64]

NUM_BY_CHANCE = 20_000

FEATURES = FeatureSchema(
    tables=(Table(name="user", num_rows=1000), Table(name="item", num_rows=400)),
    categorical=(
        CategoricalFeature(name="user", table="user"),
        CategoricalFeature(name="item", table="item"),
    ),
)
TASKS = (TaskSchema(name="click"), TaskSchema(name="buy", given="click"))
EXPERTS = {"int": [1, 4]}
SPACE: Mapping[str, Any] = {
    "embedding_dim": {"choice": [8, 4, 16, 32]},
    "sharing": [
        {"family": "single_task"},
        {"family": "shared_embedding"},
        {"family": "shared_bottom"},
        {"family": "omoe", "num_shared_experts": {"int": [2, 8]}},
        {"family": "mmoe", "num_shared_experts": {"int": [2, 8]}},
        {"family": "cgc", "num_shared_experts": EXPERTS, "num_task_experts": EXPERTS},
        {
            "family": "ple",
            "num_levels": {"int": [2, 3]},
            "num_shared_experts": EXPERTS,
            "num_task_experts": EXPERTS,
        },
    ],
    "dependency": {"choice": ["none", "esmm"]},
    "expert_dims": {"choice": [[64], [128, 64], [32], [256, 128]]},
    "tower_dims": {"choice": [[32], [16], [64, 32]]},
    "dropout": {"float": [0.0, 0.5]},
    "loss_weights": {"buy": {"float": [0.1, 10], "log": True}},
    "lr": {"float": [1e-4, 1e-2], "log": True},
    "embedding_lr": {"float": [0.01, 0.2], "log": True},
    "batch_size": {"choice": [1024, 512, 2048]},
}
HEIGHT = {  # of click, of buy, and the best log10 of the learning rate
    "single_task": (0.000, 0.000, -3.2),
    "shared_embedding": (0.004, 0.008, -3.0),
    "shared_bottom": (0.006, 0.004, -2.9),
    "omoe": (0.008, 0.006, -2.8),
    "mmoe": (0.012, 0.010, -2.7),
    "cgc": (0.011, 0.014, -2.6),
    "ple": (0.010, 0.017, -2.4),
}


def spec(sampler: str, trials: int, seed: int) -> Spec:
    """A search of `trials` trials over `SPACE` for two AUCs and few params."""
    return Spec.from_dict(
        {
            "version": 1,
            "name": "families",
            "data": {
                "generate": {"name": "impressions", "num_rows": 1000},
                "split": {"random": True},
                "categorical": ["user_id", "item_id"],
            },
            "tasks": {
                "click": {"label": "click"},
                "buy": {"label": "conversion", "given": "click"},
            },
            "objectives": ["click.auc", "buy.auc", "params"],
            "space": dict(SPACE),
            "search": {"trials": trials, "sampler": sampler, "seed": seed},
        }
    )


def metrics(config: TrialConfig) -> dict[str, float]:
    """What a training of `config` would come to."""
    model, train = config.model, config.train
    click, buy, best_lr = HEIGHT[model.family]
    capacity = math.log2(model.embedding_dim * sum(model.expert_dims))
    experts = model.num_shared_experts + 1.5 * model.num_task_experts * (
        model.family in ("cgc", "ple")
    )
    rate = (math.log10(train.lr) - best_lr + 0.1 * (capacity - 11)) ** 2
    table_rate = (math.log10(train.embedding_lr) + 1.2) ** 2
    drop = (model.dropout - 0.03 * max(capacity - 9, 0)) ** 2
    weight = math.log10(train.loss_weights.get("buy", 1.0))
    esmm = model.dependency == "esmm"
    shared = (
        0.012 * (1 - math.exp(-(capacity - 5) / 2.5))
        + 0.006 * (1 - math.exp(-experts / 3))
        - 0.02 * rate
        - 0.01 * table_rate
        - 0.05 * drop
        - 0.001 * abs(math.log2(train.batch_size / 1024))
        + 0.001 * len(model.tower_dims)
    )
    return {
        "click.auc": 0.72 + click + shared - 0.004 * (weight + 0.3) ** 2 - 0.002 * esmm,
        "buy.auc": 0.66
        + buy
        + 1.2 * shared
        - 0.008 * (weight - 0.6 + 0.5 * esmm) ** 2
        + 0.005 * esmm * (model.family in ("shared_embedding", "shared_bottom", "mmoe")),
        **costs(model, FEATURES, TASKS),
    }


def search(sampler: str, trials: int, seed: int) -> tuple[Floats, list[float]]:
    """(losses_NM in the order of trials, seconds a proposal) of a whole search."""
    searched = spec(sampler, trials, seed)
    objectives = searched.objective_list()
    proposer = Sampler(searched)
    plan = list(plan_trials(searched))
    history: list[TrialRecord] = []
    seconds = []
    for number in range(trials):
        start = time.perf_counter()
        proposer.learn(history)
        proposal = None
        while not isinstance(proposal, Proposal):
            pins = plan.pop(0).pins if plan else {}
            proposal = proposer.propose(number=number, pins=pins)
        seconds.append(time.perf_counter() - start)
        history.append(_complete(number, proposal, [o.name for o in objectives]))
    rows = [[record.metrics[o.name] for o in objectives] for record in history]
    return pareto.to_losses(rows, objectives), seconds


def by_chance() -> Floats:
    """losses_NM of `NUM_BY_CHANCE` configurations."""
    searched = spec("random", 1, 0)
    objectives = searched.objective_list()
    random = np.random.default_rng(0)
    found = [
        metrics(sample(searched, lambda _, domain: value_at(domain, random.random())))
        for _ in range(NUM_BY_CHANCE)
    ]
    return pareto.to_losses([[one[o.name] for o in objectives] for one in found], objectives)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--trials", type=int, nargs="+", default=[24, 60, 120])
    names = get_args(StrategyName)
    parser.add_argument("--samplers", nargs="+", choices=names, default=names)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    chance_NM = by_chance()
    ref_M = pareto.reference_point(chance_NM)
    volume = pareto.hypervolume(chance_NM, ref_M)
    raw = json.loads(options.out.read_text()) if options.out and options.out.exists() else {}
    for seed in range(options.seeds):
        for trials in options.trials:
            for name in options.samplers:
                if (key := f"{name}|{trials}|{seed}") not in raw:
                    losses_NM, seconds = search(name, trials, seed)
                    share = pareto.hypervolume(losses_NM, ref_M) / volume
                    raw[key] = [share, float(np.median(seconds[-10:]))]
                    if options.out:
                        options.out.write_text(json.dumps(raw))
    print("| sampler | " + " | ".join(f"{t} trials" for t in options.trials) + " |")
    print("|---" * (1 + len(options.trials)) + "|")
    for name in options.samplers:
        cells = []
        for trials in options.trials:
            share_S = np.array([raw[f"{name}|{trials}|{s}"][0] for s in range(options.seeds)])
            error = share_S.std(ddof=min(1, len(share_S) - 1)) / np.sqrt(len(share_S))
            cells.append(f"{share_S.mean():.3f} ± {error:.3f}")
        print(f"| {name} | " + " | ".join(cells) + " |")


def _complete(number: int, proposal: Proposal, names: Sequence[str]) -> TrialRecord:
    values = metrics(proposal.config)
    return TrialRecord(
        number=number,
        state="complete",
        role="search",
        params=proposal.params,
        config=proposal.config,
        evaluations=(Evaluation(epochs=1.0, examples=1, wall_s=0.0, metrics=values),),
        values={name: values[name] for name in names},
        feasible=True,
        in_space=True,
        reason="",
        traceback="",
        started=None,
        finished=None,
        seed=0,
        origin=number,
        planned="",
        has_weights=False,
    )


if __name__ == "__main__":
    main()
