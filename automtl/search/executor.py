"""Who runs the trials that the loop proposes: what is asked of an executor, and the plain one."""

from __future__ import annotations

import traceback
from typing import Protocol

from automtl.errors import TrialFailedError
from automtl.search.assignment import Assignment, Job
from automtl.search.loop import SearchLoop

__all__ = ["Executor", "LocalExecutor", "describe_failure"]


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
