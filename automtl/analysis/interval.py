"""An estimate and how far it may be off, from a standard error and its degrees of freedom."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LEVEL", "Interval", "student_interval", "two_sided_p"]

LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with its standard error and the bounds of its interval, all in one unit."""

    estimate: float
    low: float
    high: float
    standard_error: float

    def excludes(self, value: float) -> bool:
        """Whether `value` lies outside: the estimate can be told from it at this level."""
        return not self.low <= value <= self.high


def student_interval(
    estimate: float, *, standard_error: float, degrees: float, level: float = LEVEL
) -> Interval:
    """The two-sided interval of Student's t with `degrees` of freedom, which need not be whole."""
    from scipy import special  # here: who only reads intervals does not wait for it

    reach = float(special.stdtrit(degrees, 0.5 + level / 2)) * standard_error
    return Interval(
        estimate=estimate,
        low=estimate - reach,
        high=estimate + reach,
        standard_error=standard_error,
    )


def two_sided_p(estimate: float, *, standard_error: float, degrees: float) -> float:
    """How often |t| is as large as here, or larger, if the truth is 0.

    Without any error nothing is left to chance: 1 for an estimate of 0, else 0.
    """
    if standard_error == 0:
        return 1.0 if estimate == 0 else 0.0
    from scipy import special

    return float(2 * special.stdtr(degrees, -abs(estimate) / standard_error))
