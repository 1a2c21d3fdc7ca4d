"""Who runs the trials that the loop proposes: what is asked of an executor, and the plain one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from automtl.errors import TrialFailedError
from automtl.search.assignment import Assignment, Job, Loop
from automtl.search.disk import DiskFailureError
from automtl.search.endings import describe_failure
from automtl.search.heartbeat import Watchdog

__all__ = ["Executor", "LocalExecutor", "worker_environment"]


class Executor(Protocol):
    """Runs a job on what the loop proposes until the loop has no more."""

    def run(self, loop: Loop, job: Job) -> None:
        """Tells the loop of every evaluation and every end; a trial's failure is no exception."""


class LocalExecutor:
    """One trial after the other in this process: for tests, debugging and small machines.

    `watchdog` finds a trial that hangs, which is interrupted and fails. An alarm does it, so it
    works in the main thread only, and where Python runs: code that never comes back from C (a
    product of matrices, a read from a dead disk) cannot be interrupted. In another thread nobody
    watches.
    """

    def __init__(self, watchdog: Watchdog | None = None) -> None:
        self.watchdog = watchdog

    def run(self, loop: Loop, job: Job) -> None:
        while isinstance(assignment := loop.propose(), Assignment):
            self._run_trial(loop, job, assignment)
            if self.watchdog is not None:
                self.watchdog.ended(assignment.number)
        assert assignment == "finished", "no trial runs, so there is nothing to wait for"

    def _run_trial(self, loop: Loop, job: Job, assignment: Assignment) -> None:
        evaluations = job.run(assignment)
        while True:
            try:
                with self._watched(assignment.number):
                    evaluation = next(evaluations, None)
            except DiskFailureError:
                raise
            except Exception as error:
                return loop.fail(assignment.number, *describe_failure(error))
            if evaluation is None or loop.report(assignment.number, evaluation) == "stop":
                return loop.complete(assignment.number)

    @contextmanager
    def _watched(self, number: int) -> Iterator[None]:
        """Raises TrialFailedError inside the block if the trial hangs there."""
        watchdog = self.watchdog
        if watchdog is None or threading.current_thread() is not threading.main_thread():
            yield
            return

        def look(signum: int, frame: FrameType | None) -> None:
            if reason := watchdog.hung().get(number):
                raise TrialFailedError(reason)

        watchdog.saw(number)
        before = signal.signal(signal.SIGALRM, look)
        signal.setitimer(signal.ITIMER_REAL, watchdog.check_s, watchdog.check_s)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def worker_environment(cpus: float) -> dict[str, str]:
    """For a process that runs trials of so many cores: one thread a core; waiting threads sleep."""
    return {"OMP_NUM_THREADS": str(max(1, int(cpus))), "OMP_WAIT_POLICY": "PASSIVE"}
