"""What the knobs did: how much each decided, and an objective along one knob's values."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from automtl.analysis import text
from automtl.config import MEASURED_COSTS, Objective
from automtl.report.figures import ACCENT, AXIS, CATEGORIES, COLORS, INK, blank, title

__all__ = ["importance_figure", "marginal_figure"]

ROW_HEIGHT = 23
CLEAR, UNCLEAR = COLORS["mmoe"], "rgba(128,136,150,0.45)"


def importance_figure(importance: pd.DataFrame, objective: Objective) -> go.Figure:
    """A bar a knob, those of all trials first, the most important on top; a mark where chance ends.

    Grey where the bar is not longer than what chance gave. `importance` is
    `analysis.importance.importance_frame`.
    """
    rows = importance[importance["objective"] == objective.name].sort_values(
        ["condition", "importance"], key=lambda c: c != "" if c.name == "condition" else -c
    )
    figure = blank(height=120 + ROW_HEIGHT * len(rows), top=44)
    names = [html.escape(name) for name in rows["knob"]]
    clear = rows["importance"] > rows["chance"]
    figure.add_trace(
        go.Bar(
            x=rows["importance"].tolist(),
            y=names,
            orientation="h",
            marker={"color": [CLEAR if one else UNCLEAR for one in clear]},
            hovertext=[
                f"<b>{html.escape(row.knob)}</b>  {row.importance:.0%}, by chance up to "
                f"{row.chance:.0%}<br>{row.num_trials} trials"
                + (f" with {html.escape(row.condition)}" if row.condition else "")
                for row in rows.itertuples()
            ],
            hoverinfo="text",
            showlegend=False,
            meta=ACCENT,
        )
    )
    figure.add_trace(
        go.Scatter(
            x=rows["chance"].clip(upper=1).tolist(),
            y=names,
            mode="markers",
            name="what chance gives",
            marker={"symbol": "line-ns-open", "size": 12, "color": INK, "line": {"width": 2}},
            hoverinfo="skip",
        )
    )
    figure.update_layout(
        bargap=0.35,
        xaxis={**AXIS, "title": title("share of importance"), "tickformat": ".0%"}
        | {"rangemode": "tozero", "nticks": 6},
        yaxis={**CATEGORIES, "autorange": "reversed"},
    )
    return figure


def marginal_figure(marginals: pd.DataFrame, objective: Objective, knob: str) -> go.Figure:
    """The median of an objective for each value of a knob, or along its range, and its quartiles.

    `marginals` is `analysis.knobs.marginals_frame`; better is up.
    """
    name = objective.name
    rows = marginals[(marginals["objective"] == name) & (marginals["knob"] == knob)]
    if not len(rows):
        return blank(height=230)
    is_choice = rows["scale"].iloc[0] == "choice"
    labels, values = [html.escape(label) for label in rows["label"]], rows["value"].tolist()
    marks = go.Scatter(
        x=labels if is_choice else values,
        y=rows["median"].tolist(),
        mode="markers" if is_choice else "lines+markers",
        line={"color": CLEAR, "width": 2},
        marker={"color": CLEAR, "size": 8},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": (rows["high"] - rows["median"]).tolist(),
            "arrayminus": (rows["median"] - rows["low"]).tolist(),
            "color": CLEAR,
            "thickness": 1.2,
            "width": 4,
        },
        hovertext=[
            f"{html.escape(row.label)}: median <b>{text.metric(name, row.median)}</b> of "
            f"{row.num_trials} trials<br>half of them from {text.metric(name, row.low)} "
            f"to {text.metric(name, row.high)}"
            for row in rows.itertuples()
        ],
        hoverinfo="text",
        showlegend=False,
        meta=ACCENT,
    )
    scale = rows["scale"].iloc[0]
    is_cost = objective.task is None
    counts = {} if objective.metric in MEASURED_COSTS else {"tickformat": ".3~s"}
    layout = {
        "margin": {"l": 60, "r": 8, "t": 8, "b": 40},
        "xaxis": _choices(labels) if is_choice else _range(values, scale),
        "yaxis": {
            **AXIS,
            "autorange": True if objective.direction == "maximize" else "reversed",
            "nticks": 5,
            **({"type": "log", **counts} if is_cost else {}),
        },
    }
    return blank(height=230, data=[marks], layout=layout)


def _choices(labels: Sequence[str]) -> dict[str, Any]:
    return {**AXIS, "type": "category", "range": [-0.5, len(labels) - 0.5]}


def _range(values: Sequence[float], scale: str) -> dict[str, Any]:
    """Ticks at the first, the middle and the last value: on a small figure more would collide."""
    places = sorted({0, len(values) // 2, len(values) - 1})
    ticks = [values[place] for place in places]
    return {**AXIS, "type": scale, "tickvals": ticks, "ticktext": [f"{one:.2g}" for one in ticks]}
