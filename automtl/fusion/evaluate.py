"""What a score is on rows of data, many times with other parameters.

What stands under an exponent, and a product that is the whole score, must not be negative, nor any
factor of these: 0 counts as 0, the lowest there is.

Shapes: N rows.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from automtl.errors import ScoreError
from automtl.fusion.expression import (
    WIDEST_WEIGHT,
    Column,
    Negative,
    Number,
    Parameter,
    Power,
    Product,
    Score,
    Sum,
    exponents_of,
    parameters_of,
    shown,
    written,
)

__all__ = ["Evaluator"]

Floats = NDArray[np.float64]


class Evaluator:
    """A score on the rows of `columns` (finite, [N] each), for many values of its parameters.

    `rows` says which they are, for messages.
    """

    def __init__(self, score: Score, columns: Mapping[str, Floats], *, rows: str) -> None:
        self._score, self._columns, self._rows = score, columns, rows
        self._num_rows = len(next(iter(columns.values())))
        self._logs: dict[Score, Floats | float] = {}  # of what holds no parameter

    def __call__(self, parameters: Mapping[str, float]) -> Floats:
        """Numbers [N] that order the rows as the score does: the score, of a product its logarithm
        (-inf where it is 0), which neither overflows nor vanishes.

        ScoreError where something that must not be negative is, or the score is not finite.
        """
        of_product = isinstance(self._score, Power | Product)
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            found = (self._log if of_product else self._value)(self._score, parameters)
        order_N = np.broadcast_to(np.asarray(found, dtype=np.float64), self._num_rows)
        if not (order_N < np.inf).all() or (not of_product and np.isneginf(order_N).any()):
            raise ScoreError(
                f"--score: {self._named(self._score)} is not finite on {self._rows} rows for "
                f"{_values(parameters)}; scale its columns by a number, such as 0.001"
            )
        return order_N

    def _value(self, score: Score, parameters: Mapping[str, float]) -> Floats | float:
        match score:
            case Number(value):
                return value
            case Column(name):
                return self._columns[name]
            case Parameter(name):
                return parameters[name]
            case Power():
                return np.asarray(np.exp(self._log(score, parameters)))
            case Product(factors):
                first, *others = (self._value(one, parameters) for one in factors)
                for other in others:
                    first = first * other
                return first
            case Negative(term):
                return -self._value(term, parameters)
            case Sum(terms):
                first, *others = (self._value(one, parameters) for one in terms)
                for other in others:
                    first = first + other
                return first

    def _log(self, score: Score, parameters: Mapping[str, float]) -> Floats | float:
        match score:
            case Power(base, exponent):
                return self._value(exponent, parameters) * self._log(base, parameters)
            case Product(factors):
                first, *others = (self._log(one, parameters) for one in factors)
                for other in others:
                    first = first + other
                return first
            case _ if score in self._logs:
                return self._logs[score]
            case _:
                value = np.asarray(self._value(score, parameters), dtype=np.float64)
                self._check_not_negative(score, value, parameters)
                found = np.asarray(np.log(value))
                if not parameters_of(score):
                    self._logs[score] = found
                return found

    def _check_not_negative(
        self, score: Score, value: Floats, parameters: Mapping[str, float]
    ) -> None:
        if (wrong := value < 0).any():
            used = {name: parameters[name] for name in parameters_of(score)}
            where = f" for {_values(used)}" if used else ""
            raise ScoreError(
                f"--score: {self._named(score)} is negative in {int(wrong.sum()):,} {self._rows} "
                f"rows{where} (lowest {value.min():g}); what is multiplied or under an exponent "
                f"must not be: {_way_out(score)}"
            )

    def _named(self, score: Score) -> str:
        return shown(written(score))


def _way_out(score: Score) -> str:
    weights = [one for one in parameters_of(score) if one not in exponents_of(score)]
    if not weights:
        return "give it a term of a sum, or add a number to it"
    return (
        f"a weight is searched from {1 / WIDEST_WEIGHT:g} to {WIDEST_WEIGHT:g}, so write a number "
        f"that is small enough in place of {' and '.join(weights)}, or add where it takes away"
    )


def _values(parameters: Mapping[str, float]) -> str:
    return ", ".join(f"{name} = {value:g}" for name, value in parameters.items()) or "every value"
