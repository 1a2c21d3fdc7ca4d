"""What full training has given, as plain values: each seed's run, and how good they are on TEST."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automtl.analysis import text
from automtl.config import TrainedOn
from automtl.confirm.candidates import Rerun
from automtl.confirm.keep import median_run, runs_of
from automtl.confirm.measure import cases_of, on_validation, tested
from automtl.confirmed import ConfirmedModel
from automtl.data.cache import EncodedData
from automtl.errors import RunError, SearchFailedError
from automtl.final.seeds import THE_ONE
from automtl.search.scores import read_scores
from automtl.study import Study

__all__ = ["SCORES", "Training", "training_of"]

SCORES = "scores"


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """The runs that came to their end, in the order of their `seeds`, and the `model` they are of:
    its `kept` run is the one whose score is the median, `test` its measures on rows that nothing
    was decided by. `num_groups` values of the column `group` were taken for independent, rows if
    it is None.

    `valid` are measures on valid rows. Where these were trained on they say how well it fits, not
    how good it is; they choose the median all the same, since test rows choose nothing.
    """

    trained_on: TrainedOn
    seeds: tuple[int, ...]
    num_test_rows: int
    group: str | None
    num_groups: int
    model: ConfirmedModel


def training_of(
    study: Study,
    data: EncodedData,
    wanted: Sequence[Rerun],
    *,
    group: str | None,
    groups_N: NDArray[np.int64] | None,
) -> Training:
    """The result of the `wanted` trainings, which have ended.

    SearchFailedError, with the first reason, if none came to its end; RunError if what a run
    predicted, or all weights, are gone.
    """
    runs = runs_of(study, wanted, THE_ONE)
    complete = [one for one in runs if one.state == "complete"]
    if not complete:
        first = runs[0]
        raise SearchFailedError(
            f"{study.run_dir}: no seed came to its end; {first.id}: {first.reason}"
            + (f"\n\n{first.traceback}" if first.traceback else "")
        )
    kept = median_run(runs, study.objectives)
    if kept is None:
        raise RunError(f"{study.run_dir}: the weights are gone; train again, with another --out")
    costs = {one.name for one in study.objectives if one.task is None} | {"params"}
    model = ConfirmedModel(
        trial=None,
        name=text.model_name(kept.config),
        family=kept.config.model.family,
        runs=tuple(one.number for one in complete),
        num_failed=len(runs) - len(complete),
        kept=kept.number,
        costs={name: kept.metrics[name] for name in sorted(costs)},
        valid=on_validation(study.objectives, [one.values or {} for one in complete]),
    )
    scores_dir = study.run_dir / SCORES
    found = tested(
        model,
        cases_of(study.objectives, data),
        groups_N,
        scores_of=lambda number: read_scores(scores_dir, number),
    )
    num_test_rows = data.num_rows["test"]
    return Training(
        trained_on=study.trained_on,
        seeds=tuple(one.seed for one in complete),
        num_test_rows=num_test_rows,
        group=group,
        num_groups=num_test_rows if groups_N is None else len(np.unique(groups_N)),
        model=found.model,
    )
