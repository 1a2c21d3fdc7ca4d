"""What the journal holds of a trial, there and back: Optuna's trials and our records."""

from __future__ import annotations

import datetime as dt
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from automtl import rundir
from automtl.config import Evaluation, Objective, TrialConfig, to_jsonable
from automtl.journal import open_journal
from automtl.records import State, TrialRecord
from automtl.spec.schema import Spec

__all__ = ["create_journal", "evaluation_json", "evaluation_of", "to_record"]

_STATES: Mapping[TrialState, State] = {
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


def create_journal(run_dir: Path, spec: Spec) -> None:
    """A journal without trials; Optuna's own tools find the objectives' names in it."""
    objectives = spec.objective_list()
    study = optuna.create_study(
        study_name=spec.name,
        storage=open_journal(run_dir / rundir.JOURNAL),
        directions=[objective.direction for objective in objectives],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names([objective.name for objective in objectives])


def to_record(
    trial: FrozenTrial, objectives: Sequence[Objective], config: TrialConfig
) -> TrialRecord:
    """The record of an entry; whether its weights are there, the directory says."""
    attrs = trial.user_attrs
    names = [objective.name for objective in objectives]
    complete = trial.state == TrialState.COMPLETE
    return TrialRecord(
        number=trial.number,
        state="interrupted" if attrs.get("interrupted") else _STATES[trial.state],
        role=attrs["role"],
        params=trial.params,
        config=config,
        evaluations=tuple(evaluation_of(value) for value in attrs.get("evaluations", ())),
        values=dict(zip(names, trial.values, strict=True)) if complete else None,
        feasible=all(violation <= 0 for violation in trial.constraints.values()),
        in_space=attrs["in_space"],
        reason=attrs.get("reason", ""),
        traceback=attrs.get("traceback", ""),
        started=_aware(trial.datetime_start),
        finished=_aware(trial.datetime_complete),
        seed=attrs["seed"],
        origin=attrs["origin"],
        planned=attrs["planned"],
        has_weights=False,
        measured=attrs.get("measured", {}),
    )


def evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    """JSON knows no NaN: a metric that is not finite becomes null."""
    metrics = {k: v if math.isfinite(v) else None for k, v in evaluation.metrics.items()}
    value: dict[str, Any] = to_jsonable(evaluation)
    return value | {"metrics": metrics}


def evaluation_of(value: Mapping[str, Any]) -> Evaluation:
    """What `evaluation_json` wrote."""
    return Evaluation(
        epochs=value["epochs"],
        examples=value["examples"],
        wall_s=value["wall_s"],
        metrics={k: math.nan if v is None else v for k, v in value["metrics"].items()},
        notes=tuple(value["notes"]),
        device=value["device"],
    )


def _aware(time: dt.datetime | None) -> dt.datetime | None:
    return None if time is None else time.astimezone(dt.UTC)  # Optuna's are naive and local
