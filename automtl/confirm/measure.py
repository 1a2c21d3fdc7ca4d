"""How good the runs of one model are: means over its seeds, with intervals on TEST rows.

Shapes: N test rows, J rows of one objective, S seeds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automtl import records
from automtl.analysis.estimates import Estimate, estimate, seed_interval
from automtl.config import Objective
from automtl.confirmed import ConfirmedModel, Measure
from automtl.data.cache import EncodedData
from automtl.training.metrics import MetricCase, metric_case

__all__ = ["Tested", "cases_of", "on_validation", "tested"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A model, and its estimates on TEST rows by objective, those that are defined, with the
    influences that comparisons need."""

    model: ConfirmedModel
    estimates: Mapping[str, Estimate]


def on_validation(
    objectives: Sequence[Objective], values: Sequence[Mapping[str, float]]
) -> dict[str, Measure]:
    """By task objective, from the values of each seed's run; nothing where no run has come to its
    end."""
    found = {}
    for one in records.task_objectives(objectives) if values else ():
        by_seed = tuple(float(value[one.name]) for value in values)
        seeds = seed_interval(by_seed)
        found[one.name] = Measure(
            by_seed=by_seed,
            mean=float(np.mean(by_seed)),
            seed_low=None if seeds is None else seeds.low,
            seed_high=None if seeds is None else seeds.high,
        )
    return found


def cases_of(objectives: Sequence[Objective], data: EncodedData) -> dict[str, MetricCase]:
    """By task objective; none without test rows."""
    if not data.num_rows["test"]:
        return {}
    labels_NK = np.asarray(data.rows("test").labels_NK)
    return {
        one.name: metric_case(one, labels_NK, data.tasks)
        for one in records.task_objectives(objectives)
    }


def tested(
    model: ConfirmedModel,
    cases: Mapping[str, MetricCase],
    groups_N: NDArray[np.int64] | None,
    *,
    scores_of: Callable[[int], Mapping[str, NDArray[np.float32]]],
) -> Tested:
    """The model with its `test` measures, comparisons left out; `scores_of` gives what one of its
    runs predicted for TEST rows."""
    estimates: dict[str, Estimate] = {}
    scores = [scores_of(run) for run in model.runs] if cases else []
    for name, case in cases.items() if scores else ():
        found = estimate(
            name.rpartition(".")[2],
            labels_J=case.labels_J,
            scores_SJ=np.stack([one[case.prediction][case.rows_J] for one in scores]),
            groups_J=None if groups_N is None else groups_N[case.rows_J],
        )
        if found is not None:
            estimates[name] = found
    measures = {name: _measure(found) for name, found in estimates.items()}
    return Tested(model=dataclasses.replace(model, test=measures), estimates=estimates)


def _measure(found: Estimate) -> Measure:
    return Measure(
        by_seed=found.values,
        mean=found.mean,
        seed_low=None if found.seeds is None else found.seeds.low,
        seed_high=None if found.seeds is None else found.seeds.high,
        row_error=None if found.rows is None else found.rows.standard_error,
        low=None if found.total is None else found.total.low,
        high=None if found.total is None else found.total.high,
    )
