"""The strategy `tpe`: Optuna's tree-structured Parzen estimator, on a study in memory.

Each draw has a sampler with a seed of its own and is thrown away again, so that a duplicate
leaves no trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import optuna
from optuna.trial import TrialState

from automtl.search.distributions import distribution, from_label, labels, to_label
from automtl.search.strategies.base import Choose, Observation, SearchSpace, generator
from automtl.search.strategies.chance import random_draws
from automtl.spec.domains import Choice, Domain, Fixed, FloatRange, IntRange

__all__ = ["Parzen"]

NUM_DRAWS = 10  # before chance takes over: TPE's mind is not on what is left over


class Parzen:
    """Learns from complete trials, takes pruned ones for bad, and keeps off running ones."""

    def __init__(
        self, space: SearchSpace, *, seed: int, num_startup: int, num_objectives: int
    ) -> None:
        self._space, self._seed, self._num_startup = space, seed, num_startup
        self._study = optuna.create_study(directions=["minimize"] * num_objectives)
        self._copies: dict[int, int] = {}  # number in the search -> number in the study
        self._learnt: dict[int, str] = {}
        self._asked: optuna.Trial | None = None

    def draws(
        self, history: Sequence[Observation], *, number: int, pins: Mapping[str, Any]
    ) -> Iterator[Choose]:
        for one in history:
            if self._learnt.get(one.number) != one.state:
                self._learnt[one.number] = one.state
                self._copy(one)
        for index in range(NUM_DRAWS):
            yield partial(_choose_with, self._ask(number, index))
        yield from random_draws(self._seed, number, start=NUM_DRAWS)

    def _ask(self, number: int, index: int) -> optuna.Trial:
        """A trial to draw with; the one before it goes, or it would keep this one off."""
        if self._asked is not None:
            self._study.tell(self._asked, state=TrialState.FAIL)
        seed = int(generator(self._seed, number, index).integers(2**32))
        self._study.sampler = optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=self._num_startup
        )
        self._asked = self._study.ask()
        return self._asked

    def _copy(self, one: Observation) -> None:
        if one.number not in self._copies and one.state != "failed":
            self._copies[one.number] = len(self._study.get_trials(deepcopy=False))
            domains = {name: self._space.domains[name] for name in one.params}
            self._study.add_trial(
                optuna.trial.create_trial(
                    state=TrialState.RUNNING,
                    params={name: to_label(d, one.params[name]) for name, d in domains.items()},
                    distributions={name: distribution(d) for name, d in domains.items()},
                )
            )
        if one.number not in self._copies or one.state == "running":
            return
        copy = self._copies[one.number]
        if one.state != "failed":
            trial = optuna.trial.Trial(self._study, copy)
            for name, violation in one.violations.items():  # before `tell`: later is too late
                trial.set_constraint(name, violation)
        match one.state:
            case "complete":
                self._study.tell(copy, one.losses)
            case "pruned":
                self._study.tell(copy, state=TrialState.PRUNED)
            case _:
                self._study.tell(copy, state=TrialState.FAIL)


def _choose_with(trial: optuna.Trial, name: str, domain: Domain) -> Any:
    match domain:
        case IntRange(low, high, log):
            return trial.suggest_int(name, low, high, log=log)
        case FloatRange(low, high, log):
            return trial.suggest_float(name, low, high, log=log)
        case Choice():
            return from_label(domain, trial.suggest_categorical(name, labels(domain)))
        case Fixed():
            raise AssertionError(f"{name} is fixed")
