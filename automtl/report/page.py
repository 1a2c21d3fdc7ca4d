"""The report: one HTML file that works from a disk, offline, and shows all of a study.

Everything that came from data or from a user goes through jinja2's autoescape, through JSON with
`<`, `>` and `&` escaped, or through `html.escape` in the hover texts (plotly reads tags there).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from automtl.analysis import text
from automtl.analysis.frames import evaluations_frame, hypervolume_frame, trials_frame
from automtl.analysis.marks import Marks
from automtl.config import Objective
from automtl.errors import RunError
from automtl.files import written_whole
from automtl.report import figures
from automtl.report.curves import curves_figure
from automtl.report.provenance import provenance

if TYPE_CHECKING:
    from automtl.study import Study, TrialRecord

__all__ = ["render_report", "write_report"]

HERE = Path(__file__).parent
SIGNS = {"<=": "≤", ">=": "≥"}


def write_report(study: Study, path: Path) -> Path:
    """Write the page of `study` to `path` and return it.

    The old page stays until the new one is whole. RunError if the place cannot be written.
    """
    page = render_report(study)
    try:
        with written_whole(path) as draft:
            draft.write_text(page, encoding="utf-8")
    except OSError as error:
        raise RunError(
            f"{path}: the report cannot be written ({error.strerror}); free the place or give "
            "another run directory"
        ) from error
    return path


def render_report(study: Study) -> str:
    """The page as text. It holds plotly.js once (4.8 MB) and asks nothing of a network."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    marks = Marks.of(study)
    return environment.get_template("page.html.j2").render(
        **_words(study, marks),
        **_tables(study, marks),
        payload=_payload(study, marks),
        provenance=provenance(study),
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        script=Markup((HERE / "page.js").read_text(encoding="utf-8")),
        plotly=Markup(figures.plotly_js()),
    )


# ---- words ---------------------------------------------------------------------------------


def _words(study: Study, marks: Marks) -> dict[str, Any]:
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
        "suggested": None if knee is None else _cells(study, marks, knee),
        "reference": None if reference is None else _cells(study, marks, reference),
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


# ---- tables --------------------------------------------------------------------------------


def _tables(study: Study, marks: Marks) -> dict[str, Any]:
    shown = marks.shown()
    numbers = {record.number for record in shown}
    rest = [
        record
        for record in study.trials()
        if record.state == "complete" and record.number not in numbers
    ]
    return {
        "curves": [one.name for one in study.objectives if one.task is not None],
        "columns": [_column(objective) for objective in study.objectives],
        "rows": [_cells(study, marks, record) for record in (*shown, *rest)],
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


def _cells(study: Study, marks: Marks, record: TrialRecord) -> dict[str, Any]:
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
                "gain": _signed(objective.name, gains.get(objective.name)),
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


def _signed(name: str, difference: float | None) -> str:
    return "" if difference is None else text.gain(name, difference).replace("-", "−")


def _sign(difference: float | None) -> str:
    return "" if not difference else "up" if difference > 0 else "down"


def _seconds(record: TrialRecord) -> float | None:
    if record.started is None or record.finished is None:
        return None
    return (record.finished - record.started).total_seconds()


# ---- what the script reads -----------------------------------------------------------------


def _payload(study: Study, marks: Marks) -> dict[str, Any]:
    complete = [record for record in study.trials() if record.state == "complete"]
    if not complete:
        return {"figures": {}, "trials": {}}
    frame = trials_frame(study)
    done = frame[frame["state"] == "complete"]
    axes = _axes(study.objectives)
    x, y = axes[0], axes[1]
    head, bodies, tail = _split(text.trial_yamls(study, complete))
    suggested = marks.knee or complete[0]
    seen = evaluations_frame(study)
    return {
        "figures": {
            "front": figures.to_plain(figures.front_figure(frame, study.objectives, x=x, y=y)),
            "hypervolume": figures.to_plain(figures.hypervolume_figure(hypervolume_frame(study))),
            "curves": [
                figures.to_plain(curves_figure(frame, seen, objective))
                for objective in study.objectives
                if objective.task is not None
            ],
        },
        "axes": {one.name: figures.axis(one, done) for one in axes},
        "pair": [x.name, y.name],
        "values": {
            one.name: dict(zip(done["number"].tolist(), done[one.name].tolist(), strict=True))
            for one in axes
        },
        "yaml": {"head": head, "tail": tail},
        "trials": {
            record.number: {**_cells(study, marks, record), "yaml": body}
            for record, body in zip(complete, bodies, strict=True)
        },
        "selected": suggested.number,
    }


def _axes(objectives: Sequence[Objective]) -> tuple[Objective, ...]:
    """What the figure can show: the objectives, or the single one against the model's size."""
    if len(objectives) > 1:
        return tuple(objectives)
    size = Objective(name="params", task=None, metric="params", direction="minimize")
    return (size, *objectives)


def _split(documents: Sequence[str]) -> tuple[str, list[str], str]:
    """The lines that all documents begin with, what is left of each, and the lines they end with.

    A thousand trials share their data and tasks: these are in the page once.
    """
    lines = [document.splitlines(keepends=True) for document in documents]
    start = _shared(lines)
    rests = [document[start:] for document in lines]
    stop = _shared([rest[::-1] for rest in rests])
    bodies = ["".join(rest[: len(rest) - stop]) for rest in rests]
    return "".join(lines[0][:start]), bodies, "".join(rests[0][len(rests[0]) - stop :])


def _shared(documents: Sequence[Sequence[str]]) -> int:
    """How many lines all of several documents begin with."""
    if len(documents) < 2:
        return 0
    alike = (len(set(lines)) == 1 for lines in zip(*documents, strict=False))
    return sum(1 for _ in itertools.takewhile(bool, alike))
