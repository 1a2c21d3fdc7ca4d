"""Which configuration next: Optuna asks and learns here, in memory; the study on disk decides.

The sampler keeps a copy of the study's trials in an Optuna study of its own. What it asks there
is thrown away again, so a duplicate leaves no trace, and a proposal enters the journal whole and
at once. Each proposal is drawn with a seed of its own, which makes it a function of the trials so
far and the number of the next one: a search that goes on after a kill needs no other state.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from automtl.config import MODEL_COSTS, TrialConfig, to_jsonable
from automtl.search.plan import budget, plan_trials
from automtl.space import Pinned, knobs, sample
from automtl.spec.domains import Choice, Domain, Fixed, FloatRange, IntRange, contains
from automtl.spec.schema import Spec
from automtl.study import State, TrialRecord

__all__ = ["Exhausted", "Proposal", "Sampler", "distribution", "from_label", "to_label"]

Choose = Callable[[str, Domain], Any]

MAX_DUPLICATES = 1_000  # in a row: then the space counts as exhausted
DUPLICATES_BEFORE_RANDOM = 10
MAX_RANDOM = 5  # trials of the search proper before TPE takes over

_STATES: Mapping[State, TrialState] = {
    "running": TrialState.RUNNING,
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
}  # what the sampler learns from; it forgets the others


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A configuration, and the knobs that lead to it, by their labels."""

    config: TrialConfig
    params: Mapping[str, Any]
    num_rejected: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhausted:
    """Nothing new is left, or nothing that is accepted."""

    reason: Literal["duplicates", "rejected"]
    num_rejected: int = 0


class Sampler:
    """Proposes configurations that no trial had before."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._domains = {knob.name: knob.domain for knob in knobs(spec)}
        self._objectives = spec.objective_list()
        self._constraints = spec.constraint_list()
        self._study = optuna.create_study(directions=[o.direction for o in self._objectives])
        self._num_startup = _num_startup(spec)
        self._taken: set[str] = set()
        self._copies: dict[int, int] = {}  # number in the study -> number in the copy
        self._learnt: dict[int, State] = {}

    def distributions(self, params: Iterable[str]) -> dict[str, BaseDistribution]:
        """The knobs' domains as Optuna writes them."""
        return {name: distribution(self._domains[name]) for name in params}

    def learn(self, history: Sequence[TrialRecord]) -> None:
        """Brings the copy up to date. A reference outside the space teaches nothing about it."""
        for record in history:
            if self._learnt.get(record.number) == record.state:
                continue
            self._learnt[record.number] = record.state
            self._taken.add(_key(record.config))
            if record.in_space:
                self._copy(record)

    def propose(
        self,
        *,
        number: int,
        pins: Mapping[str, Any],
        accept: Callable[[TrialConfig], bool] = lambda config: True,
    ) -> Proposal | Exhausted:
        """A configuration for trial `number` that `accept` takes.

        `pins` fixes knobs by name, also to values outside their domains, which are no params.
        """
        num_rejected = 0
        for attempt in range(MAX_DUPLICATES):
            with self._chooser(number, attempt) as choose:
                proposal = self._draw(pins, choose)
            if not accept(proposal.config):
                num_rejected += 1
            elif _key(proposal.config) not in self._taken:
                return dataclasses.replace(proposal, num_rejected=num_rejected)
            if proposal.params.keys() <= pins.keys():
                break  # there was nothing to choose
        return Exhausted(
            reason="rejected" if num_rejected > attempt // 2 else "duplicates",
            num_rejected=num_rejected,
        )

    def _draw(self, pins: Mapping[str, Any], choose: Choose) -> Proposal:
        inside = {
            name: value
            for name, value in pins.items()
            if name in self._domains and contains(self._domains[name], value)
        }
        params: dict[str, Any] = {}

        def suggest(name: str, domain: Domain) -> Any:
            value = inside[name] if name in inside else choose(name, domain)
            params[name] = to_label(domain, value)
            return value

        outside = {name: value for name, value in pins.items() if name not in inside}
        config = sample(self._spec, Pinned(outside, suggest))
        return Proposal(config=config, params=params)

    @contextmanager
    def _chooser(self, number: int, attempt: int) -> Iterator[Choose]:
        """Who answers for the free knobs of one draw; TPE's mind is not on what is left over."""
        key = (number, 1 + attempt)  # (number, 0) seeds the training
        sequence = np.random.SeedSequence(self._spec.search.seed, spawn_key=key)
        if self._spec.search.sampler == "random" or attempt >= DUPLICATES_BEFORE_RANDOM:
            yield partial(_choose_randomly, np.random.default_rng(sequence))
        else:
            seed = int(sequence.generate_state(1)[0])
            self._study.sampler = optuna.samplers.TPESampler(
                seed=seed, n_startup_trials=self._num_startup
            )
            trial = self._study.ask()
            try:
                yield partial(_choose_with, trial)
            finally:
                self._study.tell(trial, state=TrialState.FAIL)

    def _copy(self, record: TrialRecord) -> None:
        state = _STATES.get(record.state, TrialState.FAIL)
        if record.number not in self._copies and state != TrialState.FAIL:
            self._copies[record.number] = len(self._study.get_trials(deepcopy=False))
            self._study.add_trial(
                optuna.trial.create_trial(
                    state=TrialState.RUNNING,
                    params=dict(record.params),
                    distributions=self.distributions(record.params),
                )
            )
        if record.number not in self._copies or state == TrialState.RUNNING:
            return
        copy = self._copies[record.number]
        values = None
        if state == TrialState.COMPLETE:
            values = [(record.values or {})[objective.name] for objective in self._objectives]
        if state != TrialState.FAIL:
            trial = optuna.trial.Trial(self._study, copy)
            for constraint in self._constraints:
                if constraint.name in record.metrics:
                    if state == TrialState.COMPLETE or constraint.name in MODEL_COSTS:
                        trial.set_constraint(repr(constraint), constraint.violation(record.metrics))
                elif not record.feasible:  # stopped before it was trained: by how much is not kept
                    trial.set_constraint(repr(constraint), 1.0)
        self._study.tell(copy, values, state)


