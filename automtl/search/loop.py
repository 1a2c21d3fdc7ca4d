"""The search itself, whoever runs the trials: what comes next, what to do with a result.

Every decision is a function of the study on disk and the spec; between two calls the loop holds
nothing that a kill could lose.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from automtl import records
from automtl.config import (
    CONFIGURED_COSTS,
    MEASURED_COSTS,
    Constraint,
    Evaluation,
    FeatureSchema,
    TaskSchema,
    TrialConfig,
)
from automtl.errors import SearchFailedError
from automtl.models.cost import costs
from automtl.records import NewTrial, TrialRecord
from automtl.search.assignment import Assignment
from automtl.search.known import make_known
from automtl.search.ledger import Ledger
from automtl.search.limits import Spent, device_s, share_used, used_up
from automtl.search.plan import PlannedTrial, budget, due_trials, plan_trials
from automtl.search.progress import Progress, Silent
from automtl.search.retry import again, lose, to_retry
from automtl.search.rungs import stop_reason
from automtl.search.sampler import Exhausted, Proposal, Sampler, accept_all
from automtl.spec.schema import Spec

__all__ = ["SearchLoop", "trial_seed"]

MAX_FAILURES = 3  # with no success in the whole study: something is wrong with all trials


def trial_seed(seed: int, number: int) -> int:
    """The seed of trial `number` in a search with `seed`."""
    sequence = np.random.SeedSequence(seed, spawn_key=(number, 0))
    return int(sequence.generate_state(1)[0])


class SearchLoop:
    """Drives one search in one process, the one that is `writing` the study.

    An executor calls `propose` whenever it could start a trial, `report` at each evaluation, and
    `complete`, `fail` or `lose` once when a trial has ended. `clock` tells seconds, from whatever
    start.
    """

    def __init__(
        self,
        ledger: Ledger,
        spec: Spec,
        *,
        features: FeatureSchema,
        tasks: tuple[TaskSchema, ...],
        progress: Progress | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger, self._spec = ledger, spec
        self._features, self._tasks = features, tasks
        self._progress = progress or Silent()
        self._sampler = Sampler(spec, make_known(spec, features, tasks))
        self._plan = plan_trials(spec)
        self._budget = budget(spec)
        self._failed: list[int] = []  # in this process: what failed before may have been mended
        self._skipped: set[str] = set()  # planned trials that would repeat another one
        self._exhausted = ""  # why there is nothing more to propose
        self._clock, self._searched_from_s = clock, clock() - ledger.wall_s
        ledger.set_ended("")

    def propose(self) -> Assignment | Literal["wait", "finished"]:
        """Starts the next trial: an interrupted one again, a planned one, or a proposal.

        "wait": nothing now, ask again when a running trial has ended. "finished": never again.
        """
        history = self._ledger.history()
        started = [record for record in history if record.state != "interrupted"]
        is_idle = not any(record.state == "running" for record in started)
        if self.is_finished():  # a trial that still runs may be lost, and is then run again
            return "finished" if is_idle or self._ledger.ended else "wait"
        if self._is_hopeless(started):
            return "finished" if is_idle else "wait"
        spent = self._spent(started)
        if why := used_up(self._spec.search, spent):
            self._ledger.set_ended(why)
            return "finished"
        if (interrupted := to_retry(history)) is not None:
            return self._start(again(interrupted))
        self._sampler.learn(history)
        known = {record.planned for record in history} | self._skipped
        due = due_trials(
            self._plan,
            started=known,
            num_started=len(started),
            num_trials=self._budget,
            share=1.0 if self._exhausted else share_used(self._spec.search, spent),
        )
        for planned in due:
            if (assignment := self._try(planned)) is not None:
                return assignment
            self._skipped.add(planned.key)
        if not self._exhausted and (assignment := self._try(None)) is not None:
            return assignment
        if {planned.key for planned in self._plan} - known - self._skipped:
            return self.propose()  # the rest of the plan: there is nothing to spread it over
        if not is_idle:
            return "wait"
        self._ledger.set_ended(self._exhausted)
        return "finished"

    def report(self, number: int, evaluation: Evaluation) -> Literal["continue", "stop"]:
        """Keeps an evaluation and says whether to go on. After "stop" comes `complete`.

        An evaluation after 0 epochs is no evaluation but the costs measured on the built model.
        """
        record = self._ledger.get(number)
        if evaluation.epochs == 0:
            why = "" if record.role != "search" else self._too_costly(evaluation.metrics)
            if why:
                self._ledger.prune(number, why, metrics=evaluation.metrics)
            return "stop" if why else "continue"
        self._ledger.add_evaluation(number, evaluation)
        self._progress.on_change(self._ledger.get(number))
        if not records.is_judged(record) or records.is_last(evaluation.epochs, record.config):
            return "continue"
        if fault := records.not_finite(
            evaluation, self._ledger.objectives, self._ledger.constraints
        ):
            self._ledger.fail(number, fault)
            return "stop"
        why = stop_reason(
            self._ledger.history(),
            self._ledger.get(number),
            objectives=self._ledger.objectives,
            constraints=self._ledger.constraints,
            eta=self._spec.search.eta,
        )
        if why:
            self._ledger.prune(number, why)
        return "stop" if why else "continue"

    def complete(self, number: int) -> None:
        """The trial ran to its end, or was stopped."""
        if self._ledger.get(number).state == "running":
            self._ledger.complete(number)  # or fails it, if a value is not finite
        self._ended(number)

    def fail(self, number: int, reason: str, traceback: str = "") -> None:
        """The trial died; the search goes on."""
        self._ledger.fail(number, reason, traceback)
        self._ended(number)

    def lose(self, number: int, reason: str) -> None:
        """The trial died of what may be no fault of its own, such as a dead machine: it is run
        again, once."""
        lose(self._ledger, number, reason)
        self._ended(number)

    def is_finished(self) -> bool:
        """Whether no more trials will start; some may still run."""
        return bool(self._ledger.ended) or len(self._ledger.trials()) >= self._budget

    def finish(self) -> None:
        """The end of the search; raises SearchFailedError, with the first traceback, if nothing
        has come of it."""
        trials = self._ledger.trials()
        failed = [record for record in trials if record.state == "failed"]
        if not failed or any(record.state in ("complete", "pruned") for record in trials):
            return
        first = next((r for r in failed if r.number in self._failed), failed[0])
        raise SearchFailedError(
            f"{self._spec.name}: all {len(failed)} trials failed; the first, {first.id}: "
            f"{first.reason}" + (f"\n\n{first.traceback}" if first.traceback else "")
        )

    def _try(self, planned: PlannedTrial | None) -> Assignment | None:
        """Starts a planned trial, or one of the search; None if nothing new is left for it."""
        number = self._ledger.next_number()
        proposal = self._sampler.propose(
            number=number,
            pins=planned.pins if planned else {},
            accept=self._is_affordable if planned is None else accept_all,
        )
        self._ledger.add_rejected(proposal.num_rejected)
        if not isinstance(proposal, Proposal):
            if planned is None:
                self._exhausted = self._why_exhausted(proposal)
            return None
        return self._start(
            NewTrial(
                role=planned.role if planned else "search",
                params=proposal.params,
                config=proposal.config,
                seed=trial_seed(self._spec.search.seed, number),
                in_space=planned.in_space if planned else True,
                planned=planned.key if planned else "",
            )
        )

    def _start(self, trial: NewTrial) -> Assignment:
        """Starts `trial`, with what follows from its knobs and its configuration."""
        record = self._ledger.start(
            dataclasses.replace(
                trial,
                distributions=self._sampler.distributions(trial.params),
                violations=self._violations(trial.config),
            )
        )
        self._progress.on_change(record)
        return Assignment(number=record.number, config=record.config, seed=record.seed)

    def _violations(self, config: TrialConfig) -> Mapping[Constraint, float]:
        """The constraints that the configuration alone decides."""
        known = [c for c in self._ledger.constraints if c.name in CONFIGURED_COSTS]
        if not known:
            return {}
        values = costs(config.model, self._features, self._tasks)
        return {constraint: constraint.violation(values) for constraint in known}

    def _is_affordable(self, config: TrialConfig) -> bool:
        return all(violation <= 0 for violation in self._violations(config).values())

    def _too_costly(self, measured: Mapping[str, float]) -> str:
        """The constraint that what was measured before training breaks, or ""."""
        for constraint in self._ledger.constraints:
            if constraint.name in MEASURED_COSTS and constraint.violation(measured) > 0:
                value = measured[constraint.name]
                return (
                    f"not trained: {constraint.name} is {value:.3g}, and {constraint} is asked for"
                )
        return ""

    def _why_exhausted(self, end: Exhausted) -> str:
        if end.reason == "duplicates":
            return "every configuration of the space has been tried"
        limits = ", ".join(str(c) for c in self._ledger.constraints if c.name in CONFIGURED_COSTS)
        return (
            f"{end.num_rejected:,} configurations in a row break {limits}; allow more, or make "
            "the space smaller"
        )

    def _spent(self, started: list[TrialRecord]) -> Spent:
        return Spent(
            wall_s=self._clock() - self._searched_from_s,
            device_s=device_s(started, self._spec.trial),
        )

    def _is_hopeless(self, started: list[TrialRecord]) -> bool:
        return len(self._failed) >= MAX_FAILURES and not any(
            record.state in ("complete", "pruned") for record in started
        )

    def _ended(self, number: int) -> None:
        record = self._ledger.get(number)
        if record.state == "failed":
            self._failed.append(number)
        self._ledger.set_wall_s(self._clock() - self._searched_from_s)
        self._ledger.drop_weights()
        self._progress.on_trial(record)
