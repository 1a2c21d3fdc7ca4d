"""What the knobs say of a model before it is trained: its size, as losses for a strategy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automtl import pareto
from automtl.config import CONFIGURED_COSTS, FeatureSchema, TaskSchema
from automtl.models.cost import FREE_FIELDS, costs
from automtl.search.strategies.base import Known
from automtl.space import Pinned, knobs, sample
from automtl.spec.domains import Domain, default
from automtl.spec.knobs import slots
from automtl.spec.schema import Spec

__all__ = ["known_losses"]


def known_losses(
    spec: Spec, features: FeatureSchema, tasks: tuple[TaskSchema, ...]
) -> Known | None:
    """The objectives that `models.cost` counts; None if the spec has none of these."""
    objectives = spec.objective_list()
    places = tuple(m for m, one in enumerate(objectives) if one.name in CONFIGURED_COSTS)
    counted = [objectives[m] for m in places]
    free = {knob.name for knob in knobs(spec)}
    names = tuple(
        slot.name
        for slot in slots(spec)
        if slot.name in free and slot.part == "model" and slot.field not in FREE_FIELDS
    )

    def middle(name: str, domain: Domain) -> Any:
        return default(domain)

    def losses(values: Mapping[str, Any]) -> tuple[float, ...]:
        config = sample(spec, Pinned(values, middle))
        found = costs(config.model, features, tasks)
        row = [found[one.name] for one in counted]
        return tuple(pareto.to_losses([row], counted)[0].tolist())

    return Known(objectives=places, knobs=names, losses=losses) if places else None
