"""A domain as the interval from 0 to 1: every value owns a part of it, as long as it is likely.

Numbers are in their order, on the scale of their domain; so are the options of a choice if all of
them are numbers. The k options of another choice own a k-th each, in the order of the spec.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from automtl.spec.domains import Choice, Domain, Fixed, FloatRange, IntRange

__all__ = ["is_ordered", "options_in_order", "place", "snap", "value_at"]

Floats = npt.NDArray[np.float64]


def is_ordered(domain: Domain) -> bool:
    """Whether neighbours in the interval are neighbours in meaning."""
    return not isinstance(domain, Choice) or all(_is_number(option) for option in domain.options)


def options_in_order(domain: Choice) -> tuple[Any, ...]:
    """The options as they follow each other in the interval."""
    return tuple(sorted(domain.options)) if is_ordered(domain) else domain.options


def value_at(domain: Domain, unit: float) -> Any:
    """The value that owns `unit`."""
    match domain:
        case IntRange(low, high):
            return min(max(round(_at(domain, unit)), low), high)
        case FloatRange(low, high):
            return min(max(_at(domain, unit), low), high)
        case Choice(options):
            index = min(int(unit * len(options)), len(options) - 1)
            return options_in_order(domain)[index]
        case Fixed(value):
            return value


def place(domain: Domain, value: Any) -> float:
    """The middle of what `value` owns."""
    match domain:
        case IntRange() | FloatRange():
            low, high = _ends(domain)
            return (_scaled(domain, value) - low) / (high - low)
        case Choice(options):
            value = tuple(value) if isinstance(value, list) else value
            return (options_in_order(domain).index(value) + 0.5) / len(options)
        case Fixed():
            return 0.5


def snap(domain: Domain, unit_N: Floats) -> Floats:
    """Each unit moved to the middle of what its value owns."""
    match domain:
        case IntRange(low, high, log):
            start, end = _ends(domain)
            scaled_N = start + np.clip(unit_N, 0.0, 1.0) * (end - start)
            value_N = np.clip(np.rint(np.exp(scaled_N) if log else scaled_N), low, high)
            return ((np.log(value_N) if log else value_N) - start) / (end - start)
        case Choice(options):
            count = len(options)
            index_N = np.clip(np.floor(unit_N * count), 0, count - 1)
            return np.asarray((index_N + 0.5) / count)
        case _:
            return np.clip(unit_N, 0.0, 1.0)


def _at(domain: IntRange | FloatRange, unit: float) -> float:
    low, high = _ends(domain)
    scaled = low + unit * (high - low)
    return math.exp(scaled) if domain.log else scaled


def _ends(domain: IntRange | FloatRange) -> tuple[float, float]:
    """Of the interval on the domain's scale; the ends of a range of whole numbers own as much as
    the others."""
    margin = 0.5 if isinstance(domain, IntRange) else 0.0
    return _scaled(domain, domain.low - margin), _scaled(domain, domain.high + margin)


def _scaled(domain: IntRange | FloatRange, value: float) -> float:
    return math.log(value) if domain.log else value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
