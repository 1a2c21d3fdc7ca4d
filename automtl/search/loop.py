"""The search itself, whoever runs the trials: what comes next, what to do with a result.

Every decision is a function of the study on disk and the spec; between two calls the loop holds
nothing that a kill could lose.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from automtl.config import MODEL_COSTS, Constraint, Evaluation, FeatureSchema, TaskSchema
from automtl.errors import SearchFailedError
from automtl.models.cost import costs
from automtl.search.assignment import Assignment
from automtl.search.plan import budget, plan_trials
from automtl.search.progress import Progress, Silent
from automtl.search.sampler import Proposal, Sampler
from automtl.spec.schema import Spec
from automtl.study import Role, Study, TrialRecord

__all__ = ["SearchLoop", "trial_seed"]

MAX_FAILURES = 3  # with no success in the whole study: something is wrong with all trials


def trial_seed(seed: int, number: int) -> int:
    """The seed of trial `number` in a search with `seed`."""
    sequence = np.random.SeedSequence(seed, spawn_key=(number, 0))
    return int(sequence.generate_state(1)[0])


class SearchLoop:
    """Drives one search in one process, which holds the study's `writing()`.

    An executor calls `propose` whenever it could start a trial, `report` at each evaluation, and
    `complete` or `fail` once when a trial has ended.
    """

    def __init__(
        self,
        study: Study,
        spec: Spec,
        *,
        features: FeatureSchema,
        tasks: tuple[TaskSchema, ...],
        progress: Progress | None = None,
    ) -> None:
        self._study, self._spec = study, spec
        self._features, self._tasks = features, tasks
        self._progress = progress or Silent()
        self._sampler = Sampler(spec)
        self._plan = plan_trials(spec)
        self._budget = budget(spec)
        self._failed: list[int] = []  # in this process: what failed before may have been mended
        self._skipped: set[str] = set()  # planned trials that would repeat another one
        self._exhausted = False

    def propose(self) -> Assignment | Literal["wait", "finished"]:
        """Starts the next trial: an interrupted one again, a planned one, or a proposal.

        "wait": nothing now, ask again when a running trial has ended. "finished": never again.
        """
        history = self._study.history()
        started = [record for record in history if record.state != "interrupted"]
        if self.is_finished():
            return "finished"
        if self._is_hopeless(started):
            return "wait" if any(r.state == "running" for r in started) else "finished"
        if (interrupted := _to_retry(history)) is not None:
            return self._retry(interrupted)
        self._sampler.learn(history)
        known = {record.planned for record in history} | self._skipped
        number = self._study.next_number()
        for planned in self._plan:
            if planned.key in known:
                continue
            proposal = self._sampler.propose(number=number, pins=planned.pins)
            if proposal is not None:
                return self._start(
                    number, proposal, planned.role, planned=planned.key, in_space=planned.in_space
                )
            self._skipped.add(planned.key)
        proposal = self._sampler.propose(number=number, pins={})
        if proposal is None:
            self._exhausted = True
            self._study.set_budget(len(started))
            return "finished"
        return self._start(number, proposal, "search")

    def report(self, number: int, evaluation: Evaluation) -> Literal["continue", "stop"]:
        """Keeps an evaluation; says whether to go on. All trials are trained to the end so far."""
        self._study.add_evaluation(number, evaluation)
        return "continue"

    def complete(self, number: int) -> None:
        """The trial ran to its end."""
        self._study.complete(number)  # or fails it, if a value is not finite
        self._ended(number)

    def fail(self, number: int, reason: str, traceback: str = "") -> None:
        """The trial died; the search goes on."""
        self._study.fail(number, reason, traceback)
        self._ended(number)

    def is_finished(self) -> bool:
        """Whether no more trials will start; some may still run."""
        return self._exhausted or len(self._study.trials()) >= self._budget

    def finish(self) -> None:
        """The end of the search; raises SearchFailedError, with the first traceback, if nothing
        has come of it."""
        trials = self._study.trials()
        failed = [record for record in trials if record.state == "failed"]
        if not failed or any(record.state in ("complete", "pruned") for record in trials):
            return
        first = next((r for r in failed if r.number in self._failed), failed[0])
        raise SearchFailedError(
            f"{self._study.run_dir}: all {len(failed)} trials failed; the first, {first.id}: "
            f"{first.reason}" + (f"\n\n{first.traceback}" if first.traceback else "")
        )

    def _start(
        self,
        number: int,
        proposal: Proposal,
        role: Role,
        *,
        planned: str = "",
        in_space: bool = True,
    ) -> Assignment:
        record = self._study.start(
            role=role,
            params=proposal.params,
            distributions=self._sampler.distributions(proposal.params),
            config=proposal.config,
            seed=trial_seed(self._spec.search.seed, number),
            in_space=in_space,
            violations=self._violations(proposal),
            planned=planned,
        )
        return _assignment(record)

    def _retry(self, interrupted: TrialRecord) -> Assignment:
        """The same trial once more, under a new number, as if the kill had not been."""
        record = self._study.start(
            role=interrupted.role,
            params=interrupted.params,
            distributions=self._sampler.distributions(interrupted.params),
            config=interrupted.config,
            seed=interrupted.seed,
            in_space=interrupted.in_space,
            violations=self._violations(interrupted),
            planned=interrupted.planned,
            origin=interrupted.origin,
        )
        return _assignment(record)

    def _violations(self, trial: Proposal | TrialRecord) -> Mapping[Constraint, float]:
        """The constraints that the configuration alone decides."""
        known = [c for c in self._study.constraints if c.name in MODEL_COSTS]
        if not known:
            return {}
        values = costs(trial.config.model, self._features, self._tasks)
        return {constraint: constraint.violation(values) for constraint in known}

    def _is_hopeless(self, started: list[TrialRecord]) -> bool:
        return len(self._failed) >= MAX_FAILURES and not any(
            record.state in ("complete", "pruned") for record in started
        )

    def _ended(self, number: int) -> None:
        record = self._study.get(number)
        if record.state == "failed":
            self._failed.append(number)
        self._study.drop_weights()
        self._progress.on_trial(record, self._study)


def _to_retry(history: tuple[TrialRecord, ...]) -> TrialRecord | None:
    """The first trial whose latest start a kill has interrupted."""
    latest = {record.origin: record for record in history}  # history is in the order of starts
    return next((record for record in latest.values() if record.state == "interrupted"), None)


def _assignment(record: TrialRecord) -> Assignment:
    return Assignment(number=record.number, config=record.config, seed=record.seed)
