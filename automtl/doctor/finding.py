"""One thing that the doctor has to say, and how bad it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

__all__ = ["SEVERITIES", "Finding", "Severity", "by_severity"]

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`says` is a sentence with the numbers, `write` what to do about it in the spec.

    `error`: a search over these rows says nothing; `warning`: it may mislead; `note`: good to know.
    `check` names the kind of finding, `place` the key of the spec: `data.numeric: play_time_ms`.
    """

    severity: Severity
    check: str
    place: str
    says: str
    write: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.says}" + (f"; {self.write}" if self.write else "")


def by_severity(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The worst first, otherwise in their order."""
    return tuple(sorted(findings, key=lambda one: SEVERITIES.index(one.severity)))
