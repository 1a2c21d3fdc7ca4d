"""Trials in processes of this machine, without Ray: a search starts seconds sooner."""

from __future__ import annotations

from contextlib import ExitStack
from multiprocessing.connection import wait
from typing import Any, Literal

from automtl.config import Evaluation
from automtl.search.assignment import Assignment, Job, Loop
from automtl.search.endings import Death, Ended, tell
from automtl.search.executor import worker_environment
from automtl.search.heartbeat import Watchdog
from automtl.search.machine import checked_room, gpu_names, num_cpus
from automtl.search.worker_process import WorkerProcess

__all__ = ["ProcessExecutor"]


class ProcessExecutor:
    """Many trials at once, each process one after the other.

    `cpus` and `gpus` are what one trial takes; without a GPU `gpus` does not count. `workers` is
    how many trials run at once, by default what the machine has room for; no more than that share a
    GPU. `watchdog` finds the trials that hang; their processes are killed.
    """

    def __init__(
        self, *, workers: int | None, cpus: float, gpus: float, watchdog: Watchdog | None = None
    ) -> None:
        self.workers, self.cpus, self.gpus, self.watchdog = workers, cpus, gpus, watchdog

    def run(self, loop: Loop, job: Job) -> None:
        """Raises RunError if the machine has no room for one trial, DiskFailureError where a trial
        cannot be kept."""
        workers: list[WorkerProcess] = []
        with ExitStack() as stack:
            for environment in self._environments():
                workers.append(WorkerProcess(environment))
                stack.callback(workers[-1].end)
            while _give_out(loop, job, workers):
                self._hear(loop, {w.connection: w for w in workers if w.number is not None})

    def _environments(self) -> list[dict[str, str]]:
        """Of each process."""
        gpus = gpu_names() if self.gpus else ()
        fitting = checked_room(
            num_cpus(), len(gpus), cpus=self.cpus, gpus=self.gpus, owner="this machine"
        )
        workers = self.workers or fitting
        of_all = worker_environment(self.cpus)
        if not gpus:
            return [of_all] * workers
        places = [name for _ in range(int(1 / self.gpus + 1e-9)) for name in gpus]
        return [of_all | {"CUDA_VISIBLE_DEVICES": name} for name in places[:workers]]

    def _hear(self, loop: Loop, busy: dict[Any, WorkerProcess]) -> None:
        """Waits until a trial tells something, or one may hang."""
        watchdog = self.watchdog
        for connection in wait(list(busy), None if watchdog is None else watchdog.check_s):
            self._follow(loop, busy[connection])
        hung = {} if watchdog is None else watchdog.hung()
        for worker in busy.values():
            if worker.number in hung:
                worker.end()
                self._end(loop, worker, Death(hung[worker.number]))

    def _follow(self, loop: Loop, worker: WorkerProcess) -> None:
        number, said = worker.number, worker.hear()
        assert number is not None, "nobody else has something to say"
        if isinstance(said, Ended | Death):
            self._end(loop, worker, said)
            return
        if self.watchdog is not None:
            self.watchdog.saw(number)
        if isinstance(said, Evaluation):
            verdict = loop.report(number, said)
            worker.answer(verdict)
            if verdict == "stop":
                self._end(loop, worker, Ended())

    def _end(self, loop: Loop, worker: WorkerProcess, how: Ended | Death) -> None:
        number, worker.number = worker.number, None
        assert number is not None
        if self.watchdog is not None:
            self.watchdog.ended(number)
        tell(loop, number, how)


def _give_out(loop: Loop, job: Job, workers: list[WorkerProcess]) -> bool:
    """Whether a trial runs, after all that could start have started."""
    turn: Assignment | Literal["wait", "finished"] = "wait"
    for worker in workers:
        if worker.number is None:
            turn = loop.propose()
            if not isinstance(turn, Assignment):
                break
            worker.give(job, turn)
    is_busy = any(worker.number is not None for worker in workers)
    assert is_busy or turn == "finished", "no trial runs, so there is nothing to wait for"
    return is_busy
