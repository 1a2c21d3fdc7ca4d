"""From runs to a comparison: means over the seeds, intervals, and who can be told from whom.

Everything reported is of TEST rows, by `analysis.estimates`; validation rows give the means that
picks are made by. Differences have + for better.

Shapes: N test rows, J rows of one objective, S seeds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from automtl import pareto, records
from automtl.analysis import text
from automtl.analysis.estimates import (
    Difference,
    compare,
    holm,
)
from automtl.config import Objective
from automtl.confirm.boosting import NAME
from automtl.confirm.candidates import Rerun, Selection
from automtl.confirm.keep import median_run, runs_of
from automtl.confirm.measure import Tested, cases_of, on_validation, tested
from automtl.confirm.outside import run_name
from automtl.confirmed import Confirmation, ConfirmedModel, Versus, confirmed_knee
from automtl.data.cache import EncodedData
from automtl.records import TrialRecord
from automtl.search.scores import read_scores
from automtl.study import Study

__all__ = ["compare_all"]


def compare_all(
    study: Study,
    runs: Study,
    data: EncodedData,
    selection: Selection,
    wanted: Sequence[Rerun],
    *,
    scores_dir: Path,
    outside: Sequence[Mapping[str, float]] = (),
    group: str | None = None,
    groups_N: NDArray[np.int64] | None = None,
) -> Confirmation:
    """The confirmation of `study` from the ended `runs`; `outside` is what gradient boosting
    reached on VALIDATION rows, by seed."""
    cases = cases_of(study.objectives, data)
    found = [
        tested(
            _model(study, selection, runs, wanted, trial),
            cases,
            groups_N,
            scores_of=lambda number: read_scores(scores_dir, number),
        )
        for trial in selection.trials
    ]
    if outside:
        found.append(
            tested(
                _outside(study, outside),
                cases,
                groups_N,
                scores_of=lambda seed: read_scores(scores_dir, run_name(seed)),
            )
        )
    confirmation = Confirmation(
        seeds=max(len(one.model.runs) for one in found),
        group=group,
        num_groups=data.num_rows["test"] if groups_N is None else len(np.unique(groups_N)),
        num_test_rows=data.num_rows["test"],
        models=tuple(one.model for one in found),
    )
    return dataclasses.replace(confirmation, models=_compared(study, confirmation, found))


# ---- one model -----------------------------------------------------------------------------


def _model(
    study: Study, selection: Selection, runs: Study, wanted: Sequence[Rerun], trial: TrialRecord
) -> ConfirmedModel:
    done = runs_of(runs, wanted, trial.number)
    complete = [one for one in done if one.state == "complete"]
    kept = median_run(done, study.objectives)
    values = [one.values or {} for one in complete]
    costs = {one.name for one in study.objectives if one.task is None} | {"params"}
    return ConfirmedModel(
        trial=trial.number,
        name=text.model_name(trial.config),
        family=trial.config.model.family,
        is_candidate=trial in selection.candidates,
        is_baseline=trial in selection.baselines,
        is_reference=trial is selection.reference,
        may_lead=records.may_lead(trial),
        runs=tuple(one.number for one in complete),
        num_failed=sum(one.state == "failed" for one in done),
        kept=None if kept is None else kept.number,
        costs={name: trial.metrics[name] for name in sorted(costs)},
        valid=on_validation(study.objectives, values),
    )


def _outside(study: Study, values: Sequence[Mapping[str, float]]) -> ConfirmedModel:
    return ConfirmedModel(
        trial=None,
        name=NAME,
        family=NAME,
        runs=tuple(range(len(values))),
        valid=on_validation(study.objectives, values),
    )


# ---- comparisons ---------------------------------------------------------------------------


def _compared(
    study: Study, found: Confirmation, tested: Sequence[Tested]
) -> tuple[ConfirmedModel, ...]:
    """All models with their comparisons; Holm's correction is over each of four tables: candidates
    against the reference, baselines against it, candidates against the suggested one, and the
    suggested one against the outside."""
    objectives = records.task_objectives(study.objectives)
    suggested = confirmed_knee(found, study.objectives)
    reference = next((one for one in tested if one.model.is_reference), None)
    knee = next((one for one in tested if suggested and one.model.trial == suggested.trial), None)
    candidates = [one for one in tested if one.model.is_candidate]
    baselines = [one for one in tested if one.model.is_baseline and not one.model.is_candidate]
    outside = [one for one in tested if one.model.trial is None]
    to_reference = {
        **_table(candidates, reference, objectives),
        **_table(baselines, reference, objectives),
    }
    to_suggested = {
        **_table(candidates, knee, objectives),
        **_table(outside, knee, objectives),
    }
    return tuple(
        dataclasses.replace(
            one.model,
            test={
                name: dataclasses.replace(
                    measure,
                    versus_reference=to_reference.get((one.model.id, name)),
                    versus_suggested=to_suggested.get((one.model.id, name)),
                )
                for name, measure in one.model.test.items()
            },
        )
        for one in tested
    )


def _table(
    models: Iterable[Tested], other: Tested | None, objectives: Sequence[Objective]
) -> dict[tuple[str, str], Versus]:
    """Each model against the other in each objective, corrected over all of them; nothing where
    there is no other, or one of the two has no estimate or only one seed."""
    if other is None:
        return {}
    tested: dict[tuple[str, str], tuple[Objective, Difference, float]] = {}
    for one in models:
        for objective in objectives if one is not other else ():
            pair = [side.estimates.get(objective.name) for side in (one, other)]
            if pair[0] is None or pair[1] is None:
                continue
            found = compare(pair[0], pair[1])
            if found.p_value is not None:
                tested[one.model.id, objective.name] = (objective, found, found.p_value)
    adjusted = holm([p_value for _, _, p_value in tested.values()])
    return {
        key: _versus(*told, p_adjusted)
        for (key, told), p_adjusted in zip(tested.items(), adjusted, strict=True)
    }


def _versus(objective: Objective, found: Difference, p_value: float, p_adjusted: float) -> Versus:
    assert found.total is not None, "where there is a p-value there is an interval"
    ends = [pareto.gain(objective, one) for one in (found.total.low, found.total.high)]
    return Versus(
        difference=pareto.gain(objective, found.difference),
        low=min(ends),
        high=max(ends),
        p_value=p_value,
        p_adjusted=p_adjusted,
    )
