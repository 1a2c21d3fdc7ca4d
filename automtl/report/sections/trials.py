"""The tables of trials: complete ones by their values, stopped and failed ones by their reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automtl.analysis import text
from automtl.analysis.marks import Marks
from automtl.config import Objective
from automtl.report.sections.parts import signed

if TYPE_CHECKING:
    from automtl.study import Study, TrialRecord

__all__ = ["trial_cells", "trial_tables"]


def trial_tables(study: Study, marks: Marks) -> dict[str, Any]:
    """The rows of the tables of complete, stopped and failed trials."""
    shown = marks.shown()
    numbers = {record.number for record in shown}
    rest = [
        record
        for record in study.trials()
        if record.state == "complete" and record.number not in numbers
    ]
    return {
        "columns": [_column(objective) for objective in study.objectives],
        "rows": [trial_cells(study, marks, record) for record in (*shown, *rest)],
        "failures": [
            {
                "id": record.id,
                "model": text.model_name(record.config),
                "reason": record.reason,
                "traceback": record.traceback,
            }
            for record in study.trials()
            if record.state == "failed"
        ],
        "stopped": [
            {
                "id": record.id,
                "model": text.model_name(record.config),
                "values": [_seen(record, objective) for objective in study.objectives],
                "reason": record.reason,
            }
            for record in study.trials()
            if record.state == "pruned"
        ],
    }


def _column(objective: Objective) -> dict[str, str]:
    return {
        "heading": text.heading(objective),
        "unit": text.gain_unit(objective.name),
        "direction": objective.direction,
    }


def trial_cells(study: Study, marks: Marks, record: TrialRecord) -> dict[str, Any]:
    """One complete trial as a row: texts to show and numbers to sort by."""
    is_reference = marks.is_reference(record)
    gains = {} if is_reference else study.gains(record)
    assert record.values is not None
    tags = {
        "suggested": marks.is_suggested(record),
        "reference": is_reference,
        "baseline": record.role == "baseline",
        "reference candidate": record.role == "reference" and not is_reference,
        "breaks a constraint": not record.feasible,
    }
    seconds = _seconds(record)
    return {
        "id": record.id,
        "number": record.number,
        "model": text.model_name(record.config),
        "on_front": marks.is_on_front(record),
        "tags": [tag for tag, holds in tags.items() if holds],
        "values": [
            {
                "name": objective.name,
                "heading": text.heading(objective),
                "unit": text.gain_unit(objective.name),
                "value": record.values[objective.name],
                "text": text.metric(objective.name, record.values[objective.name]),
                "gain": signed(objective.name, gains[objective.name])
                if objective.name in gains
                else "",
                "sign": _sign(gains.get(objective.name)),
            }
            for objective in study.objectives
        ],
        "epochs": f"{record.evaluations[-1].epochs:.3g}" if record.evaluations else "",
        "notes": record.notes,
        "seconds": seconds,
        "took": "" if seconds is None else text.duration(seconds),
    }


def _seen(record: TrialRecord, objective: Objective) -> str:
    """What a stopped trial had at its last evaluation, which is no result."""
    value = record.metrics.get(objective.name)
    return "" if value is None else text.metric(objective.name, value)


def _sign(difference: float | None) -> str:
    return "" if not difference else "up" if difference > 0 else "down"


def _seconds(record: TrialRecord) -> float | None:
    if record.started is None or record.finished is None:
        return None
    return (record.finished - record.started).total_seconds()
