"""What a spec asks for, in numbers: families, knobs, the size of the space, the models' sizes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from automtl.config import (
    AGE,
    CategoricalFeature,
    DenseFeature,
    Family,
    FeatureSchema,
    ModelConfig,
    NumericFeature,
    SequenceFeature,
    Table,
    input_name,
)
from automtl.spec.domains import Choice, Domain, Fixed, IntRange, default, describe
from automtl.spec.knobs import knobs, slots, space_size
from automtl.spec.schema import Spec

__all__ = ["KnobSummary", "ModelSize", "Summary", "summarize"]

DIMS = ("expert_dims", "tower_dims", "gate_dims")
UNSIZED = ("family", "dependency", "dropout", "embedding_dropout")  # no matter of size
MAX_CORNERS = 128  # of one family; beyond that, only the ends of each list of widths


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

    `num_configs` is None for a continuous space. Without `has_embedding_sizes` (rows not encoded
    yet) models are compared by their dense parameters, without those of the `unsized` vectors.
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
    unsized: tuple[str, ...]
    smallest: ModelSize
    largest: ModelSize

    @property
    def size(self) -> str:
        """The size of the space in words."""
        return "continuous" if self.num_configs is None else f"{self.num_configs:,}"

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON data."""
        return asdict(self) | {"size": self.size}


def summarize(
    spec: Spec,
    *,
    features: FeatureSchema | None = None,
    list_widths: Mapping[str, int] | None = None,
) -> Summary:
    """The summary of `spec`; `features` are those of its encoded rows, None before encoding.
    `list_widths` is what the files say of the length of vectors before they are read."""
    widths = list_widths or {}
    sizes = _edge_sizes(spec, features, widths)
    num_configs = space_size(spec)
    weights = [task.weight or spec.data.weight for task in spec.tasks.values()]
    return Summary(
        name=spec.name,
        tasks=tuple(
            f"{task.name}: {task.kind}"
            + (f", given {task.given}" if task.given else "")
            + (f", weighted by {weight}" if weight else "")
            for task, weight in zip(spec.task_schemas(), weights, strict=True)
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
        unsized=tuple(name for name in spec.data.dense if not (features or name in widths)),
        smallest=min(sizes, key=_order),
        largest=max(sizes, key=_order),
    )


def _edge_sizes(
    spec: Spec, features: FeatureSchema | None, widths: Mapping[str, int]
) -> list[ModelSize]:
    from automtl.models.cost import costs  # no torch behind it

    counted = features or _unsized_features(spec, widths)
    tasks = spec.task_schemas()
    sizes = []
    for family in spec.space.families:
        for model in _corners(spec, family):
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


def _corners(spec: Spec, family: Family) -> Iterator[ModelConfig]:
    """The models of one family that can be its smallest or largest.

    The number of parameters rises with every whole-number knob, so all of these are at their low
    or all at their high end; what has no such order, lists of widths among it, is tried in full.
    """
    own = [
        slot
        for slot in slots(spec)
        if slot.part == "model"
        and slot.field not in UNSIZED
        and (slot.needs is None or slot.needs[0] != "family" or family in slot.needs[1])
    ]
    tried = {slot: _options(slot.domain) for slot in own if not _is_count(slot.domain)}
    if math.prod(len(options) for options in tried.values()) > MAX_CORNERS:
        tried |= {
            slot: tuple({min(options, key=_volume), max(options, key=_volume)})
            for slot, options in tried.items()
            if slot.field in DIMS
        }
    dependency = default(spec.space.dependency)
    for end in (min, max):
        ends = {slot: end(_ends(slot.domain)) for slot in own if slot not in tried}
        for values in itertools.product(*tried.values()):
            fields: dict[str, Any] = {"family": family, "dependency": dependency}
            for slot, value in (ends | dict(zip(tried, values, strict=True))).items():
                slot.fill(fields, value)
            yield ModelConfig(**fields)


def _unsized_features(spec: Spec, widths: Mapping[str, int]) -> FeatureSchema:
    """The features of `spec` with empty tables: their widths are known, their rows are not. A
    vector without a known length counts nothing."""
    data = spec.data
    sequence = tuple(
        SequenceFeature(name=name, table=one.shares or name, max_len=one.max_len)
        for name, one in data.sequence.items()
    )
    parts = [input_name(name, part) for name, one in data.time.items() for part in one.parts]
    cut = [name for name, one in data.numeric.items() if one.scale == "buckets"]
    numbers = [name for name in data.numeric if name not in cut]
    single = [*data.categorical, *parts, *cut]
    names = dict.fromkeys([*single, *(one.table for one in sequence)])
    ages = [input_name(name, AGE) for name, one in data.time.items() if one.age_at is not None]
    return FeatureSchema(
        tables=tuple(Table(name=name, num_rows=0) for name in names),
        categorical=tuple(CategoricalFeature(name=name, table=name) for name in single),
        numeric=tuple(NumericFeature(name=name) for name in [*numbers, *ages]),
        sequence=sequence,
        dense=tuple(DenseFeature(name=name, width=widths.get(name, 0)) for name in data.dense),
    )


def _order(size: ModelSize) -> int:
    return size.params_dense if size.params is None else size.params


def _ends(domain: Domain) -> tuple[Any, ...]:
    match domain:
        case IntRange(low, high):
            return (low, high)
        case _:
            return _options(domain)


def _is_count(domain: Domain) -> bool:
    values = _ends(domain)
    return all(isinstance(value, int) for value in values)


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