def _num_startup(spec: Spec) -> int:
    """After how many trials TPE begins: the planned ones, and some at random after them.

    Planned trials are all defaults: learning from them alone, TPE takes whatever they lack (the
    other dependency, say) for promising, and stays there as long as it adds to the front's edges.
    """
    num_planned = sum(trial.in_space for trial in plan_trials(spec))
    return num_planned + min(MAX_RANDOM, (budget(spec) - num_planned) // 2)


def distribution(domain: Domain) -> BaseDistribution:
    """A free knob's domain as Optuna writes it; options by their labels."""
    match domain:
        case IntRange(low, high, log):
            return IntDistribution(low, high, log=log)
        case FloatRange(low, high, log):
            return FloatDistribution(low, high, log=log)
        case Choice():
            return CategoricalDistribution(_labels(domain))
        case Fixed():
            raise AssertionError("a fixed knob is not proposed")


def to_label(domain: Domain, value: Any) -> Any:
    """The value as it stands among a trial's params: `128-64` for the option (128, 64)."""
    match domain:
        case Choice(options):
            value = tuple(value) if isinstance(value, list) else value
            return _labels(domain)[options.index(value)]
        case _:
            return value


def from_label(domain: Domain, label: Any) -> Any:
    """The inverse of `to_label`."""
    match domain:
        case Choice(options):
            return options[_labels(domain).index(label)]
        case _:
            return label


def _labels(domain: Choice) -> list[Any]:
    return [
        ("-".join(map(str, option)) or "none") if isinstance(option, tuple) else option
        for option in domain.options
    ]


def _choose_with(trial: optuna.Trial, name: str, domain: Domain) -> Any:
    match domain:
        case IntRange(low, high, log):
            return trial.suggest_int(name, low, high, log=log)
        case FloatRange(low, high, log):
            return trial.suggest_float(name, low, high, log=log)
        case Choice():
            return from_label(domain, trial.suggest_categorical(name, _labels(domain)))
        case Fixed():
            raise AssertionError(f"{name} is fixed")


def _choose_randomly(random: np.random.Generator, name: str, domain: Domain) -> Any:
    match domain:
        case IntRange(low, high, log):
            if not log:
                return int(random.integers(low, high, endpoint=True))
            value = round(math.exp(random.uniform(math.log(low - 0.5), math.log(high + 0.5))))
            return min(max(value, low), high)
        case FloatRange(low, high, log):
            if not log:
                return float(random.uniform(low, high))
            return min(max(math.exp(random.uniform(math.log(low), math.log(high))), low), high)
        case Choice(options):
            return options[int(random.integers(len(options)))]
        case Fixed():
            raise AssertionError(f"{name} is fixed")


def _key(config: TrialConfig) -> str:
    return json.dumps(to_jsonable(config), sort_keys=True)
