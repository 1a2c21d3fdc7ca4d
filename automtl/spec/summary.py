"""What a spec asks for, in numbers: families, knobs, the size of the space, the models' sizes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from automtl.config import (
    CategoricalFeature,
    Family,
    FeatureSchema,
    ModelConfig,
    SequenceFeature,
    Table,
)
from automtl.spec.domains import Choice, Domain, Fixed, IntRange, default, describe
from automtl.spec.knobs import knobs, space_size
from automtl.spec.schema import Spec

__all__ = ["KnobSummary", "ModelSize", "Summary", "summarize"]

DIMS = ("expert_dims", "tower_dims", "gate_dims")
MAX_CORNERS = 512  # of one family; beyond that, only the ends of each list of widths


@dataclass(frozen=True, slots=True, kw_only=True)
class KnobSummary:
    """A free knob in words; `condition` is empty for one that is always asked for."""

    name: str
    domain: str
    condition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSize:
    """A model at the edge of the space. `params` is dense + embedding, None without row counts."""

    params: int | None
    params_dense: int
    params_embedding: int | None
    model: ModelConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All that `automtl validate` shows of a good spec.

    `num_configs` is None for a continuous space. Without
    `has_embedding_sizes` (rows not encoded yet) models are compared by their dense parameters.
    """

    name: str
    tasks: tuple[str, ...]
    objectives: tuple[str, ...]
    constraints: tuple[str, ...]
    families: tuple[str, ...]
    dependency: str
    knobs: tuple[KnobSummary, ...]
    num_configs: int | None
    num_trials: int
    epochs: str
    has_embedding_sizes: bool
    smallest: ModelSize
    largest: ModelSize

    @property
    def size(self) -> str:
        """The size of the space in words."""
        return "continuous" if self.num_configs is None else f"{self.num_configs:,}"

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON data."""
        return asdict(self) | {"size": self.size}


def summarize(spec: Spec, *, features: FeatureSchema | None = None) -> Summary:
    """The summary of `spec`; `features` are those of its encoded rows, None before encoding."""
    sizes = _edge_sizes(spec, features)
    num_configs = space_size(spec)
    return Summary(
        name=spec.name,
        tasks=tuple(
            f"{task.name}: {task.kind}" + (f", given {task.given}" if task.given else "")
            for task in spec.task_schemas()
        ),
        objectives=spec.objectives,
        constraints=spec.constraints,
        families=spec.space.families,
        dependency=describe(spec.space.dependency),
        knobs=tuple(
            KnobSummary(
                name=knob.name, domain=describe(knob.domain), condition=knob.condition or ""
            )
            for knob in knobs(spec)
        ),
        num_configs=None if math.isinf(num_configs) else int(num_configs),
        num_trials=spec.search.trials,
        epochs=describe(spec.search.epochs),
        has_embedding_sizes=features is not None,
        smallest=min(sizes, key=_order),
        largest=max(sizes, key=_order),
    )


def _edge_sizes(spec: Spec, features: FeatureSchema | None) -> list[ModelSize]:
    from automtl.models.cost import costs  # no torch behind it

    counted = features or _unsized_features(spec)
    tasks = spec.task_schemas()
    sizes = []
    for block in spec.space.sharing:
        for model in _corners(spec, block.family, block.knobs()):
            cost = costs(model, counted, tasks)
            sizes.append(
                ModelSize(
                    params=int(cost["params"]) if features else None,
                    params_dense=int(cost["params.dense"]),
                    params_embedding=int(cost["params.embedding"]) if features else None,
                    model=model,
                )
            )
    return sizes


def _corners(spec: Spec, family: Family, own: Mapping[str, Domain]) -> Iterator[ModelConfig]:
    """The models of one family that can be its smallest or largest.

    The number of parameters rises with every whole-number knob, so all of these are at their low
    or all at their high end; lists of widths have no such order and are all tried.
    """
    space = spec.space
    counts = {"embedding_dim": space.embedding_dim, **own}
    gates = {"num_gates": counts.pop("num_gates")} if "num_gates" in counts else {}
    lists = {name: _options(getattr(space, name)) for name in DIMS}
    if math.prod(len(options) for options in lists.values()) > MAX_CORNERS:
        lists = {name: (min(o, key=_volume), max(o, key=_volume)) for name, o in lists.items()}
    others = lists | {name: _options(domain) for name, domain in gates.items()}
    for end in (min, max):
        ends = {name: end(_ends(domain)) for name, domain in counts.items()}
        for values in itertools.product(*others.values()):
            yield ModelConfig(
                family=family,
                dependency=default(space.dependency),
                **ends,
                **dict(zip(others, values, strict=True)),
            )


def _unsized_features(spec: Spec) -> FeatureSchema:
    """The features of `spec` with empty tables: their widths are known, their rows are not."""
    data = spec.data
    sequence = tuple(
        SequenceFeature(name=name, table=one.shares or name, max_len=one.max_len)
        for name, one in data.sequence.items()
    )
    names = dict.fromkeys([*data.categorical, *(one.table for one in sequence)])
    return FeatureSchema(
        tables=tuple(Table(name=name, num_rows=0) for name in names),
        categorical=tuple(CategoricalFeature(name=name, table=name) for name in data.categorical),
        numeric=data.numeric,
        sequence=sequence,
    )


def _order(size: ModelSize) -> int:
    return size.params_dense if size.params is None else size.params


def _ends(domain: Domain) -> tuple[Any, ...]:
    match domain:
        case IntRange(low, high):
            return (low, high)
        case _:
            return _options(domain)


def _options(domain: Domain) -> tuple[Any, ...]:
    match domain:
        case Fixed(value):
            return (value,)
        case Choice(options):
            return options
        case _:
            raise AssertionError(f"no list of options: {domain}")


def _volume(dims: tuple[int, ...]) -> int:
    return sum(left * right for left, right in itertools.pairwise((64, *dims, 1)))
