"""The values that a knob may take: one fixed scalar, a range, or a choice.

In a spec a bare scalar is fixed; `{int: [1, 8]}`, `{float: [1e-5, 1e-2], log: true}` and
`{choice: [64, 128]}` are free.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from automtl.spec.problems import show

__all__ = [
    "Choice",
    "Domain",
    "Fixed",
    "FloatRange",
    "IntRange",
    "contains",
    "default",
    "describe",
    "is_free",
    "largest",
    "size",
    "to_plain",
]


@dataclass(frozen=True, slots=True)
class Fixed:
    """One value, which no sampler is asked for."""

    value: Any


@dataclass(frozen=True, slots=True)
class IntRange:
    """Whole numbers, both ends included; `log`: each doubling is as likely as the next."""

    low: int
    high: int
    log: bool = False


@dataclass(frozen=True, slots=True)
class FloatRange:
    """Numbers, both ends included; `log`: each power of ten is as likely as the next."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """At least two different options, without an order; the first is the default."""

    options: tuple[Any, ...]


Domain = Fixed | IntRange | FloatRange | Choice


def is_free(domain: Domain) -> bool:
    """Whether a sampler has something to decide."""
    return not isinstance(domain, Fixed)


def largest(domain: Domain) -> Any:
    """The largest value of a domain of numbers."""
    match domain:
        case Fixed(value):
            return value
        case Choice(options):
            return max(options)
        case IntRange(_, high) | FloatRange(_, high):
            return high


def default(domain: Domain) -> Any:
    """The value of a baseline: the first choice, or the (geometric, if log) middle of the range.

    The middle is rounded to three digits where that stays inside.
    """
    match domain:
        case Fixed(value):
            return value
        case Choice(options):
            return options[0]
        case IntRange(low, high, log):
            return round(math.sqrt(low * high)) if log else (low + high) // 2
        case FloatRange(low, high, log):
            middle = math.sqrt(low * high) if log else (low + high) / 2
            return min(max(float(f"{middle:.3g}"), low), high)


def contains(domain: Domain, value: Any) -> bool:
    """Whether a sampler may answer `value`; lists and tuples of the same items are equal."""
    value = tuple(value) if isinstance(value, list) else value
    match domain:
        case Fixed(fixed):
            return _same(fixed, value)
        case Choice(options):
            return any(_same(option, value) for option in options)
        case IntRange(low, high):
            return _is_number(value) and low <= value <= high and value == int(value)
        case FloatRange(low, high):
            return _is_number(value) and low <= value <= high


def size(domain: Domain) -> float:
    """How many values there are: a count, or infinity."""
    match domain:
        case Fixed():
            return 1
        case Choice(options):
            return len(options)
        case IntRange(low, high):
            return high - low + 1
        case FloatRange():
            return math.inf


def to_plain(domain: Domain) -> Any:
    """The domain as it stands in a spec."""
    match domain:
        case Fixed(value):
            return _listed(value)
        case Choice(options):
            return {"choice": [_listed(option) for option in options]}
        case IntRange(low, high, log):
            return {"int": [low, high]} | ({"log": True} if log else {})
        case FloatRange(low, high, log):
            return {"float": [low, high]} | ({"log": True} if log else {})


def describe(domain: Domain) -> str:
    """The domain in a few words: `16 | 8 | 32`, `2 to 8`, `0.0003 to 0.003 (log)`."""
    match domain:
        case Fixed(value):
            return show(value)
        case Choice(options):
            return " | ".join(show(option) for option in options)
        case IntRange(low, high, log) | FloatRange(low, high, log):
            return f"{low:g} to {high:g}" + (" (log)" if log else "")


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(left: Any, right: Any) -> bool:
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)
