"""Which run of a configuration stands for it: the one whose validation score is the median.

Its weights are kept and exported; those of the others go once all seeds have ended.

Shapes: S runs, M objectives.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from automtl import records
from automtl.config import Objective
from automtl.confirm.candidates import Rerun
from automtl.records import TrialRecord
from automtl.study import Study
from automtl.study_writer import StudyWriter

__all__ = ["forget_others", "median_run", "runs_of"]


def runs_of(runs: Study, wanted: Sequence[Rerun], trial: int) -> tuple[TrialRecord, ...]:
    """What there is of the wanted runs of one trial, in the order of the seeds."""
    known = {record.planned: record for record in runs.trials()}
    keys = [one.key for one in wanted if one.trial == trial]
    return tuple(known[key] for key in keys if key in known)


def median_run(done: Sequence[TrialRecord], objectives: Sequence[Objective]) -> TrialRecord | None:
    """The complete run nearest the median of its configuration's validation scores.

    A score is the mean over the task objectives (over all, if none is) of how many standard
    deviations a run is from the mean of `done`. Only a run that has its weights can stand for the
    others: the median of a few seeds may be without them once there are more. Ties go to the
    earlier seed.
    """
    complete = [one for one in done if one.state == "complete"]
    kept = [one for one in complete if one.has_weights]
    if not kept:
        return None
    losses_SM = records.losses(complete, records.task_objectives(objectives) or objectives)
    spread_M = losses_SM.std(axis=0)
    score_S = ((losses_SM - losses_SM.mean(axis=0)) / np.where(spread_M > 0, spread_M, 1.0)).mean(1)
    middle = float(np.median(score_S))
    off = {one.number: abs(score - middle) for one, score in zip(complete, score_S, strict=True)}
    return min(kept, key=lambda one: off[one.number])


def forget_others(runs: StudyWriter, wanted: Sequence[Rerun], trial: int) -> None:
    """Deletes all weights of a trial's runs but the median's, once none is still to come."""
    found = runs_of(runs, wanted, trial)
    expected = sum(one.trial == trial for one in wanted)
    if len(found) < expected or any(one.state == "running" for one in found):
        return
    kept = median_run(found, runs.objectives)
    runs.forget_weights(one.number for one in found if one.has_weights and one is not kept)
