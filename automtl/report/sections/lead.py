"""The head of the page: what was searched, what is suggested, and what was stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automtl.analysis import text
from automtl.analysis.marks import Marks
from automtl.report.sections.trials import trial_cells

if TYPE_CHECKING:
    from automtl.study import Study, TrialRecord

__all__ = ["lead"]

SIGNS = {"<=": "≤", ">=": "≥"}


def lead(study: Study, marks: Marks) -> dict[str, Any]:
    """The words of the head, by the names that the template gives them."""
    records = study.trials()
    complete = [record for record in records if record.state == "complete"]
    families = {record.config.model.family for record in records}
    times = [t for record in records for t in (record.started, record.finished) if t is not None]
    took = (max(times) - min(times)).total_seconds() if times else 0.0
    knee, reference = marks.knee, marks.reference
    return {
        "name": study.spec.name,
        "objectives": [text.heading(objective) for objective in study.objectives],
        "num_trials": len(records),
        "num_complete": len(complete),
        "num_failed": sum(record.state == "failed" for record in records),
        "num_pruned": sum(record.state == "pruned" for record in records),
        "num_running": sum(record.state == "running" for record in records),
        "num_families": len(families),
        "with_esmm": any(r.config.model.dependency != "none" for r in records),
        "took": text.duration(took),
        "num_front": len(marks.front),
        "suggested": None if knee is None else trial_cells(study, marks, knee),
        "reference": None if reference is None else trial_cells(study, marks, reference),
        "num_reference": sum(record.role == "reference" for record in complete),
        "constraints": [
            f"{limit.name} {SIGNS[limit.op]} {text.metric(limit.name, limit.bound)}"
            for limit in study.constraints
        ],
        "saturation": _saturation(study),
        "stops": _stops(study),
        "num_rejected": study.num_rejected,
        "ended": study.ended,
    }


def _saturation(study: Study) -> str:
    """How much the last quarter of the search still brought, in percent of the hypervolume."""
    trace = [volume for _, volume in study.hypervolume_trace()]
    if len(trace) < 8 or trace[-1] <= 0:
        return ""
    last = len(trace) // 4
    share = 100 * (1 - trace[-1 - last] / trace[-1])
    return f"The last {last} trials added {share:.1f} % of it."


def _stops(study: Study) -> str:
    """`8 after 0.222 epochs, 3 after 0.667 epochs, 2 before training`: who was stopped where."""
    stopped = [record for record in study.trials() if record.state == "pruned"]
    places = [_stopped_at(record) for record in stopped]
    return ", ".join(f"{places.count(place)} {_after(place)}" for place in sorted(set(places)))


def _stopped_at(record: TrialRecord) -> float:
    return record.evaluations[-1].epochs if record.evaluations else 0.0


def _after(epochs: float) -> str:
    return f"after {epochs:.3g} epochs" if epochs else "before training"
