"""What travels to a worker, what the worker does with it, and who hears of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from automtl.config import Evaluation, TrialConfig
from automtl.search.home import HERE, Home

__all__ = ["Assignment", "Job", "Loop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One trial to run: plain data that travels to a worker."""

    number: int
    config: TrialConfig
    seed: int


class Job(Protocol):
    """What a worker does with an assignment; it must survive a pickle."""

    def run(self, assignment: Assignment, home: Home = HERE) -> Iterator[Evaluation]:
        """Trains from one evaluation to the next; whoever iterates may stop early.

        Raises RunError where no trial can run on this machine, and DiskFailureError where none can
        be kept: these end the search.
        """


class Loop(Protocol):
    """What an executor asks and tells: `propose` whenever it could start a trial, `report` at each
    evaluation, and one of `complete`, `fail` and `lose` when a trial has ended."""

    def propose(self) -> Assignment | Literal["wait", "finished"]:
        """The next trial to run. "wait": nothing now, ask again when a running trial has ended.
        "finished": never again."""

    def report(self, number: int, evaluation: Evaluation) -> Literal["continue", "stop"]:
        """Keeps an evaluation and says whether to go on. After "stop" comes `complete`."""

    def complete(self, number: int) -> None:
        """The trial ran to its end, or was stopped."""

    def fail(self, number: int, reason: str, traceback: str = "") -> None:
        """The trial died; the others go on."""

    def lose(self, number: int, reason: str) -> None:
        """The trial died of what may be no fault of its own: its machine, or a lack of memory."""
