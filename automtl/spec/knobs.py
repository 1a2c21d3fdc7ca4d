"""The knobs of a spec in the one order in which they are asked for, each with its condition."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from automtl.spec.domains import Choice, Domain, Fixed, is_free, size
from automtl.spec.schema import Spec

__all__ = ["GATED_FAMILIES", "Knob", "Slot", "knobs", "slots", "space_size"]

GATED_FAMILIES = ("omoe", "mmoe", "cgc", "ple")
TRAINING = (
    "lr",
    "embedding_optimizer",
    "embedding_lr",
    "embedding_l2",
    "weight_decay",
    "batch_size",
)
WEIGHTED = ("fixed", "decay")  # loss weights do not apply to `uncertainty`, which learns its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """A free knob: its stable dotted name, its domain, and when it is asked for (None: always)."""

    name: str
    domain: Domain
    condition: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A knob, free or fixed, and the field of a TrialConfig that it fills.

    `key` is the task or column, for a field that is a mapping by name. The slot applies where
    the knob `needs[0]`, which comes earlier, has one of the values `needs[1]`.
    """

    name: str
    domain: Domain
    part: Literal["model", "train"]
    field: str
    key: str | None = None
    needs: tuple[str, tuple[str, ...]] | None = None

    def applies(self, chosen: Mapping[str, Any]) -> bool:
        """Whether the values chosen so far ask for this slot."""
        return self.needs is None or chosen[self.needs[0]] in self.needs[1]

    def fill(self, fields: dict[str, Any], value: Any) -> None:
        """Puts the knob's value into the fields of its part of a TrialConfig."""
        if self.key is None:
            fields[self.field] = value
        else:
            fields.setdefault(self.field, {})[self.key] = value


def slots(spec: Spec) -> tuple[Slot, ...]:
    """All knobs in the order of sampling: family and dependency, the model's, the training's."""
    space = spec.space
    found = [
        Slot(name="family", domain=_one_of(space.families), part="model", field="family"),
        Slot(name="dependency", domain=space.dependency, part="model", field="dependency"),
    ]
    found += _input_slots(spec)
    for block in space.sharing:
        found += [
            Slot(
                name=f"{block.family}.{name}",
                domain=domain,
                part="model",
                field=name,
                needs=("family", (block.family,)),
            )
            for name, domain in block.knobs().items()
        ]
    found += [
        Slot(name=name, domain=getattr(space, name), part="model", field=name, needs=needs)
        for name, needs in (
            ("expert_dims", None),
            ("tower_dims", None),
            ("gate_dims", ("family", GATED_FAMILIES)),
            ("gate_features", ("family", GATED_FAMILIES)),
            ("dropout", None),
        )
    ]
    found.append(Slot(name="weighting", domain=space.weighting, part="train", field="weighting"))
    for name, values in (("loss_weights", WEIGHTED), ("loss_decay", ("decay",))):
        by_task = getattr(space, name)
        found += [
            Slot(
                name=f"{name}.{task}",
                domain=by_task[task],
                part="train",
                field=name,
                key=task,
                needs=("weighting", values),
            )
            for task in spec.tasks
            if task in by_task
        ]
    found += [
        Slot(name=name, domain=getattr(space, name), part="train", field=name) for name in TRAINING
    ]
    found.append(Slot(name="epochs", domain=spec.search.epochs, part="train", field="epochs"))
    return tuple(found)


def _input_slots(spec: Spec) -> list[Slot]:
    """The knobs of what enters the trunk."""
    space = spec.space
    found = [
        Slot(name="embedding_dim", domain=space.embedding_dim, part="model", field="embedding_dim")
    ]
    found += [
        Slot(
            name=f"embedding_dims.{column}",
            domain=domain,
            part="model",
            field="embedding_dims",
            key=column,
        )
        for column, domain in space.embedding_dims.items()
    ]
    found += [
        Slot(name=name, domain=getattr(space, name), part="model", field=name)
        for name in (
            "embedding_dropout",
            "sequence_pooling",
            "numeric_encoding",
            "drop_features",
        )
    ]
    return found


def knobs(spec: Spec) -> tuple[Knob, ...]:
    """The free knobs that some trial of this spec is asked for, in their order."""
    every = slots(spec)
    options = {slot.name: _values(slot.domain) for slot in every}
    found = []
    for slot in every:
        condition, possible = None, True
        if slot.needs is not None:
            name, values = slot.needs
            reachable = [value for value in options[name] if value in values]
            possible = bool(reachable)
            if len(reachable) < len(options[name]):
                condition = f"{name} = {' | '.join(reachable)}"
        if is_free(slot.domain) and possible:
            found.append(Knob(name=slot.name, domain=slot.domain, condition=condition))
    return tuple(found)


def space_size(spec: Spec) -> float:
    """How many different TrialConfigs the spec can give: a count, or infinity."""
    every = slots(spec)
    deciding = {slot.needs[0] for slot in every if slot.needs is not None}
    common = math.prod(
        size(slot.domain) for slot in every if slot.needs is None and slot.name not in deciding
    )
    return common * math.prod(_branches(every, name) for name in sorted(deciding))


def _branches(every: tuple[Slot, ...], name: str) -> float:
    """The sum over the values of knob `name` of what the slots that need it add."""
    decider = next(slot for slot in every if slot.name == name)
    return sum(
        math.prod(
            size(slot.domain)
            for slot in every
            if slot.needs is not None and slot.needs[0] == name and value in slot.needs[1]
        )
        for value in _values(decider.domain)
    )


def _one_of(values: tuple[Any, ...]) -> Domain:
    return Choice(values) if len(values) > 1 else Fixed(values[0])


def _values(domain: Domain) -> tuple[Any, ...]:
    match domain:
        case Fixed(value):
            return (value,)
        case Choice(options):
            return options
        case _:
            return ()
