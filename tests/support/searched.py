"""A study whose trials have every knob of its spec, drawn at random, and results that follow."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from support.study import StudyOfRecords, make_record

from automtl.config import Evaluation, TrialConfig
from automtl.search.distributions import to_label
from automtl.space import Pinned, sample
from automtl.spec.domains import Choice, Domain, FloatRange, IntRange
from automtl.spec.schema import Spec


def make_searched(
    spec: Spec,
    metrics: Callable[[TrialConfig, np.random.Generator], Mapping[str, float]],
    num_trials: int = 100,
    *,
    seed: int = 0,
    stopped: float = 0.0,
) -> StudyOfRecords:
    """`num_trials` trials with the `metrics` of their configuration; the first is the reference.

    A share of `stopped` trials ends at a rung.
    """
    rng = np.random.default_rng(seed)
    records = []
    for number in range(num_trials):
        params: dict[str, Any] = {}

        def draw(name: str, domain: Domain, params: dict[str, Any] = params) -> Any:
            value = _draw(domain, rng)
            params[name] = to_label(domain, value)
            return value

        is_reference = number == 0
        pins = {"family": "single_task", "dependency": "none"} if is_reference else {}
        config = sample(spec, Pinned(pins, draw))
        seen = metrics(config, rng)
        is_stopped = not is_reference and rng.random() < stopped
        places = (1 / 9,) if is_stopped else (1 / 9, 1.0)
        records.append(
            make_record(
                number,
                family=config.model.family,
                dependency=config.model.dependency,
                role="reference" if is_reference else "search",
                state="pruned" if is_stopped else "complete",
                config=config,
                params=params | {name: pin for name, pin in pins.items() if name in params},
                metrics=seen,
                evaluations=tuple(
                    Evaluation(epochs=part, examples=int(9e4 * part), wall_s=part, metrics=seen)
                    for part in places
                ),
                values=None
                if is_stopped
                else {one.name: seen[one.name] for one in spec.objective_list()},
                reason="stopped after 0.111 epochs" if is_stopped else "",
            )
        )
    return StudyOfRecords(records, spec)


def _draw(domain: Domain, rng: np.random.Generator) -> Any:
    match domain:
        case Choice(options):
            return options[rng.integers(len(options))]
        case IntRange(low, high):
            return int(rng.integers(low, high + 1))
        case FloatRange(low, high, log):
            if log:
                return float(np.exp(rng.uniform(math.log(low), math.log(high))))
            return float(rng.uniform(low, high))
    raise AssertionError(domain)
