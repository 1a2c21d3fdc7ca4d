"""What a terminal shows: results on stdout, as text and tables; `progress_line.py` has the rest."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from automtl.analysis import text
from automtl.analysis.marks import Marks
from automtl.config import Objective
from automtl.errors import RunError

if TYPE_CHECKING:
    from automtl.export.predict import Summary
    from automtl.search.dry_run import DryRun
    from automtl.spec.summary import ModelSize
    from automtl.spec.summary import Summary as SpecSummary
    from automtl.study import Study, TrialRecord

__all__ = [
    "aligned",
    "dry_run_text",
    "emit",
    "error",
    "front_table",
    "is_colored",
    "is_terminal",
    "rejected_text",
    "rows_text",
    "scored_text",
    "status_text",
    "summary_text",
    "time_text",
    "trial_comment",
]


BOLD, DIM, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"
GAP = "  "  # between columns

# ---- the two streams -----------------------------------------------------------------------


def emit(content: str) -> None:
    """Data to stdout. If the reader has gone (`| head`), the program ends quietly, with code 0.

    Raises RunError where it leads to a file that cannot be written.
    """
    try:
        sys.stdout.write(content if content.endswith("\n") else f"{content}\n")
        sys.stdout.flush()
    except OSError as problem:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the end
        if isinstance(problem, BrokenPipeError):
            raise SystemExit(0) from None
        raise RunError(
            f"standard output cannot be written ({problem.strerror}); send it elsewhere"
        ) from problem


def error(message: str) -> None:
    """A problem to stderr, as it stands."""
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()


def is_terminal(stream: TextIO) -> bool:
    """Whether colours and moving lines make sense there."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def is_colored() -> bool:
    """Whether what goes to stdout may have colours."""
    return is_terminal(sys.stdout) and not os.environ.get("NO_COLOR")


# ---- results -------------------------------------------------------------------------------


def front_table(study: Study, *, color: bool | None = None, width: int | None = None) -> str:
    """The front, best in the first objective first, then the single_task reference.

    Values in native units, and beside each what it gains over the reference: points (hundredths)
    for an AUC, + is better. Says so if there is nothing to show. Where `width` characters (the
    terminal's, if one is written to) are too few for a row, tables below each other share the
    columns.
    """
    width = _terminal_width() if width is None else width
    records, marks = study.trials(), Marks.of(study)
    complete = sum(record.state == "complete" for record in records)
    if not complete:
        failed = [record for record in records if record.state == "failed"]
        why = f"; the last failure: {failed[-1].id} {failed[-1].reason}" if failed else ""
        return f"No trial has completed{why}\n"
    shown = marks.shown()
    notes = [_note(marks, record) for record in shown]
    columns = [
        ["trial", *(record.id for record in shown)],
        ["model", *(text.model_name(record.config) for record in shown)],
        *(_column(study, marks, objective) for objective in study.objectives),
        ["", *notes],
    ]
    styles = [BOLD, *(BOLD if note == "suggested" else DIM if note else "" for note in notes)]
    styles = styles if (is_colored() if color is None else color) else []
    body = "\n".join(aligned(part, styles) for part in _parts(columns, width))
    lines = [f"{len(marks.front)} of {complete} complete trials are on the front."]
    if marks.reference is not None and len(shown) > 1:
        zero = f"single_task {marks.reference.id}"
        lines.append(f"Signed: gain over {zero}, + is better{_points(study)}.")
    told = " ".join(lines)
    return f"{body}\n{told if width is None else textwrap.fill(told, width)}\n"


def _terminal_width() -> int | None:
    """None where no terminal is written to."""
    return shutil.get_terminal_size().columns if is_terminal(sys.stdout) else None


def _parts(columns: list[list[str]], width: int | None) -> list[list[list[str]]]:
    """The columns in tables of at most `width`, each with the first column, which names its rows,
    and at least one more. The last column, of notes, is then in the first table."""
    if width is None or _wide(columns) <= width:
        return [columns]
    first, second, *others, notes = columns
    parts = [[first, second]]
    for column in (notes, *others):
        if _wide([*parts[-1], column]) > width:
            parts.append([first])
        parts[-1].append(column)
    return parts


def _wide(columns: Sequence[Sequence[str]]) -> int:
    """How many characters the longest row of a table may take."""
    return sum(max(map(len, column)) for column in columns) + len(GAP) * (len(columns) - 1)


def _note(marks: Marks, record: TrialRecord) -> str:
    if marks.is_suggested(record):
        return "suggested, reference" if marks.is_reference(record) else "suggested"
    return "reference" if marks.is_reference(record) else ""


