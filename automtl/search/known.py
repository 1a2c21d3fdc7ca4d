"""What the knobs say of a model before it is trained, for a strategy: its size, as losses, and what
training it takes, as an effort.

That is no measured time, on which no decision may depend, but the square root of the operations of
an example: what 220 and 261 trainings of KuaiRand and of Census-Income took grew with the power of
0.63 and of 0.55 of them (correlations of the logarithms: .97 and .92).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from automtl import pareto
from automtl.config import CONFIGURED_COSTS, FeatureSchema, TaskSchema
from automtl.models.cost import FREE_FIELDS, costs
from automtl.search.strategies.base import Known, Told
from automtl.space import Pinned, knobs, sample
from automtl.spec.domains import Domain, default
from automtl.spec.knobs import slots
from automtl.spec.schema import Spec

__all__ = ["make_known"]


def make_known(spec: Spec, features: FeatureSchema, tasks: tuple[TaskSchema, ...]) -> Known | None:
    """Of a spec with objectives that `models.cost` counts, such as a model's size; else None."""
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

    def tell(values: Mapping[str, Any]) -> Told:
        config = sample(spec, Pinned(values, middle))
        found = costs(config.model, features, tasks)
        losses_1K = pareto.to_losses([[found[one.name] for one in counted]], counted)
        return Told(losses=tuple(losses_1K[0].tolist()), effort=math.sqrt(found["flops"]))

    return Known(objectives=places, knobs=names, tell=tell) if places else None
