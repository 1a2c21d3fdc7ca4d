"""Who may be picked, by what is known: the confirmed front where there is one, else the search's.

A confirmed trial is judged by its means over fresh seeds on VALIDATION rows, and the run of the
median score stands for it.

Shapes: F members, M objectives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from automtl import confirmed, pareto, records, rundir
from automtl.config import Objective
from automtl.confirmed import Confirmation, ConfirmedModel
from automtl.study import Study, TrialRecord

__all__ = ["Standing", "Trained", "standing", "trained", "within_one_error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A training whose weights are kept: in the search's own study, or in that of its
    confirmation, where `seed_index` counts its seed from 0."""

    study: Study
    record: TrialRecord
    seed_index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The members of the front, best in the first objective first, and their losses_FM; `num_seeds`
    is 1 for those of the search itself."""

    objectives: tuple[Objective, ...]
    members: tuple[TrialRecord, ...]
    losses_FM: pareto.Floats
    num_seeds: int

    @property
    def is_confirmed(self) -> bool:
        return self.num_seeds > 1

    @property
    def crowd(self) -> str:
        """`the 5 trials on the front`."""
        of = "confirmed front" if self.is_confirmed else "front"
        count = len(self.members)
        return f"the only trial on the {of}" if count == 1 else f"the {count} trials on the {of}"

    @property
    def basis(self) -> str:
        """What members are judged by, as the end of a sentence."""
        if not self.is_confirmed:
            return ""
        return f", by the means of {self.num_seeds} fresh seeds on validation rows"

    def knee(self) -> TrialRecord:
        return self.members[pareto.knee(self.losses_FM)]

    def best(self, objective: Objective) -> tuple[TrialRecord, float]:
        """The best member in one objective, and its value in native units."""
        column = self.objectives.index(objective)
        index = int(np.argmin(self.losses_FM[:, column]))
        return self.members[index], pareto.to_value(self.losses_FM[index, column], objective)

    def weighted(self, weights: Sequence[float]) -> TrialRecord:
        """The member of least weighted sum of losses, each scaled to [0, 1] over the front."""
        range_M = np.ptp(self.losses_FM, axis=0)
        scaled_FM = (self.losses_FM - self.losses_FM.min(axis=0)) / np.where(
            range_M > 0, range_M, 1
        )
        return self.members[int(np.argmin(scaled_FM @ np.asarray(weights)))]


def standing(study: Study) -> Standing | None:
    """The confirmed front, else that of the search; None where no trial is on either."""
    confirmation, objectives = study.confirmation(), study.objectives
    if confirmation is not None:
        models = confirmed.confirmed_front(confirmation, objectives)
        if models:
            by_number = {record.number: record for record in study.trials()}
            return Standing(
                objectives=objectives,
                members=tuple(by_number[one.trial] for one in models if one.trial is not None),
                losses_FM=confirmed.losses(models, objectives),
                num_seeds=confirmation.seeds,
            )
    front = study.front()
    if not front:
        return None
    return Standing(
        objectives=objectives,
        members=front,
        losses_FM=records.losses(front, objectives),
        num_seeds=1,
    )


def trained(study: Study, record: TrialRecord) -> Trained:
    """The training that stands for a trial: the median run of its confirmation, else its own."""
    confirmation = study.confirmation()
    kept = confirmed.kept_run(confirmation, record.number)
    model = None if confirmation is None else confirmation.model(record.number)
    if kept is None or model is None:
        return Trained(study=study, record=record)
    runs = Study.open(study.run_dir / rundir.CONFIRM)
    return Trained(study=runs, record=runs.get(kept), seed_index=model.runs.index(kept))


def within_one_error(
    confirmation: Confirmation, objectives: Sequence[Objective]
) -> ConfirmedModel | None:
    """The fewest parameters among the candidates that are no more than one standard error worse
    than the knee in any task objective, by VALIDATION means.

    The one-standard-error rule (Breiman et al. 1984, section 3.4.3); the error is that of the
    difference of two means over seeds, the rows held fixed: validation scores are kept as metrics,
    not by row, so what other rows would move is not known.
    """
    knee = confirmed.confirmed_knee(confirmation, objectives)
    if knee is None:
        return None
    tasks = records.task_objectives(objectives)
    near = [
        one
        for one in confirmation.models
        if one.is_contender and all(_is_near(one, knee, objective) for objective in tasks)
    ]
    return min(near, key=lambda one: one.costs["params"])


def _is_near(model: ConfirmedModel, knee: ConfirmedModel, objective: Objective) -> bool:
    here, there = model.valid[objective.name], knee.valid[objective.name]
    gain = pareto.gain(objective, here.mean - there.mean)
    return gain >= -float(np.hypot(here.seed_error, there.seed_error))
