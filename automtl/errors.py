"""The exception tree: every error a user can meet, with the exit code it ends the program with.

A message names the place, the value, the rule and the way out, in that order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "AutomtlError",
    "BundleError",
    "DataError",
    "Diagnostic",
    "MissingPackageError",
    "RunError",
    "SchemaError",
    "ScoreError",
    "SearchFailedError",
    "SpecError",
    "TrackingError",
    "TrialFailedError",
    "UserError",
]


class AutomtlError(Exception):
    """The root; an error of ours that is not the user's ends with exit code 3."""

    exit_code: ClassVar[int] = 3


class UserError(AutomtlError, ValueError):
    """Something the user gave us cannot work; nothing was started and nothing was written."""

    exit_code: ClassVar[int] = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One problem of a spec. `line` and `column` count from 1; 0 where no position is known."""

    key: str
    rule: str
    hint: str = ""
    line: int = 0
    column: int = 0


class SpecError(UserError):
    """A spec with problems: all of them, each with its position."""

    def __init__(self, source: str, diagnostics: Sequence[Diagnostic]) -> None:
        self.source = source
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(self._line(problem) for problem in self.diagnostics))

    def _line(self, problem: Diagnostic) -> str:
        place = f"{self.source}:{problem.line}:{problem.column}" if problem.line else self.source
        hint = f"; {problem.hint}" if problem.hint else ""
        return f"{place} {problem.key}: {problem.rule}{hint}"


class DataError(UserError):
    """The rows cannot be used as the spec says: a missing file, an unknown column, a bad label."""


class RunError(UserError):
    """A run directory cannot be made, opened, resumed or asked for what it does not hold."""


class BundleError(UserError):
    """An exported model is damaged, foreign, or does not fit the rows to score."""


class MissingPackageError(UserError, ImportError):
    """What was asked for needs a package that is not installed; `extras.py` knows which extra has
    it. An ImportError, too, so that `try: from automtl import …` works as it does elsewhere."""


class SchemaError(UserError):
    """A model is asked for by features, tasks or knobs that do not fit together."""


class ScoreError(UserError):
    """A score to rank by, or what judges it, cannot be read or does not fit the rows."""


class TrackingError(UserError):
    """Another tool cannot be told of a search: not known, not installed, or asked for wrongly."""


class TrialFailedError(AutomtlError):
    """One trial died for a reason we know (NaN loss, out of memory); the search goes on."""


class SearchFailedError(AutomtlError):
    """The search ran and has nothing to show: its first trials all failed."""

    exit_code: ClassVar[int] = 1
