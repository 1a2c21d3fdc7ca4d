"""Who runs the trials: the contract between the loop, a job and an executor, and the plain one."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from automtl.config import Evaluation, TrialConfig
from automtl.errors import TrialFailedError

if TYPE_CHECKING:
    from automtl.search.loop import SearchLoop

__all__ = ["Assignment", "Executor", "Job", "LocalExecutor", "describe_failure"]


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


class Executor(Protocol):
    """Runs a job on what the loop proposes until the loop has no more."""

    def run(self, loop: SearchLoop, job: Job) -> None:
        """Tells the loop of every evaluation and every end; a trial's failure is no exception."""


class LocalExecutor:
    """One trial after the other in this process: for tests, debugging and small machines."""

    def run(self, loop: SearchLoop, job: Job) -> None:
        while isinstance(assignment := loop.propose(), Assignment):
            self._run_trial(loop, job, assignment)
        assert assignment == "finished", "no trial runs, so there is nothing to wait for"

    def _run_trial(self, loop: SearchLoop, job: Job, assignment: Assignment) -> None:
        evaluations = job.run(assignment)
        while True:
            try:
                evaluation = next(evaluations, None)
            except Exception as error:
                return loop.fail(assignment.number, *describe_failure(error))
            if evaluation is None or loop.report(assignment.number, evaluation) == "stop":
                return loop.complete(assignment.number)


def describe_failure(error: Exception) -> tuple[str, str]:
    """(reason in one line, traceback) of what ended a trial."""
    text = str(error) or "no message"
    known = isinstance(error, TrialFailedError)
    reason = text if known else f"{type(error).__name__}: {text}"
    return reason.splitlines()[0], "".join(traceback.format_exception(error))
