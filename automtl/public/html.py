"""What a notebook shows of a study: the front as a small table, and a link to the page.

Everything is escaped; there is no script and no style but a few attributes, so that any notebook
shows it.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from automtl.analysis import text
from automtl.analysis.marks import Marks

if TYPE_CHECKING:
    from automtl.study import Study, TrialRecord

__all__ = ["study_html"]

MOST_ROWS = 12


def study_html(study: Study) -> str:
    """The front, best in the first objective first, then the reference; values in native units
    with the gain over it."""
    marks, summary = Marks.of(study), study.summary()
    shown = marks.shown()
    headings = ["trial", "model", *map(text.heading, study.objectives), ""]
    rows = [_cells(study, marks, record) for record in shown[:MOST_ROWS]]
    state = "running" if summary["active"] else "not running"
    counts = (
        f"{summary['name']}: {summary['started']} of {summary['total']} trials, "
        f"{summary['front_size']} on the front, {state}"
    )
    more = len(shown) - len(rows)
    page = study.run_dir / "report.html"
    link = f'<a href="{escape(page.as_uri())}">report</a>' if page.is_file() else ""
    below = [f"and {more} more: study.front()" if more else "", link]
    return (
        f"<div><p><b>{escape(counts)}</b></p>"
        + (_table(headings, rows) if rows else "<p>No trial has completed yet.</p>")
        + f"<p>{' · '.join(filter(None, below))}</p></div>"
    )


def _table(headings: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{escape(one)}</th>" for one in headings)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(study: Study, marks: Marks, record: TrialRecord) -> list[str]:
    gains = {} if marks.is_reference(record) else study.gains(record)
    values = record.values or {}
    cells = [record.id, text.model_name(record.config)]
    for objective in study.objectives:
        name = objective.name
        gain = f" ({text.gain(name, gains[name])})" if name in gains else ""
        cells.append(f"{text.metric(name, values[name])}{gain}")
    tags = {"suggested": marks.is_suggested(record), "reference": marks.is_reference(record)}
    return [*cells, ", ".join(tag for tag, holds in tags.items() if holds)]
