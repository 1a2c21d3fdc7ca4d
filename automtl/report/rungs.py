"""Where the trials of each family ended: stopped at a rung, trained to the end, or failed."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from automtl.analysis.families import FAILED, TO_THE_END
from automtl.report.figures import AXIS, CATEGORIES, COLORS, blank, title

__all__ = ["rungs_figure"]

ROW_HEIGHT = 27


def rungs_figure(rungs: pd.DataFrame) -> go.Figure:
    """A bar a family, its trials by the place where they ended, in the order of a trial's way.

    `rungs` is `analysis.families.rungs_frame`.
    """
    families = rungs["family"].unique().tolist()
    figure = blank(height=130 + ROW_HEIGHT * len(families), top=64)
    places = rungs.sort_values("order", kind="stable")["place"].unique().tolist()
    stops = [place for place in places if place not in (FAILED, TO_THE_END)]
    for place in places:
        rows = rungs[rungs["place"] == place]
        figure.add_trace(
            go.Bar(
                x=rows["num_trials"].tolist(),
                y=rows["family"].tolist(),
                orientation="h",
                name=_name(place),
                marker={"color": _color(place, stops)},
                text=[str(count) for count in rows["num_trials"]],
                textposition="inside",
                insidetextanchor="middle",
                textangle=0,
                hovertext=[
                    f"<b>{family}</b>: {count} {_name(place)}"
                    for family, count in zip(rows["family"], rows["num_trials"], strict=True)
                ],
                hoverinfo="text",
            )
        )
    figure.update_layout(
        barmode="stack",
        uniformtext={"minsize": 10, "mode": "hide"},
        bargap=0.3,
        legend={"traceorder": "normal"},
        xaxis={**AXIS, "title": title("trials")},
        yaxis={
            **CATEGORIES,
            "categoryorder": "array",
            "categoryarray": families[::-1],
        },
    )
    return figure


def _name(place: str) -> str:
    return place if place in (FAILED, TO_THE_END) else f"stopped {place}"


def _color(place: str, stops: list[str]) -> str:
    """The later the stop, the stronger the blue; failures are not on the way."""
    if place == TO_THE_END:
        return COLORS["mmoe"]
    if place == FAILED:
        return COLORS["ple"]
    strength = 0.25 + 0.5 * stops.index(place) / max(1, len(stops) - 1)
    return f"rgba(86,180,233,{strength:.2f})"
