"""Which configuration next: a strategy chooses, this file makes a new TrialConfig of it.

A proposal is a function of the trials so far, the number of the next one and the spec: a search
that goes on after a kill needs no other state, and no measured time enters a decision.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from automtl import pareto
from automtl.config import MODEL_COSTS, Evaluation, TrialConfig, to_jsonable
from automtl.records import State, TrialRecord
from automtl.search.distributions import BaseDistribution, distribution, from_label, to_label
from automtl.search.plan import budget, in_order, plan_trials
from automtl.search.strategies import make_strategy, portfolio
from automtl.search.strategies.base import Choose, Known, Observation, Rung, SearchSpace
from automtl.search.strategies.portfolio import Point
from automtl.space import Pinned, knobs, sample
from automtl.spec.domains import Domain, contains
from automtl.spec.knobs import slots
from automtl.spec.schema import Spec

__all__ = ["Exhausted", "Proposal", "Sampler", "accept_all"]

Accept = Callable[[TrialConfig], bool]

MAX_REFUSED = 1_000  # draws in a row, repeated or not accepted: then nothing counts as left
MAX_RANDOM = 5  # trials of the search proper before a strategy learns, where it begins by chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A configuration, and the knobs that lead to it, by their labels.

    `num_rejected` draws before it were not accepted.
    """

    config: TrialConfig
    params: Mapping[str, Any]
    num_rejected: int = 0


@dataclass(frozen=True, slots=True)
class Exhausted:
    """Nothing to propose: all that was drawn was tried before, or (most of it) not accepted."""

    reason: Literal["duplicates", "rejected"]
    num_rejected: int


def accept_all(config: TrialConfig) -> bool:
    """Every configuration will do."""
    return True


class Sampler:
    """Proposes configurations that no trial had before; losses in `known` need no learning."""

    def __init__(self, spec: Spec, known: Known | None = None) -> None:
        self._spec = spec
        self._domains = {knob.name: knob.domain for knob in knobs(spec)}
        self._objectives = spec.objective_list()
        self._constraints = spec.constraint_list()
        start = start_points(spec)
        self._strategy = make_strategy(
            spec.search.sampler,
            search_space(spec, known),
            seed=spec.search.seed,
            num_startup=_num_startup(spec, max_own=len(start) or MAX_RANDOM),
            num_objectives=len(self._objectives),
            start=start,
        )
        self._promised = {
            _key(self._draw(planned.pins, _no_choice)[0])
            for planned in plan_trials(spec)
            if planned.is_default
        }
        self._taken: set[str] = set()
        self._learnt: dict[int, State] = {}
        self._history: dict[int, Observation] = {}

    def distributions(self, params: Iterable[str]) -> dict[str, BaseDistribution]:
        """The knobs' domains as Optuna writes them."""
        return {name: distribution(self._domains[name]) for name in params}

    def learn(self, history: Sequence[TrialRecord]) -> None:
        """Takes in what has changed. A reference outside the space teaches nothing about it."""
        for record in history:
            if self._learnt.get(record.number) == record.state:
                continue
            self._learnt[record.number] = record.state
            self._taken.add(_key(record.config))
            if record.in_space:
                self._history[record.number] = self._observation(record)

    def propose(
        self, *, number: int, pins: Mapping[str, Any], accept: Accept = accept_all
    ) -> Proposal | Exhausted:
        """A configuration for trial `number` that no trial had, nor a default that is yet to come
        will have, and that is accepted.

        `pins` fixes knobs by name, also to values outside their domains, which are no params.
        What breaks a constraint that is known before training is not to be accepted.
        """
        history = [self._history[number] for number in sorted(self._history)]
        num_rejected = 0
        for index, choose in enumerate(
            self._strategy.draws(history, number=number, pins=pins), start=1
        ):
            config, params = self._draw(pins, choose)
            is_chosen = not params.keys() <= pins.keys()
            if not self._is_taken(config, also_promised=is_chosen):
                if accept(config):
                    return Proposal(config=config, params=params, num_rejected=num_rejected)
                num_rejected += 1
            if index == MAX_REFUSED or not is_chosen:
                return _exhausted(index, num_rejected)
        return _exhausted(num_rejected, num_rejected)

    def _is_taken(self, config: TrialConfig, *, also_promised: bool) -> bool:
        key = _key(config)
        return key in self._taken or (also_promised and key in self._promised)

    def _draw(self, pins: Mapping[str, Any], choose: Choose) -> tuple[TrialConfig, dict[str, Any]]:
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
        return sample(self._spec, Pinned(outside, suggest)), params

    def _observation(self, record: TrialRecord) -> Observation:
        names = [objective.name for objective in self._objectives]
        losses = None
        if record.state == "complete":
            losses = self._losses(record.values or {}, names)
        return Observation(
            number=record.number,
            state="failed" if record.state == "interrupted" else record.state,
            params={
                name: from_label(self._domains[name], label)
                for name, label in record.params.items()
            },
            losses=losses,
            violations={
                repr(constraint): constraint.violation(record.metrics)
                for constraint in self._constraints
                if constraint.name in record.metrics
                # a metric counts at the end only
                and (record.state == "complete" or constraint.name in MODEL_COSTS)
            },
            rungs=tuple(
                Rung(share=evaluation.epochs / record.config.train.epochs, losses=rung)
                for evaluation in self._on_the_way(record)
                if (rung := self._losses(evaluation.metrics, names)) is not None
            ),
        )

    def _on_the_way(self, record: TrialRecord) -> tuple[Evaluation, ...]:
        match record.state:
            case "complete":
                return record.evaluations[:-1]
            case "pruned":
                return record.evaluations
            case _:
                return ()

    def _losses(
        self, values: Mapping[str, float], names: Sequence[str]
    ) -> tuple[float, ...] | None:
        row = [values.get(name, math.nan) for name in names]
        if not all(math.isfinite(value) for value in row):
            return None
        return tuple(pareto.to_losses([row], self._objectives)[0].tolist())


