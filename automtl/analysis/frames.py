"""A study as tidy pandas frames: what the figures draw and what a notebook starts from.

Only full-fidelity results are values here: a running, stopped or failed trial has NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from automtl.analysis import text
from automtl.analysis.marks import Marks

if TYPE_CHECKING:
    from automtl.study import Study, TrialRecord

__all__ = ["evaluations_frame", "hypervolume_frame", "trials_frame"]


def trials_frame(study: Study) -> pd.DataFrame:
    """One row a trial, in the order of their numbers.

    Columns: `number`, `trial` (t0042), `state`, `role`, `model`, `family`, `dependency`,
    `feasible`, `in_space`, `on_front`, `is_knee`, `is_reference`, `epochs` (the fidelity),
    `wall_s`, `seed`, `reason` (of a failure or a stop); a column a metric and model cost, in
    native units; `gain.<objective>` against the single_task reference (+ is better);
    `knob.<name>` for what was proposed.
    """
    marks = Marks.of(study)
    records = study.trials()
    rows = [
        {
            "number": record.number,
            "trial": record.id,
            "state": record.state,
            "role": record.role,
            "model": text.model_name(record.config),
            "family": record.config.model.family,
            "dependency": record.config.model.dependency,
            "feasible": record.feasible,
            "in_space": record.in_space,
            "on_front": marks.is_on_front(record),
            "is_knee": marks.is_suggested(record),
            "is_reference": marks.is_reference(record),
            "epochs": record.evaluations[-1].epochs if record.evaluations else float("nan"),
            "wall_s": _wall_s(record),
            "seed": record.seed,
            "reason": record.reason,
            **_results(study, record),
            **{f"knob.{name}": value for name, value in record.params.items()},
        }
        for record in records
    ]
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=["number", "trial", "state"])


def evaluations_frame(study: Study) -> pd.DataFrame:
    """One row a trial, evaluation and metric: the learning curves, of stopped trials too."""
    columns = ["number", "trial", "epochs", "examples", "wall_s", "metric", "value"]
    return pd.DataFrame(
        [
            (record.number, record.id, seen.epochs, seen.examples, seen.wall_s, name, value)
            for record in study.trials()
            for seen in record.evaluations
            for name, value in seen.metrics.items()
        ],
        columns=columns,
    )


def hypervolume_frame(study: Study) -> pd.DataFrame:
    """One row a finished trial, in the order they finished: the front's hypervolume so far.

    `finished` counts from 1, `improved` says whether this trial moved the front. One fixed
    reference point for all rows, so the column never falls.
    """
    trace = study.hypervolume_trace()
    ids = {record.number: record.id for record in study.trials()}
    frame = pd.DataFrame(
        {
            "finished": range(1, len(trace) + 1),
            "number": [number for number, _ in trace],
            "trial": [ids[number] for number, _ in trace],
            "hypervolume": [volume for _, volume in trace],
        }
    )
    frame["improved"] = frame["hypervolume"].diff().fillna(frame["hypervolume"]) > 0
    return frame


def _results(study: Study, record: TrialRecord) -> dict[str, float]:
    if record.state != "complete" or record.values is None:
        return {}
    gains = {f"gain.{name}": value for name, value in study.gains(record).items()}
    return {**record.metrics, **record.values, **gains}


def _wall_s(record: TrialRecord) -> float:
    if record.started is None or record.finished is None:
        return float("nan")
    return (record.finished - record.started).total_seconds()