def _column(study: Study, marks: Marks, objective: Objective) -> list[str]:
    """A header, then `0.7312  +0.31` for every shown trial, aligned; costs have no gain."""
    values, gains = [], []
    for record in marks.shown():
        assert record.values is not None
        values.append(text.metric(objective.name, record.values[objective.name]))
        gained = None if marks.is_reference(record) else study.gains(record).get(objective.name)
        gains.append("" if gained is None else text.gain(objective.name, gained))
    width = max(map(len, gains), default=0)
    cells = [
        f"{value}  {gained:>{width}}" if width else value
        for value, gained in zip(values, gains, strict=True)
    ]
    header = text.heading(objective)
    width = max(map(len, [header, *cells]))
    return [cell.rjust(width) for cell in (header, *cells)]


def aligned(columns: Sequence[Sequence[str]], styles: Sequence[str] = ()) -> str:
    """The columns side by side, a line a row; no blanks at the ends of lines."""
    widths = [max(map(len, column)) for column in columns]
    lines = []
    for index, row in enumerate(zip(*columns, strict=True)):
        line = GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        style = styles[index] if styles else ""
        lines.append(f"{style}{line.rstrip()}{PLAIN if style else ''}\n")
    return "".join(lines)


def _points(study: Study) -> str:
    counted = any(text.gain_unit(objective.name) == "points" for objective in study.objectives)
    return ", in points (0.01) for an AUC" if counted else ""


def trial_comment(study: Study, record: TrialRecord) -> str:
    """What a trial reached, as comment lines that may stand above its YAML."""
    marks = Marks.of(study)
    tags: list[str] = [record.state, *([record.role] if record.role != "search" else [])]
    tags += ["on the front"] if marks.is_on_front(record) else []
    tags += ["suggested"] if marks.is_suggested(record) else []
    lines = [f"{record.id} · {text.model_name(record.config)} · {', '.join(tags)}"]
    if record.reason:
        lines.append(record.reason)
    lines += record.notes
    gains = study.gains(record)
    for name, value in record.metrics.items():
        line = f"{name} {text.metric(name, value)}"
        if name in gains and marks.reference and not marks.is_reference(record):
            line += f" ({text.gain(name, gains[name])} to {marks.reference.id})"
        lines.append(line)
    if record.evaluations:
        epochs = record.evaluations[-1].epochs
        lines.append(f"on validation rows, after {epochs:.3g} epoch{'' if epochs == 1 else 's'}")
    return "".join(f"# {line}\n" for part in lines for line in part.splitlines())


def status_text(summary: Mapping[str, Any]) -> str:
    """`Study.summary()` for people; hours of devices too where it has `device_s`."""
    counts = summary["counts"]
    names = {} if summary["active"] else {"running": "interrupted"}
    states = ", ".join(
        f"{number} {names.get(state, state)}" for state, number in counts.items() if number
    )
    best = [
        f"{name} {text.metric(name, found['value'])} ({found['trial']})"
        for name, found in summary["best"].items()
    ]
    used = [f"{text.duration(summary['wall_s'])} of searching"] if summary["wall_s"] else []
    if summary.get("device_s"):
        used.append(f"{text.duration(summary['device_s'])} of devices")
    rows = {
        "study": f"{summary['name']}, {summary['run_dir']}",
        "search": "running" if summary["active"] else "not running",
        "trials": f"{summary['started']} of {summary['total']} started: {states or 'none yet'}",
        "rejected": rejected_text(summary["rejected"]),
        "ended": summary["ended"],
        "used": ", ".join(used),
        "front": f"{summary['front_size']} trials" if summary["front_size"] else "none yet",
        "best": ", ".join(best),
        "suggested": summary["knee"] or "",
        "reference": f"{summary['reference']} (single_task)" if summary["reference"] else "",
    }
    return rows_text(rows)


def rejected_text(count: int) -> str:
    """How many configurations were not trained, "" for none."""
    if not count:
        return ""
    return (
        f"{count:,} configuration{' that breaks' if count == 1 else 's that break'} a constraint, "
        "not trained"
    )


def summary_text(summary: SpecSummary, num_rows: Mapping[str, int] | None) -> str:
    """A good spec for people; `num_rows` is by split, None while the rows are not encoded."""
    width = max((len(knob.name) for knob in summary.knobs), default=0)
    listed = [
        f"{knob.name:<{width}}  {knob.domain}" + (f"  (if {knob.condition})" * bool(knob.condition))
        for knob in summary.knobs
    ]
    return rows_text(
        {
            "valid": summary.name,
            "rows": ", ".join(f"{count:,} {split}" for split, count in num_rows.items())
            if num_rows
            else "not encoded yet: `automtl search` does it and checks them",
            "tasks": list(summary.tasks),
            "objectives": ", ".join(summary.objectives),
            "constraints": ", ".join(summary.constraints),
            "families": ", ".join(summary.families),
            "dependency": summary.dependency,
            "knobs": listed or "none is free: one configuration",
            "space": "infinite (some knobs are continuous)"
            if summary.num_configs is None
            else f"{summary.num_configs:,} configurations",
            "smallest": _model_text(summary.smallest, summary.unsized),
            "largest": _model_text(summary.largest, summary.unsized),
            "budget": f"{summary.num_trials} trials, epochs: {summary.epochs.removesuffix('.0')}",
        }
    )


