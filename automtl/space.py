"""From a Spec to the configurations that it allows: the one place where a TrialConfig is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from automtl.config import Dependency, Family, TrialConfig, from_jsonable, to_jsonable
from automtl.spec.domains import Domain, Fixed, default
from automtl.spec.knobs import Knob, Slot, knobs, slots, space_size
from automtl.spec.schema import FAMILY_BLOCKS, SpaceSpec, Spec

__all__ = [
    "Knob",
    "Pinned",
    "Suggest",
    "default_values",
    "fixed_spec",
    "knobs",
    "sample",
    "space_size",
]


class Suggest(Protocol):
    """Chooses a value of a free knob; called in a fixed order, once a name."""

    def __call__(self, name: str, domain: Domain) -> Any: ...


class Pinned:
    """A Suggest whose `pins` win, inside the domain or not; `suggest` answers the rest.

    `sample` looks into `pins` for fixed knobs too, so that a baseline can have a family that the
    space does not name. Without `suggest`, a free knob that is not pinned is a KeyError.
    """

    def __init__(self, pins: Mapping[str, Any], suggest: Suggest | None = None) -> None:
        self.pins = dict(pins)
        self._suggest = suggest

    def __call__(self, name: str, domain: Domain) -> Any:
        if name in self.pins:
            return self.pins[name]
        if self._suggest is None:
            raise KeyError(name)
        return self._suggest(name, domain)


def sample(spec: Spec, suggest: Suggest) -> TrialConfig:
    """One configuration, `suggest` choosing every free knob that the choices before it leave open.

    Names are those of `knobs(spec)`. Knobs that a family or a weighting lacks keep the default
    of `config.py`. Raises ValueError when a value cannot be what its knob is.
    """
    pins = suggest.pins if isinstance(suggest, Pinned) else {}
    parts: dict[str, dict[str, Any]] = {"model": {}, "train": {}}
    chosen: dict[str, Any] = {}
    for slot in slots(spec):
        if slot.applies(chosen):
            chosen[slot.name] = _choose(slot, suggest, pins)
            slot.fill(parts[slot.part], chosen[slot.name])
    family: Family = chosen["family"]
    if family not in spec.space.families:
        parts["model"] |= _own_knobs(family, pins)
    return from_jsonable(TrialConfig, parts)  # lists become tuples, whole floats ints


def default_values(spec: Spec, family: Family, dependency: Dependency) -> dict[str, Any]:
    """Pins of a baseline: `family`, `dependency`, and the default of every free knob of it.

    A family that the space does not name must have no knobs of its own. Names and order are those
    that `sample` asks for.
    """
    values: dict[str, Any] = {"family": family, "dependency": dependency}

    def remember(name: str, domain: Domain) -> Any:
        values[name] = default(domain)
        return values[name]

    sample(spec, Pinned(values, remember))
    return values


def fixed_spec(spec: Spec, config: TrialConfig) -> dict[str, Any]:
    """The same spec with every knob fixed to `config`, as plain data that loads again.

    Data paths are kept as given, so relative ones still start at `spec.base_dir`.
    """
    raw = spec.to_dict()
    model, train = to_jsonable(config.model), to_jsonable(config.train)
    own = FAMILY_BLOCKS[config.model.family].knob_names()
    block = {"family": config.model.family} | {name: model[name] for name in own}
    values = {**model, **train, "sharing": [block]}
    space = {name: values[name] for name in SpaceSpec.model_fields if values[name] != {}}
    lists = {name: list(value) for name, value in space.items() if isinstance(value, tuple)}
    raw["space"] = space | lists
    raw["search"] |= {"epochs": config.train.epochs}
    return raw


def _choose(slot: Slot, suggest: Suggest, pins: Mapping[str, Any]) -> Any:
    if slot.name in pins:
        return pins[slot.name]
    if isinstance(slot.domain, Fixed):
        return slot.domain.value
    return suggest(slot.name, slot.domain)


def _own_knobs(family: Family, pins: Mapping[str, Any]) -> dict[str, Any]:
    """The pinned knobs of a family that the space has no block for."""
    if family not in FAMILY_BLOCKS:
        raise ValueError(f"{family} is no family; there are: {', '.join(FAMILY_BLOCKS)}")
    names = FAMILY_BLOCKS[family].knob_names()
    missing = [f"{family}.{name}" for name in names if f"{family}.{name}" not in pins]
    if missing:
        raise ValueError(f"{family} is not in the space: pin {', '.join(missing)} too")
    return {name: pins[f"{family}.{name}"] for name in names}
