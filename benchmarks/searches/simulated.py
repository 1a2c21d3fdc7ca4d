"""Whole searches over a surrogate in simulated seconds: by hand, and by the real SearchLoop.

Shapes: N trials.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal
from unittest import mock

import optuna

from automtl.config import Evaluation, FeatureSchema, TaskSchema, TrialConfig
from automtl.records import FIRST_REFERENCE, NewTrial, TrialRecord
from automtl.search import loop as loop_module
from automtl.search import sampler as sampler_module
from automtl.search.assignment import Assignment
from automtl.search.fidelity import asked_rungs
from automtl.search.ledger import MemoryLedger
from automtl.search.loop import SearchLoop
from automtl.search.plan import PlannedTrial, plan_trials
from automtl.search.simulate import SimulatedExecutor
from automtl.space import sample
from automtl.spec.domains import Choice, Domain, FloatRange, IntRange, largest
from automtl.spec.schema import Spec
from searches.elsewhere import by_chance, learnt_elsewhere
from searches.foretold import Foretelling, Foretold
from searches.surrogate import Surrogate, SurrogateJob

__all__ = ["PLANS", "Outcome", "by_hand", "ours"]

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The configurations that were trained to their end, and when that was."""

    configs: tuple[TrialConfig, ...]
    at_s: tuple[float, ...]
    spent_s: float  # by the clock
    num_trials: int


# ---- by hand -------------------------------------------------------------------------------


def by_hand(spec: Spec, surrogate: Surrogate, *, num_workers: int, sampler: str) -> Outcome:
    """`spec.search.trials` trials by Optuna's sampler with its defaults (what OptunaSearch does),
    none stopped, nothing planned."""
    seed = spec.search.seed
    samplers = {
        "tpe": lambda: optuna.samplers.TPESampler(seed=seed),
        "random": lambda: optuna.samplers.RandomSampler(seed=seed),
    }
    loop = _HandmadeLoop(spec, samplers[sampler]())
    executor = SimulatedExecutor(num_workers=num_workers)
    executor.run(loop, SurrogateJob(surrogate=surrogate))  # type: ignore[arg-type]
    ended = sorted(executor.ended_s.items(), key=lambda item: item[1])
    return Outcome(
        configs=tuple(loop.configs[number] for number, _ in ended),
        at_s=tuple(at_s for _, at_s in ended),
        spent_s=executor.now_s,
        num_trials=len(loop.configs),
    )


class _HandmadeLoop:
    """Answers an executor as a SearchLoop would, out of an Optuna study."""

    def __init__(self, spec: Spec, sampler: optuna.samplers.BaseSampler) -> None:
        self._spec, self._objectives = spec, spec.objective_list()
        self._study = optuna.create_study(
            directions=[one.direction for one in self._objectives], sampler=sampler
        )
        self._trials: dict[int, optuna.Trial] = {}
        self._values: dict[int, list[float]] = {}
        self.configs: dict[int, TrialConfig] = {}

    def propose(self) -> Assignment | Literal["finished"]:
        if len(self.configs) >= self._spec.search.trials:
            return "finished"
        trial = self._study.ask()
        config = sample(self._spec, lambda name, domain: suggest(trial, name, domain))
        self._trials[trial.number], self.configs[trial.number] = trial, config
        return Assignment(number=trial.number, config=config, seed=0)

    def report(self, number: int, evaluation: Evaluation) -> Literal["continue"]:
        self._values[number] = [evaluation.metrics[one.name] for one in self._objectives]
        return "continue"

    def complete(self, number: int) -> None:
        self._study.tell(self._trials[number], self._values[number])


def suggest(trial: optuna.Trial, name: str, domain: Domain) -> Any:
    match domain:
        case IntRange(low, high, log):
            return trial.suggest_int(name, low, high, log=log)
        case FloatRange(low, high, log):
            return trial.suggest_float(name, low, high, log=log)
        case Choice(options):  # Optuna's choices are scalars
            return options[trial.suggest_categorical(name, list(range(len(options))))]
    raise AssertionError(f"{name} is fixed")


# ---- ours ----------------------------------------------------------------------------------


def _at_once(plan: tuple[PlannedTrial, ...]) -> tuple[PlannedTrial, ...]:
    return tuple(replace(one, due=0) for one in plan)


def _defaults_first(plan: tuple[PlannedTrial, ...]) -> tuple[PlannedTrial, ...]:
    return tuple(replace(one, due=0) if one.role == "baseline" else one for one in plan)


