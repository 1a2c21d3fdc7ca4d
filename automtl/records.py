"""One trial as a study knows it, and what follows from several: the front, the reference, gains.

Pure functions of records: who is on the front is decided here and nowhere else.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from automtl import pareto, rundir
from automtl.config import Constraint, Evaluation, Objective, TrialConfig

__all__ = [
    "FIRST_REFERENCE",
    "NewTrial",
    "Role",
    "State",
    "TrialRecord",
    "best_reference",
    "evaluation_epochs",
    "fault",
    "front",
    "gains",
    "hypervolume_trace",
    "is_judged",
    "is_last",
    "losses",
    "may_lead",
    "not_finite",
    "task_objectives",
    "undominated",
]

State = Literal["running", "complete", "pruned", "failed", "interrupted"]
Role = Literal["reference", "baseline", "search", "confirm", "train"]

FIRST_REFERENCE = "reference:0"  # the key of single_task by its defaults in the plan


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTrial:
    """A trial to start: what `TrialRecord` keeps of it, the knobs' domains as Optuna writes them
    (`distributions`), and the `violations` of the constraints that are known before training.
    Without an `origin` it is its own."""

    role: Role
    params: Mapping[str, Any]
    config: TrialConfig
    seed: int
    distributions: Mapping[str, Any] = field(default_factory=dict)
    in_space: bool = True
    violations: Mapping[Constraint, float] = field(default_factory=dict)
    planned: str = ""
    origin: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """One trial as the study knows it.

    `params` are the knobs that were proposed, with readable labels; `values` the objectives, in
    native units, of a complete trial; `metrics` all that the last evaluation saw, or what was
    `measured` of a trial that was not trained because of it. `feasible` is
    false if a constraint is known to be broken; `in_space` is false for a reference that the
    space does not contain. `origin` is the trial whose place this one takes, after a kill; itself
    otherwise. `planned` is its key in the plan of baselines, "" for a trial of the search.
    """

    number: int
    state: State
    role: Role
    params: Mapping[str, Any]
    config: TrialConfig
    evaluations: tuple[Evaluation, ...]
    values: Mapping[str, float] | None
    feasible: bool
    in_space: bool
    reason: str
    traceback: str
    started: dt.datetime | None
    finished: dt.datetime | None
    seed: int
    origin: int
    planned: str
    has_weights: bool
    measured: Mapping[str, float] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return rundir.trial_id(self.number)

    @property
    def metrics(self) -> Mapping[str, float]:
        return self.evaluations[-1].metrics if self.evaluations else self.measured

    @property
    def notes(self) -> tuple[str, ...]:
        """What the trial did otherwise than asked."""
        return self.evaluations[-1].notes if self.evaluations else ()


def is_judged(record: TrialRecord) -> bool:
    """Whether a trial may be stopped at a rung: all but the defaults, that of the reference too."""
    return record.role == "search" or (
        record.role == "reference" and record.planned != FIRST_REFERENCE
    )


def fault(
    record: TrialRecord, objectives: Sequence[Objective], constraints: Sequence[Constraint]
) -> str:
    """Why a trial that has ended by itself is no result, in one line; "" if it is one.

    It must have been trained for its epochs, and all that it is judged by must be finite.
    """
    epochs = record.evaluations[-1].epochs if record.evaluations else 0.0
    if not is_last(epochs, record.config):
        return f"ended after {epochs:g} of {record.config.train.epochs:g} epochs"
    return not_finite(record.evaluations[-1], objectives, constraints)


def not_finite(
    evaluation: Evaluation, objectives: Sequence[Objective], constraints: Sequence[Constraint]
) -> str:
    """What a trial is judged by and is NaN or infinite, in one line; "" if nothing is."""
    for name in [*(one.name for one in objectives), *(one.name for one in constraints)]:
        value = evaluation.metrics.get(name, math.nan)
        if not math.isfinite(value):
            return f"{name} is {value} after {evaluation.epochs:.4g} epochs"
    return ""


def evaluation_epochs(epochs: float, rungs: Sequence[float]) -> tuple[float, ...]:
    """Where a trial of `epochs` is evaluated: at the rungs on its way, and at its end."""
    return (*(rung for rung in rungs if rung < epochs * (1 - 1e-9)), epochs)


def is_last(epochs: float, config: TrialConfig) -> bool:
    """Whether an evaluation after `epochs` is the one at the end of a trial."""
    return epochs >= config.train.epochs * (1 - 1e-9)


def task_objectives(objectives: Sequence[Objective]) -> list[Objective]:
    """The objectives that are metrics of tasks, not costs of the model."""
    return [objective for objective in objectives if objective.task is not None]


def losses(records: Sequence[TrialRecord], objectives: Sequence[Objective]) -> pareto.Floats:
    """losses_NM of complete trials (`pareto.to_losses`)."""
    rows = []
    for record in records:
        assert record.values is not None, f"{record.id} has no values"
        rows.append([record.values[objective.name] for objective in objectives])
    return pareto.to_losses(rows, objectives)


def undominated(
    records: Sequence[TrialRecord], objectives: Sequence[Objective]
) -> tuple[TrialRecord, ...]:
    """The complete trials that no other of `records` dominates, best in the first objective
    first."""
    return tuple(records[i] for i in pareto.front_order(losses(records, objectives)))


def front(
    records: Sequence[TrialRecord], objectives: Sequence[Objective]
) -> tuple[TrialRecord, ...]:
    """The Pareto front: complete (so trained to full fidelity), feasible, in the space, and not
    dominated by another such trial. Best in the first objective first."""
    return undominated([record for record in records if may_lead(record)], objectives)


def hypervolume_trace(
    records: Sequence[TrialRecord], objectives: Sequence[Objective]
) -> list[tuple[int, float]]:
    """(trial number, hypervolume of the front so far), in the order in which trials finished.

    One reference point for all prefixes: that of all records (`pareto.reference_point`).
    """
    leaders = [record for record in records if may_lead(record)]
    leaders.sort(key=lambda record: (record.finished, record.number))
    if not leaders:
        return []
    losses_NM = losses(leaders, objectives)
    trace = pareto.hypervolume_trace(losses_NM, pareto.reference_point(losses_NM))
    return [(record.number, float(volume)) for record, volume in zip(leaders, trace, strict=True)]


def best_reference(
    records: Sequence[TrialRecord], objectives: Sequence[Objective]
) -> TrialRecord | None:
    """The complete reference trial of the smallest mean rank over the objectives that are metrics
    of tasks (over all, if none is); ties go to the earlier trial."""
    references = [record for record in records if record.role == "reference" and record.values]
    if not references:
        return None
    losses_NM = losses(references, task_objectives(objectives) or objectives)
    better_NNM = losses_NM[None, :, :] < losses_NM[:, None, :]
    equal_NNM = losses_NM[None, :, :] == losses_NM[:, None, :]
    rank_N = (better_NNM + 0.5 * equal_NNM).sum(axis=1).mean(axis=1)
    return references[int(rank_N.argmin())]


def gains(
    record: TrialRecord, reference: TrialRecord | None, objectives: Sequence[Objective]
) -> dict[str, float]:
    """How much better than `reference` in each task objective, in native units, + better.

    Empty where one of the two has no values.
    """
    metrics = task_objectives(objectives)
    if reference is None or not (reference.values and record.values and metrics):
        return {}
    reference_M, loss_M = losses([reference, record], metrics)
    names = (objective.name for objective in metrics)
    return dict(zip(names, (reference_M - loss_M).tolist(), strict=True))


def may_lead(record: TrialRecord) -> bool:
    """Whether a trial may be on the front: complete, feasible, in the space."""
    return record.state == "complete" and record.feasible and record.in_space
