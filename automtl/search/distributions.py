"""Domains as Optuna writes them, options by their labels: what a study's journal holds."""

from __future__ import annotations

from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from automtl.spec.domains import Choice, Domain, Fixed, FloatRange, IntRange

__all__ = ["BaseDistribution", "distribution", "from_label", "labels", "to_label"]


def distribution(domain: Domain) -> BaseDistribution:
    """A free knob's domain as Optuna writes it; options by their labels."""
    match domain:
        case IntRange(low, high, log):
            return IntDistribution(low, high, log=log)
        case FloatRange(low, high, log):
            return FloatDistribution(low, high, log=log)
        case Choice():
            return CategoricalDistribution(labels(domain))
        case Fixed():
            raise AssertionError("a fixed knob is not proposed")


def to_label(domain: Domain, value: Any) -> Any:
    """The value as it stands among a trial's params: `128-64` for the option (128, 64)."""
    match domain:
        case Choice(options):
            value = tuple(value) if isinstance(value, list) else value
            return labels(domain)[options.index(value)]
        case _:
            return value


def from_label(domain: Domain, label: Any) -> Any:
    """The inverse of `to_label`."""
    match domain:
        case Choice(options):
            return options[labels(domain).index(label)]
        case _:
            return label


def labels(domain: Choice) -> list[Any]:
    """The options as they stand among params, in the order of the spec."""
    return [
        ("-".join(map(str, option)) or "none") if isinstance(option, tuple) else option
        for option in domain.options
    ]
