"""The figures of the front and of progress, and what a pinned trial shows."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from automtl.analysis import text
from automtl.analysis.frames import hypervolume_frame
from automtl.analysis.marks import Marks
from automtl.config import Objective
from automtl.report import figures
from automtl.report.sections.trials import trial_cells

if TYPE_CHECKING:
    from automtl.study import Study

__all__ = ["trade_off"]


def trade_off(study: Study, marks: Marks, trials: pd.DataFrame) -> dict[str, Any]:
    """What the page's script reads: the figures of the front, and every complete trial.

    `trials` is `analysis.frames.trials_frame`.
    """
    complete = [record for record in study.trials() if record.state == "complete"]
    if not complete:
        return {"figures": {}, "trials": {}}
    done = trials[trials["state"] == "complete"]
    axes = _axes(study.objectives)
    x, y = axes[0], axes[1]
    head, bodies, tail = _split(text.trial_yamls(study, complete))
    suggested = marks.knee or complete[0]
    return {
        "figures": {
            "front": figures.to_plain(figures.front_figure(trials, study.objectives, x=x, y=y)),
            "hypervolume": figures.to_plain(figures.hypervolume_figure(hypervolume_frame(study))),
        },
        "axes": {one.name: figures.axis(one, done) for one in axes},
        "pair": [x.name, y.name],
        "values": {
            one.name: dict(zip(done["number"].tolist(), done[one.name].tolist(), strict=True))
            for one in axes
        },
        "yaml": {"head": head, "tail": tail},
        "trials": {
            record.number: {**trial_cells(study, marks, record), "yaml": body}
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
