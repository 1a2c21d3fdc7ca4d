"""What a terminal shows: results on stdout, progress on stderr, in plain lines if it is a pipe.

The only user of rich, imported where it draws: most commands print plain lines.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from automtl.analysis import text
from automtl.analysis.marks import Marks
from automtl.config import Objective

if TYPE_CHECKING:
    from rich.text import Text

    from automtl.export.predict import Summary
    from automtl.search.fidelity import Ladder
    from automtl.search.progress import Progress
    from automtl.spec.summary import ModelSize
    from automtl.spec.summary import Summary as SpecSummary
    from automtl.study import Study, TrialRecord

__all__ = [
    "LineProgress",
    "LiveProgress",
    "Pace",
    "emit",
    "error",
    "front_table",
    "is_terminal",
    "progress",
    "rows_text",
    "scored_text",
    "standing",
    "status_text",
    "summary_text",
    "trial_comment",
    "trial_line",
]


BOLD, DIM, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"

# ---- the two streams -----------------------------------------------------------------------


def emit(content: str) -> None:
    """Data to stdout. If the reader has gone (`| head`), the program ends quietly, with code 0."""
    try:
        sys.stdout.write(content if content.endswith("\n") else f"{content}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the end
        raise SystemExit(0) from None


def error(message: str) -> None:
    """A problem to stderr, as it stands."""
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()


def is_terminal(stream: TextIO) -> bool:
    """Whether colours and moving lines make sense there."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def _colored() -> bool:
    return is_terminal(sys.stdout) and not os.environ.get("NO_COLOR")


# ---- results -------------------------------------------------------------------------------


def front_table(study: Study, *, color: bool | None = None) -> str:
    """The front, best in the first objective first, then the single_task reference.

    Values in native units, and beside each what it gains over the reference: points (hundredths)
    for an AUC, + is better. Says so if there is nothing to show.
    """
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
    body = _aligned(columns, styles if (_colored() if color is None else color) else ())
    lines = [f"{len(marks.front)} of {complete} complete trials are on the front."]
    if marks.reference is not None and len(shown) > 1:
        zero = f"single_task {marks.reference.id}"
        lines.append(f"Signed: gain over {zero}, + is better{_points(study)}.")
    return f"{body}\n{' '.join(lines)}\n"


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


def _aligned(columns: Sequence[Sequence[str]], styles: Sequence[str]) -> str:
    """The columns side by side, a line a row; no blanks at the ends of lines."""
    widths = [max(map(len, column)) for column in columns]
    lines = []
    for index, row in enumerate(zip(*columns, strict=True)):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
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
    """`Study.summary()` for people."""
    counts = summary["counts"]
    names = {} if summary["active"] else {"running": "interrupted"}
    states = ", ".join(
        f"{number} {names.get(state, state)}" for state, number in counts.items() if number
    )
    best = [
        f"{name} {text.metric(name, found['value'])} ({found['trial']})"
        for name, found in summary["best"].items()
    ]
    rows = {
        "study": f"{summary['name']}, {summary['run_dir']}",
        "search": "running" if summary["active"] else "not running",
        "trials": f"{summary['started']} of {summary['total']} started: {states or 'none yet'}",
        "front": f"{summary['front_size']} trials" if summary["front_size"] else "none yet",
        "best": ", ".join(best),
        "suggested": summary["knee"] or "",
        "reference": f"{summary['reference']} (single_task)" if summary["reference"] else "",
    }
    return rows_text(rows)


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
            "smallest": _model_text(summary.smallest),
            "largest": _model_text(summary.largest),
            "budget": f"{summary.num_trials} trials, epochs: {summary.epochs.removesuffix('.0')}",
        }
    )


def _model_text(size: ModelSize) -> str:
    dense = text.count(size.params_dense)
    if size.params is None or size.params_embedding is None:
        return f"{size.model.family}, {dense} dense parameters (embeddings: not known yet)"
    parts = f"{text.count(size.params_embedding)} embedding, {dense} dense"
    return f"{size.model.family}, {text.count(size.params)} parameters ({parts})"


