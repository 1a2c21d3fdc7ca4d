"""How much of a search is left, from its rungs alone: arithmetic, nothing is read or measured.

A trial of the search reaches the end of its k-th stretch between rungs with probability
eta^-(k-1): a rung's best 1/eta go on. The defaults run to their end. The first
arrivals at a rung go on more often than that (there is always a best one), so a short search
takes somewhat more than is said here.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from automtl.records import TrialRecord, evaluation_epochs, is_judged
from automtl.search.fidelity import Ladder
from automtl.search.plan import REFERENCE_FAMILY
from automtl.spec.domains import default
from automtl.spec.schema import Spec

__all__ = [
    "Schedule",
    "done_epochs",
    "make_schedule",
    "most_reruns",
    "remaining_epochs",
    "remaining_evaluations",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A trial of `epochs`, judged at `rungs` (in epochs, rising), where the best 1/eta go on."""

    epochs: float
    rungs: tuple[float, ...]
    eta: int

    @property
    def stops(self) -> tuple[float, ...]:
        """Where it is evaluated: at the rungs on its way, and at its end."""
        return evaluation_epochs(self.epochs, self.rungs)

    @property
    def ending(self) -> tuple[float, ...]:
        """The share of trials that end at each of the `stops`; they sum to 1."""
        reach = [self._reached(index) for index in range(len(self.stops))]
        return tuple(here - after for here, after in itertools.pairwise([*reach, 0.0]))

    def expected_epochs(self, *, exempt: bool, done: float = 0.0) -> float:
        """Epochs that a trial is still to see, which has gone on after `done` of them.

        `exempt`: it runs to its end whatever it reaches.
        """
        if exempt:
            return max(0.0, self.epochs - done)
        ahead = [stop for stop in self.stops if stop > done * (1 + 1e-9)]
        stretches = enumerate(itertools.pairwise([done, *ahead]))
        return sum((end - start) * self._reached(index) for index, (start, end) in stretches)

    @property
    def expected_evaluations(self) -> float:
        """How often a trial that is judged is evaluated."""
        return sum(self._reached(index) for index in range(len(self.stops)))

    def _reached(self, index: int) -> float:
        """The share of those at a place that come `index` rungs further."""
        return float(self.eta) ** -index


def done_epochs(trials: Iterable[TrialRecord]) -> float:
    """Epochs that all trials together have seen, as far as their evaluations tell."""
    return sum(trial.evaluations[-1].epochs for trial in trials if trial.evaluations)


def make_schedule(spec: Spec, ladder: Ladder) -> Schedule:
    """That of a trial with the default number of epochs."""
    return Schedule(
        epochs=float(default(spec.search.epochs)), rungs=ladder.rungs, eta=spec.search.eta
    )


def remaining_epochs(
    schedule: Schedule, trials: Iterable[TrialRecord], *, budget: int, num_exempt: int
) -> float:
    """Epochs that are still to be seen: by the trials that run, and by those that will start.

    `num_exempt` of the `budget` trials are exempt; `schedule` is that of a trial to come.
    """
    trials = list(trials)
    running = sum(
        dataclasses.replace(schedule, epochs=trial.config.train.epochs).expected_epochs(
            exempt=not is_judged(trial), done=done_epochs([trial])
        )
        for trial in trials
        if trial.state == "running"
    )
    exempt, judged = _to_start(trials, budget=budget, num_exempt=num_exempt)
    return (
        running
        + exempt * schedule.expected_epochs(exempt=True)
        + judged * schedule.expected_epochs(exempt=False)
    )


def remaining_evaluations(
    schedule: Schedule, trials: Iterable[TrialRecord], *, budget: int, num_exempt: int
) -> float:
    """Evaluations of the trials that will start; the rest as in `remaining_epochs`."""
    exempt, judged = _to_start(list(trials), budget=budget, num_exempt=num_exempt)
    return exempt * len(schedule.stops) + judged * schedule.expected_evaluations


def most_reruns(spec: Spec) -> int:
    """How many runs the confirmation at the end trains at most: fewer if the front is short."""
    if spec.confirm is None:
        return 0
    num_baselines = sum(family != REFERENCE_FAMILY for family in spec.space.families)
    num_models = spec.confirm.candidates + 1 + (num_baselines if spec.confirm.baselines else 0)
    return spec.confirm.seeds * num_models


def _to_start(trials: Sequence[TrialRecord], *, budget: int, num_exempt: int) -> tuple[int, int]:
    """How many trials are still to start: exempt ones, and others."""
    to_start = max(0, budget - len(trials))
    exempt = max(0, num_exempt - sum(not is_judged(trial) for trial in trials))
    exempt = min(to_start, exempt)
    return exempt, to_start - exempt
