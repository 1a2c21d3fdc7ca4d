"""A score made of several predictions, as a tree: its parts, what is free in it, its text.

How it is written: `parse.py`. What it is worth: `evaluate.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "WIDEST_EXPONENT",
    "WIDEST_WEIGHT",
    "Column",
    "Negative",
    "Number",
    "Parameter",
    "Power",
    "Product",
    "Score",
    "Sum",
    "anchor",
    "columns_of",
    "exponents_of",
    "filled",
    "parameters_of",
    "shown",
    "written",
]

WIDEST_EXPONENT = 8.0  # a free one is between 1/8 and 8, against one that is 1
WIDEST_WEIGHT = 1e4


# ---- the tree ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Number:
    """A value that stays as it is, >= 0."""

    value: float


@dataclass(frozen=True, slots=True)
class Column:
    """A prediction or a column of the data, by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value to be found, > 0; one lower-case letter."""

    name: str


@dataclass(frozen=True, slots=True)
class Power:
    base: Score
    exponent: Number | Parameter


@dataclass(frozen=True, slots=True)
class Product:
    """Two factors at least."""

    factors: tuple[Score, ...]


@dataclass(frozen=True, slots=True)
class Negative:
    """A term that is taken away; only in a Sum, and never its first."""

    term: Score


@dataclass(frozen=True, slots=True)
class Sum:
    """Two terms at least."""

    terms: tuple[Score, ...]


Score: TypeAlias = Number | Column | Parameter | Power | Product | Negative | Sum


# ---- questions about a tree ----------------------------------------------------------------


def parameters_of(score: Score) -> tuple[str, ...]:
    """The free parameters, each once, in the order in which they stand."""
    found = (node.name for node in _nodes(score) if isinstance(node, Parameter))
    return tuple(dict.fromkeys(found))


def exponents_of(score: Score) -> frozenset[str]:
    """The free parameters that are exponents; the others are weights."""
    powers = (node.exponent for node in _nodes(score) if isinstance(node, Power))
    return frozenset(one.name for one in powers if isinstance(one, Parameter))


def columns_of(score: Score) -> tuple[str, ...]:
    """The names of predictions and columns, each once, in the order in which they stand."""
    found = (node.name for node in _nodes(score) if isinstance(node, Column))
    return tuple(dict.fromkeys(found))


def anchor(score: Score) -> str | None:
    """The parameter that may be held at 1 because only ratios of parameters change the order.

    Of a product of powers whose exponents are all free, and of a sum whose terms all have one free
    weight, unless such a parameter stands somewhere else as well; else None.
    """
    match score:
        case Power() | Product():
            factors = score.factors if isinstance(score, Product) else (score,)
            scales = [one.exponent if isinstance(one, Power) else None for one in factors]
        case Sum():
            scales = [_weight(term) for term in score.terms]
        case _:
            return None
    names = [one.name for one in scales if isinstance(one, Parameter)]
    num_places = sum(isinstance(one, Parameter) and one.name in names for one in _nodes(score))
    return names[0] if len(names) == len(scales) == num_places else None


def _weight(term: Score) -> Parameter | None:
    """The only free factor of a term."""
    term = term.term if isinstance(term, Negative) else term
    factors = term.factors if isinstance(term, Product) else ()
    found = [one for one in factors if isinstance(one, Parameter)]
    return found[0] if len(found) == 1 else None


def filled(score: Score, parameters: Mapping[str, float]) -> Score:
    """The score with numbers in place of its parameters; a 1 that changes nothing is left out."""
    match score:
        case Parameter(name):
            return Number(parameters[name])
        case Power(base, exponent):
            value = exponent.value if isinstance(exponent, Number) else parameters[exponent.name]
            inner = filled(base, parameters)
            return inner if value == 1 else Power(inner, Number(value))
        case Product(factors):
            parts = tuple(filled(one, parameters) for one in factors)
            counting = tuple(one for one in parts if one != Number(1.0)) or (Number(1.0),)
            return counting[0] if len(counting) == 1 else Product(counting)
        case Negative(term):
            return Negative(filled(term, parameters))
        case Sum(terms):
            return Sum(tuple(filled(one, parameters) for one in terms))
        case _:
            return score


def _nodes(score: Score) -> Iterator[Score]:
    yield score
    match score:
        case Power(base, exponent):
            inner: tuple[Score, ...] = (base, exponent)
        case Product(parts) | Sum(parts):
            inner = parts
        case Negative(term):
            inner = (term,)
        case _:
            inner = ()
    for one in inner:
        yield from _nodes(one)


# ---- text ----------------------------------------------------------------------------------


def written(score: Score) -> str:
    """The score as text that `parse` reads as the same tree."""
    match score:
        case Number(value):
            return repr(value).removesuffix(".0")
        case Column(name):
            return name if re.fullmatch(r"[^\W\d]\w+", name) else f"[{name}]"
        case Parameter(name):
            return name
        case Power(base, exponent):
            return f"{_inside(base, (Power, Product, Sum))}^{written(exponent)}"
        case Product(factors):
            return " * ".join(_inside(one, (Product, Sum)) for one in factors)
        case Negative(term):
            return f"- {_inside(term, (Sum,))}"
        case Sum(terms):
            parts = [_inside(one, (Sum,)) for one in terms]
            signs = ["", *(" " if isinstance(one, Negative) else " + " for one in terms[1:])]
            return "".join(sign + part for sign, part in zip(signs, parts, strict=True))


def _inside(score: Score, loose: tuple[type, ...]) -> str:
    text = written(score)
    return f"({text})" if isinstance(score, loose) else text


def shown(text: str) -> str:
    """`text` as it may stand in a terminal: `?` for what is not a printable character."""
    return "".join(one if one.isprintable() else "?" for one in text)
