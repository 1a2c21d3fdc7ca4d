"""The section on knobs: how much each decided, what it did, and what the best trials share."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from automtl.analysis import text
from automtl.analysis.coordinates import coordinates_frame, varying_knobs
from automtl.analysis.importance import importance_frame
from automtl.analysis.knobs import (
    MIN_TRIALS,
    best_frame,
    best_share,
    judged,
    marginals_frame,
    too_few,
)
from automtl.report.coordinates import coordinates_figure
from automtl.report.knobs import importance_figure, marginal_figure
from automtl.report.sections.parts import Table, plot, table
from automtl.spec.knobs import Knob, knobs

if TYPE_CHECKING:
    from automtl.study import Study

__all__ = ["knobs_section"]

MOST_CHOICES = 3  # of a knob that the table names
Frames = Mapping[Hashable, pd.DataFrame]


def knobs_section(study: Study) -> dict[str, Any]:
    """The figures and the table, or with too few trials only `why_not`; empty without a knob."""
    free = knobs(study.spec)
    if not free:
        return {}
    if why := too_few(study):
        return {"why_not": why, "coordinates": _coordinates(study, None)}
    importance, marginals = importance_frame(study), marginals_frame(study)
    objectives, num_trials = study.objectives, len(judged(study))
    left_out = [
        one.name for one in free if one.condition and one.name not in set(importance["knob"])
    ]
    return {
        "num_trials": num_trials,
        "min_trials": MIN_TRIALS,
        "num_best": round(best_share(num_trials) * num_trials),
        "left_out": left_out,
        "objectives": [one.name for one in objectives],
        "importance": plot(
            "importance",
            [importance_figure(importance, one) for one in objectives],
            label="Share of importance of each knob, and what chance gives",
            group="knobs",
            of=[one.name for one in objectives],
        ),
        "importance_table": table(
            ("knob", "of the trials with", "objective", "trials", "share", "by chance up to"),
            (
                (
                    row.knob,
                    row.condition,
                    row.objective,
                    str(row.num_trials),
                    f"{row.importance:.0%}",
                    f"{row.chance:.0%}",
                )
                for row in importance.itertuples()
            ),
            num_words=3,
        ),
        "marginals": [
            plot(
                f"marginal-{number}",
                [marginal_figure(marginals, one, knob.name) for one in objectives],
                label=f"Median and quartiles of an objective along {knob.name}",
                title=_title(knob),
                group="knobs",
                of=[f"{knob.name}, {one.name}" for one in objectives],
            )
            for number, knob in enumerate(free)
            if (marginals["knob"] == knob.name).any()
        ],
        "best": _best(study),
        "coordinates": _coordinates(study, importance),
    }


def _coordinates(study: Study, importance: pd.DataFrame | None) -> dict[str, Any] | None:
    """The figure and which knobs have an axis; None with fewer than two trials or axes, of which
    there is nothing to choose."""
    frame = coordinates_frame(study, importance)
    if len(frame) < 2:
        return None
    log_knobs = {one.name for one in knobs(study.spec) if getattr(one.domain, "log", False)}
    figure = coordinates_figure(frame, study.objectives, log_knobs=log_knobs)
    if len(figure.data[0].dimensions) < 2:
        return None
    varying = varying_knobs(study, importance)
    num_shown = sum(column.startswith("knob.") for column in frame)
    return {
        "plot": plot("coordinates", [figure], label="Parallel coordinates of the complete trials"),
        "num_shown": num_shown,
        "num_varying": len(varying),
        "left_out": varying[num_shown:],
        "by_importance": importance is not None,
    }


def _title(knob: Knob) -> str:
    """The knob's name, with its condition where the name does not say it."""
    if knob.condition is None or knob.condition == f"family = {knob.name.partition('.')[0]}":
        return knob.name
    return f"{knob.name} ({knob.condition})"


def _best(study: Study) -> Table:
    """A row a knob: all trials, then the best of each objective."""
    frame = best_frame(study)
    parts: Frames = dict(iter(frame.groupby(["knob", "group", "objective"])))
    names = [one.name for one in study.objectives]
    return table(
        ("knob", "all trials", *(f"best in {text.heading(one)}" for one in study.objectives)),
        (
            (
                knob.name,
                _told(parts.get((knob.name, "all", names[0]))),
                *tuple(_told(parts.get((knob.name, "best", name))) for name in names),
            )
            for knob in knobs(study.spec)
        ),
        num_words=len(names) + 2,
    )


def _told(rows: pd.DataFrame | None) -> str:
    """`0.0004 to 0.002`, or `none: 73%, esmm: 27%`."""
    if rows is None:
        return "–"
    if rows["share"].isna().all():
        row = rows.iloc[0]
        return f"{row['low']:.3g} to {row['high']:.3g}"
    shown = [f"{row.label}: {row.share:.0%}" for row in rows.head(MOST_CHOICES).itertuples()]
    return ", ".join(shown) + (", …" if len(rows) > MOST_CHOICES else "")