def _model_text(size: ModelSize, unsized: Sequence[str]) -> str:
    dense = text.count(size.params_dense)
    if size.params is None or size.params_embedding is None:
        unknown = ", ".join(["embeddings", *unsized])
        return f"{size.model.family}, {dense} dense parameters ({unknown}: not known yet)"
    parts = f"{text.count(size.params_embedding)} embedding, {dense} dense"
    return f"{size.model.family}, {text.count(size.params)} parameters ({parts})"


def dry_run_text(found: DryRun) -> str:
    """What a search would do and about how long it would take."""
    rungs = ", ".join(f"{epochs:.3g}" for epochs in found.rungs)
    judged = f"after {rungs} epochs, where the best 1/{found.eta} go on" if rungs else "none"
    trials = {
        f"{found.num_references} of the single_task reference": found.num_references,
        f"{len(found.baselines)} defaults: {', '.join(found.baselines)}": len(found.baselines),
        f"{found.num_search} of the search": found.num_search,
    }
    limits = [
        f"{hours:g} hours of {what}"
        for what, hours in (("searching", found.wall_hours), ("devices", found.device_hours))
        if hours is not None
    ]
    *stops, (_, num_last) = found.expected_ends
    last = f"{num_last:.1f} run to the end"
    ends = [f"{number:.1f} stop after {epochs:.3g} epochs" for epochs, number in stops]
    return rows_text(
        {
            "dry run": f"{found.name}: nothing is written",
            "rows": ", ".join(f"{count:,} {split}" for split, count in found.num_rows.items())
            if found.num_rows
            else "not encoded yet: examples and time need them; `automtl search` encodes them",
            "budget": ", ".join(
                [
                    f"{found.num_trials} trials",
                    f"epochs: {found.epochs.removesuffix('.0')}",
                    *limits,
                ]
            ),
            "done": f"{found.num_done} trials" if found.num_done else "",
            "rungs": [judged, found.why],
            "trials": [what for what, count in trials.items() if count],
            "expected": f"of the {found.num_judged} that are judged: " + ", ".join([*ends, last])
            if found.num_judged and ends
            else "",
            "confirm": f"{found.num_reruns} runs at most, with fresh seeds"
            if found.num_reruns
            else "",
            "workers": str(found.workers or "as many as the cluster has room for"),
            "examples": "" if found.examples is None else _examples_text(found),
            "speed": [
                f"{burst.family}, {text.count(burst.params)} parameters: "
                f"{text.count(burst.examples_per_s)} examples/s"
                for burst in found.bursts
            ],
            "time": time_text(found),
        }
    )


def _examples_text(found: DryRun) -> str:
    assert found.examples is not None
    assert found.examples_without_rungs is not None
    text_ = f"{text.count(found.examples)} to train on"
    if found.examples_without_rungs > found.examples:
        text_ += f" ({text.count(found.examples_without_rungs)} if no trial stopped early)"
    return text_


def time_text(found: DryRun) -> str:
    """`3m10s to 9m05s: an estimate, …`; "" where nothing could be timed."""
    if found.seconds is None:
        return ""
    low, high = (text.duration(one) for one in found.seconds)
    between = low if low == high else f"{low} to {high}"
    limit = f"; {found.ends_by} ends it by then" if found.ends_by else ""
    return f"{between}: an estimate, as if all models were as fast as these{limit}"


def scored_text(summary: Summary) -> str:
    """What was scored, and how unlike the train rows it was: ids never seen, values missing."""
    counted = {
        "never seen": summary.unseen,
        "missing": summary.missing,
        "no column": summary.absent,
    }
    unscored = f"{summary.unscored:,} rows lack one of its numbers" if summary.unscored else ""
    return rows_text(
        {
            "wrote": f"{summary.out}: {summary.num_rows:,} rows",
            "columns": ", ".join(summary.columns),
            **{
                what: ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
                for what, counts in counted.items()
            },
            "no score": unscored,
        }
    )


def rows_text(rows: Mapping[str, str | Sequence[str]]) -> str:
    """`name  value` lines, aligned; names without a value are left out, lists take a line each."""
    width = max(map(len, rows))
    lines = []
    for name, content in rows.items():
        many = [content] if isinstance(content, str) else content
        for index, line in enumerate(one for one in many if one):
            lines.append(f"{name if index == 0 else '':<{width}}  {line}")
    return "\n".join(lines) + "\n"