def search_space(spec: Spec, known: Known | None = None) -> SearchSpace:
    """The free knobs of a spec, and which of them depend on which."""
    free = {knob.name: knob.domain for knob in knobs(spec)}
    return SearchSpace(
        domains=free,
        needs={s.name: s.needs for s in slots(spec) if s.name in free and s.needs is not None},
        known=known,
    )


def start_points(spec: Spec) -> tuple[Point, ...]:
    """What `auto` begins with where families and the size of a model count, as where it was learnt
    from; nothing otherwise."""
    is_known = (
        spec.search.sampler == "auto"
        and any(knob.name == "family" for knob in knobs(spec))
        and any(objective.name in MODEL_COSTS for objective in spec.objective_list())
    )
    return portfolio.points() if is_known else ()


def _num_startup(spec: Spec, *, max_own: int) -> int:
    """After how many trials a strategy learns: some of the search proper, `max_own` or, in a short
    one, half of them, and those planned before them.

    Planned trials are all defaults: learning from them alone, a model takes whatever they lack
    (the other dependency, say) for promising, and stays there as long as it adds to the front's
    edges.
    """
    plan, num_trials = plan_trials(spec), budget(spec)
    num_first = min(max_own, (num_trials - len(plan)) // 2)
    num_own = num_planned = 0
    for planned in in_order(plan, num_trials):
        if planned is not None:
            num_planned += planned.in_space
        elif num_own == num_first > 0:
            break  # the strategy's first
        else:
            num_own += 1
    return num_first + num_planned


def _no_choice(name: str, domain: Domain) -> Any:
    raise AssertionError(f"a default leaves {name} open")


def _exhausted(num_refused: int, num_rejected: int) -> Exhausted:
    is_rejected = num_rejected > num_refused / 2
    return Exhausted("rejected" if is_rejected else "duplicates", num_rejected)


def _key(config: TrialConfig) -> str:
    return json.dumps(to_jsonable(config), sort_keys=True)
