"""Executors that train nothing: simulated time over known curves, and a study met again.

Both drive the search loop itself, so what holds for them holds for a search that trains.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from automtl.config import Evaluation
from automtl.search.assignment import Assignment, Job, Loop
from automtl.search.endings import describe_failure
from automtl.study import Arrival, Study

__all__ = ["ReplayExecutor", "SimulatedExecutor"]


class SimulatedExecutor:
    """Runs `num_workers` trials at once in simulated seconds.

    An evaluation arrives its `wall_s` after its trial has started, so a job that reads recorded or
    tabulated curves takes no time. Give the loop `clock`, and its budgets count the same seconds.
    `ended_s` says when each trial ended.
    """

    def __init__(self, *, num_workers: int = 1) -> None:
        self.num_workers = num_workers
        self.now_s = 0.0
        self.ended_s: dict[int, float] = {}

    def clock(self) -> float:
        return self.now_s

    def run(self, loop: Loop, job: Job) -> None:
        running: list[_Running] = []
        may_start = True
        while True:
            while may_start and len(running) < self.num_workers:
                turn = loop.propose()
                if not isinstance(turn, Assignment):
                    may_start = turn == "wait"
                    break
                trial = _Running(self.now_s, turn.number, self.now_s, job.run(turn))
                self._advance(running, loop, trial)
            if not running:
                return
            trial = heapq.heappop(running)
            self.now_s = trial.due_s
            if trial.evaluation is None or loop.report(trial.number, trial.evaluation) == "stop":
                self.ended_s[trial.number] = self.now_s
                loop.complete(trial.number)
            else:
                self._advance(running, loop, trial)

    def _advance(self, running: list[_Running], loop: Loop, trial: _Running) -> None:
        """Puts off what `trial` says next until it is due."""
        try:
            trial.evaluation = next(trial.evaluations, None)
        except Exception as error:
            self.ended_s[trial.number] = self.now_s
            loop.fail(trial.number, *describe_failure(error))
        else:
            if trial.evaluation is not None:
                trial.due_s = max(self.now_s, trial.started_s + trial.evaluation.wall_s)
            heapq.heappush(running, trial)


@dataclass(order=True, slots=True)
class _Running:
    """A trial and what it says at `due_s`; those due at once speak in the order of their starts."""

    due_s: float
    number: int
    started_s: float = field(compare=False)
    evaluations: Iterator[Evaluation] = field(compare=False)
    evaluation: Evaluation | None = field(compare=False, default=None)


class ReplayExecutor:
    """Meets the events of a study again, in their order, whoever ran it and on however many
    workers: a loop of the same spec makes the same proposals and decisions."""

    def __init__(self, study: Study) -> None:
        self._failures = {
            record.number: (record.reason, record.traceback)
            for record in study.history()
            if record.state == "failed"
        }
        self._lost = {
            record.number: record.reason
            for record in study.history()
            if record.state == "interrupted" and record.reason
        }
        self._arrivals: Sequence[Arrival] = study.arrivals()

    def run(self, loop: Loop) -> None:
        """Raises AssertionError where the loop starts another trial."""
        for arrival in self._arrivals:
            match arrival:
                case Arrival("start", number):
                    turn = loop.propose()
                    assert isinstance(turn, Assignment), turn
                    assert turn.number == number
                case Arrival("evaluation", number, evaluation) if evaluation is not None:
                    loop.report(number, evaluation)
                case Arrival("end", number) if number in self._failures:
                    loop.fail(number, *self._failures[number])
                case Arrival("end", number) if number in self._lost:
                    loop.lose(number, self._lost[number])
                case Arrival("end", number):
                    loop.complete(number)
