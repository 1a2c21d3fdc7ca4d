"""A made-up objective over our own conditional space of seven families: no training, no noise.

Every family has an AUC surface of its own over its knobs and the shared ones, of different height
and with other best places; params are counted for real. So the front runs through several families
as in a search.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from automtl.config import CategoricalFeature, FeatureSchema, Table, TaskSchema, TrialConfig
from automtl.models.cost import costs
from automtl.spec.schema import Spec

__all__ = ["SPACE", "metrics", "spec"]

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