def scored_text(summary: Summary) -> str:
    """What was scored, and how unlike the train rows it was: ids never seen, ids missing."""
    unlike = {
        "never seen": {name: count for name, count in summary.unseen.items() if count},
        "missing": {name: count for name, count in summary.missing.items() if count},
    }
    return rows_text(
        {
            "wrote": f"{summary.out}: {summary.num_rows:,} rows",
            "columns": ", ".join(summary.columns),
            **{
                what: ", ".join(f"{name} {count:,}" for name, count in counts.items())
                for what, counts in unlike.items()
            },
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


# ---- progress ------------------------------------------------------------------------------


def progress(stream: TextIO | None = None) -> Progress:
    """The progress that suits `stream` (stderr): one moving line, or a line a trial."""
    stream = stream or sys.stderr
    return LiveProgress(stream) if is_terminal(stream) else LineProgress(stream)


class LineProgress:
    """A line for every finished trial."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._pace = Pace(total=0, done=0)

    def on_start(self, study: Study, ladder: Ladder) -> None:
        self._study = study
        self._pace = Pace(total=study.budget, done=_finished(study))
        before = f", {self._pace.before} done before" if self._pace.before else ""
        self._write(f"searching {study.spec.name}: {self._pace.total} trials{before}")

    def on_trial(self, record: TrialRecord) -> None:
        study = self._study
        self._pace.note(_finished(study))
        self._write(f"{trial_line(record, study)}  ({self._pace})")

    def on_end(self, study: Study) -> None:
        pass

    def _write(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()


class LiveProgress:
    """One line that moves, and a line above it for every failure.

    The study is read when a trial ends, in the search's own thread; the moving line shows what
    was read then.
    """

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live

        self._pace = Pace(total=0, done=0)
        self._standing = ""
        self._console = Console(file=stream, highlight=False)
        self._live = Live(
            console=self._console,
            transient=True,
            refresh_per_second=2,
            redirect_stdout=False,
            get_renderable=self._line,
        )

    def on_start(self, study: Study, ladder: Ladder) -> None:
        self._study = study
        self._pace = Pace(total=study.budget, done=_finished(study))
        self._standing = standing(study)
        self._live.start()

    def on_trial(self, record: TrialRecord) -> None:
        study = self._study
        self._pace.note(_finished(study))
        self._standing = standing(study)
        if record.state == "failed":
            self._console.print(_text(trial_line(record, study), style="yellow"))

    def on_end(self, study: Study) -> None:
        self._live.stop()

    def _line(self) -> Text:
        return _text(f"{self._pace.bar()} {self._pace}  {self._standing}")


def _text(line: str, *, style: str = "") -> Text:
    """One line as it stands: no markup, cut at the terminal's edge."""
    from rich.text import Text

    return Text(line, style=style, no_wrap=True, overflow="ellipsis")


class Pace:
    """How far a search is, and how long the rest may take.

    The estimate is the mean time a trial of this session; what a resumed search had done before
    does not count.
    """

    def __init__(self, *, total: int, done: int) -> None:
        self.total, self.before, self.done = total, done, done
        self._start = self._last = time.monotonic()

    def note(self, done: int) -> None:
        self.done, self._last = done, time.monotonic()

    def eta_s(self) -> float | None:
        """Seconds to the end from now; None while nothing has finished."""
        if self.done <= self.before:
            return None
        mean_s = (self._last - self._start) / (self.done - self.before)
        return max(0.0, mean_s * (self.total - self.done) - (time.monotonic() - self._last))

    def bar(self, width: int = 16) -> str:
        filled = round(width * self.done / self.total) if self.total else 0
        return "━" * filled + "─" * (width - filled)

    def __str__(self) -> str:
        """`7/24, eta 3m10s`; before the first trial has finished, the time since the start."""
        eta = self.eta_s()
        since = text.duration(time.monotonic() - self._start)
        return f"{self.done}/{self.total}, " + (
            f"{since} so far" if eta is None else f"eta {text.duration(eta)}"
        )


def trial_line(record: TrialRecord, study: Study) -> str:
    """`t0007 complete mmoe·esmm click.auc 0.7312 params 2.61M`, or the reason of a failure."""
    parts = [record.id, record.state, text.model_name(record.config)]
    if record.values is not None:
        for objective in study.objectives:
            value = text.metric(objective.name, record.values[objective.name])
            parts.append(f"{objective.name} {value}")
    elif record.reason:
        parts.append(record.reason.splitlines()[0])
    return " ".join(parts)


def standing(study: Study) -> str:
    """`1 running  1 failed  click.auc ↑ 0.7312  params ↓ 2.61M`: states, the best of the front."""
    records = study.trials()
    counts = [
        f"{number} {state}"
        for state in ("running", "pruned", "failed")
        if (number := sum(record.state == state for record in records))
    ]
    bests = [
        f"{text.heading(objective)} {text.metric(objective.name, best)}"
        for objective in study.objectives
        if (best := _best(study, objective)) is not None
    ]
    return "  ".join([*counts, *bests])


def _best(study: Study, objective: Objective) -> float | None:
    values = [r.values[objective.name] for r in study.front() if r.values is not None]
    if not values:
        return None
    return max(values) if objective.direction == "maximize" else min(values)


def _finished(study: Study) -> int:
    return sum(record.state != "running" for record in study.trials())