def _references_spread(plan: tuple[PlannedTrial, ...]) -> tuple[PlannedTrial, ...]:
    """Over the whole search, not its second half."""
    tuned = [one for one in plan if one.role == "reference"]
    num_trials = tuned[-1].due * 2 * len(tuned) / (2 * len(tuned) - 1)
    due = {one.key: round(2 * one.due - num_trials) for one in tuned[1:]}
    return tuple(replace(one, due=due.get(one.key, one.due)) for one in plan)


def _untuned(plan: tuple[PlannedTrial, ...]) -> tuple[PlannedTrial, ...]:
    return tuple(one for one in plan if one.role == "baseline" or one.key == FIRST_REFERENCE)


def _few(plan: tuple[PlannedTrial, ...]) -> tuple[PlannedTrial, ...]:
    tuned = [one for one in plan if one not in _untuned(plan)][::2]
    return tuple(one for one in plan if one in _untuned(plan) or one in tuned)


PLANS: Mapping[str, Any] = {
    "spread": lambda plan: plan,
    "defaults first": _defaults_first,  # the families' before everything else
    "references spread": _references_spread,
    "at once": _at_once,  # the references' tuning before everything else
    "half": _few,  # every second tuning trial of the reference
    "untuned": _untuned,  # one reference, the baselines
    "nothing": lambda plan: (),
}


class _Ledger(MemoryLedger):
    """Trials in these roles pass for trials of the search, so the rungs judge them."""

    def __init__(self, judged: tuple[str, ...], *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._judged = judged

    def start(self, trial: NewTrial) -> TrialRecord:
        role = "search" if trial.role in self._judged else trial.role
        return super().start(replace(trial, role=role))


def ours(
    spec: Spec,
    surrogate: Surrogate,
    features: FeatureSchema,
    tasks: tuple[TaskSchema, ...],
    *,
    num_workers: int,
    plan: str = "spread",
    judged: tuple[str, ...] = (),
    shares: tuple[float, ...] | None = None,
    foretelling: Foretelling | None = None,
    begun_by_chance: bool = False,
    until_s: float = math.inf,
) -> Outcome:
    """The search of `spec`, with another plan, with planned trials `judged` at rungs too, with
    rungs at other `shares` of a training, or judged by ends that are foretold. It begins by chance
    or with what the other data sets taught; `until_s` cuts it off."""
    executor = SimulatedExecutor(num_workers=num_workers)
    ledger = _Ledger(judged, spec, clock=executor.clock)
    rungs = asked_rungs(spec.search)
    if shares is not None:
        rungs = tuple(float(largest(spec.search.epochs)) * share for share in shares)
    begun = by_chance() if begun_by_chance else learnt_elsewhere(spec.name)
    with begun, _planned(PLANS[plan]), _judging(spec, foretelling):
        loop = _CutLoop(ledger, spec, until_s, features=features, tasks=tasks, clock=executor.clock)
        executor.run(loop, SurrogateJob(surrogate=surrogate, rungs=rungs))
    ended = sorted(
        (executor.ended_s[record.number], record.number)
        for record in ledger.trials()
        if record.state == "complete" and executor.ended_s[record.number] <= until_s
    )
    return Outcome(
        configs=tuple(ledger.get(number).config for _, number in ended),
        at_s=tuple(at_s for at_s, _ in ended),
        spent_s=min(executor.now_s, until_s),
        num_trials=len(ledger.trials()),
    )


class _CutLoop(SearchLoop):
    """Starts nothing after `until_s`."""

    def __init__(self, ledger: MemoryLedger, spec: Spec, until_s: float, **options: Any) -> None:
        super().__init__(ledger, spec, **options)
        self._until_s, self._now = until_s, options["clock"]

    def propose(self) -> Assignment | Literal["wait", "finished"]:
        return "finished" if self._now() >= self._until_s else super().propose()


@contextmanager
def _judging(spec: Spec, foretelling: Foretelling | None) -> Iterator[None]:
    """Other decisions at the loop's rungs."""
    judged = Foretold(spec, foretelling).stop_reason if foretelling else loop_module.stop_reason
    with mock.patch.object(loop_module, "stop_reason", judged):
        yield


@contextmanager
def _planned(change: Any) -> Iterator[None]:
    """Another plan for the loop, and for the sampler where it asks for one."""
    with ExitStack() as stack:
        for module in (loop_module, sampler_module):
            if hasattr(module, "plan_trials"):
                changed = lambda spec: change(plan_trials(spec))  # noqa: E731
                stack.enter_context(mock.patch.object(module, "plan_trials", changed))
        yield
