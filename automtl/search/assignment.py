"""What travels to a worker, and what the worker does with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from automtl.config import Evaluation, TrialConfig

__all__ = ["Assignment", "Job"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One trial to run: plain data that travels to a worker."""

    number: int
    config: TrialConfig
    seed: int


class Job(Protocol):
    """What a worker does with an assignment; it must survive a pickle."""

    def run(self, assignment: Assignment) -> Iterator[Evaluation]:
        """Trains from one evaluation to the next; whoever iterates may stop early."""
