"""Frames in, plotly figures out; nothing is computed here but where to put the ink.

Better is up and right in every figure: an axis of something to minimise is reversed, and the axis
of a model cost is logarithmic. Colours are those of Okabe and Ito (2008), told apart by readers
with any colour vision; each family has a marker of its own as well.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from automtl.analysis import text
from automtl.config import FAMILIES, MEASURED_COSTS, Family, Objective

__all__ = [
    "ACCENT",
    "AXIS",
    "CATEGORIES",
    "COLORS",
    "INK",
    "SYMBOLS",
    "Figure",
    "axis",
    "blank",
    "from_plain",
    "front_figure",
    "hypervolume_figure",
    "plotly_js",
    "title",
    "to_plain",
]

Figure: TypeAlias = go.Figure

COLORS: Mapping[Family, str] = {
    "single_task": "#8a8f98",
    "shared_embedding": "#56b4e9",
    "shared_bottom": "#e69f00",
    "omoe": "#cc79a7",
    "mmoe": "#0072b2",
    "cgc": "#009e73",
    "ple": "#d55e00",
}
SYMBOLS: Mapping[Family, str] = {
    "single_task": "triangle-down",
    "shared_embedding": "hexagon",
    "shared_bottom": "square",
    "omoe": "diamond",
    "mmoe": "circle",
    "cgc": "triangle-up",
    "ple": "pentagon",
}
INK, FAINT = "#6b7280", "rgba(128,136,150,0.22)"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def front_figure(
    trials: pd.DataFrame, objectives: Sequence[Objective], *, x: Objective, y: Objective
) -> go.Figure:
    """Every complete trial by two objectives; the front's members stand out.

    `trials` is `analysis.frames.trials_frame`. The members are connected only where `x` and `y`
    are all the objectives: a projection of a front in more dimensions is no line.
    """
    done = trials[trials["state"] == "complete"] if len(trials) else trials
    figure = blank(height=540, top=84)
    if not len(done):
        return figure
    reference = done[done["is_reference"]]
    if len(objectives) == 2:
        figure.add_trace(_front_line(done[done["on_front"]], x, y))
    for family in FAMILIES:
        members = done[(done["family"] == family) & ~done["is_reference"]]
        if len(members):
            figure.add_trace(_legend_entry(family))
        for on_front in (False, True):
            rows = members[members["on_front"] == on_front]
            if len(rows):
                figure.add_trace(_points(rows, objectives, x, y, family, on_front=on_front))
    if len(reference):
        figure.add_trace(_reference(reference, objectives, x, y))
        row = reference.iloc[0]
        dotted = {"type": "line", "line": {"color": INK, "width": 1, "dash": "dot"}}
        figure.add_shape(
            x0=0, x1=1, xref="x domain", y0=row[y.name], y1=row[y.name], layer="below", **dotted
        )
        figure.add_shape(
            y0=0, y1=1, yref="y domain", x0=row[x.name], x1=row[x.name], layer="below", **dotted
        )
    if done["is_knee"].any():
        figure.add_trace(_knee(done[done["is_knee"]], objectives, x, y))
    figure.update_layout(xaxis=axis(x, done), yaxis=axis(y, done))
    return figure


def hypervolume_figure(trace: pd.DataFrame) -> go.Figure:
    """The front's hypervolume after each finished trial, as a share of the last one.

    `trace` is `analysis.frames.hypervolume_frame`.
    """
    figure = blank(height=300)
    if not len(trace):
        return figure
    last = trace["hypervolume"].iloc[-1] or 1.0
    trace = trace.assign(share=trace["hypervolume"] / last)
    improved = trace[trace["improved"]]
    figure.add_trace(
        go.Scatter(
            x=trace["finished"].tolist(),
            y=trace["share"].tolist(),
            mode="lines",
            line={"shape": "hv", "color": COLORS["mmoe"], "width": 2},
            hoverinfo="skip",
            showlegend=False,
        )
    )
    figure.add_trace(
        go.Scatter(
            x=improved["finished"].tolist(),
            y=improved["share"].tolist(),
            mode="markers",
            marker={"color": COLORS["mmoe"], "size": 7},
            customdata=improved["number"].tolist(),
            hovertext=[
                f"<b>{html.escape(row.trial)}</b> moved the front<br>"
                f"{row.share:.1%} after {row.finished} trials (hypervolume {row.hypervolume:.4g})"
                for row in improved.itertuples()
            ],
            hoverinfo="text",
            showlegend=False,
        )
    )
    figure.update_layout(
        xaxis={**AXIS, "title": title("finished trials"), "rangemode": "tozero"},
        yaxis={**AXIS, "title": title("hypervolume, share of the last →"), "tickformat": ".0%"},
    )
    return figure


def axis(objective: Objective, done: pd.DataFrame) -> dict[str, Any]:
    """The layout of the axis of one objective, horizontal or vertical: better is up and right.

    The arrow in the title runs along the axis, to better. The view holds all but outliers to the
    worse (Tukey's fence; a front can have some), the suggested trial and the reference always; a
    double click shows everything.
    """
    is_cost = objective.task is None
    better = "higher is better →" if objective.direction == "maximize" else "lower is better →"
    scale = " (log)" if is_cost else ""
    name = html.escape(objective.name)
    low, high = _view(objective, done)
    return {
        **AXIS,
        "title": title(f"{name} · {better}{scale}"),
        "type": "log" if is_cost else "linear",
        "range": [low, high] if objective.direction == "maximize" else [high, low],
        # 41k, 2.6M; but 0.5 ms is no 500m
        "tickformat": ""
        if not is_cost
        else ".3~g"
        if objective.metric in MEASURED_COSTS
        else ".3~s",
        "nticks": 3 if is_cost else 8,  # 3 a decade at most: 1, 2, 5
    }


def plotly_js() -> str:
    """The source of plotly.js, to be embedded once in a page."""
    return str(get_plotlyjs())


def to_plain(figure: go.Figure) -> dict[str, Any]:
    """The figure as JSON values, as plotly.js takes it; NaN becomes null."""
    return dict(json.loads(figure.to_json()))


def from_plain(plain: Mapping[str, Any]) -> go.Figure:
    """The inverse of `to_plain`."""
    return go.Figure(plain)


# ---- the parts -----------------------------------------------------------------------------

AXIS: dict[str, Any] = {
    "gridcolor": FAINT,
    "zeroline": False,
    "linecolor": FAINT,
    "showline": False,
    "ticks": "",
    "automargin": True,
}


# of traces whose blue is that of the page, lighter where it is dark
ACCENT = {"part": "accent", "color": COLORS["mmoe"]}

# names stand apart from the bars that they name
CATEGORIES: dict[str, Any] = {
    **AXIS,
    "type": "category",
    "showgrid": False,
    "ticks": "outside",
    "ticklen": 6,
    "tickcolor": "rgba(0,0,0,0)",
}


def title(label: str) -> dict[str, Any]:
    """An axis' title."""
    return {"text": label, "standoff": 12, "font": {"size": 13}}


def blank(
    *,
    height: int,
    top: int = 16,
    data: Sequence[Any] = (),
    layout: Mapping[str, Any] | None = None,
) -> go.Figure:
    """A figure with everything but data, or with `data` and what is special in its `layout`."""
    return go.Figure(
        data=list(data),
        layout={
            "template": "none",
            "height": height,
            "margin": {"l": 72, "r": 12, "t": top, "b": 52},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": FONT, "size": 13, "color": INK},
            "hovermode": "closest",
            "hoverlabel": {"align": "left", "font": {"family": FONT, "size": 12}},
            "legend": {
                "orientation": "h",
                "x": 0,
                "xanchor": "left",
                "y": 1.02,
                "yanchor": "bottom",
                "itemsizing": "constant",
            },
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": FAINT, "activecolor": INK},
            "dragmode": "zoom",
            "uirevision": "fixed",
            **(layout or {}),
        },
    )


def _points(
    rows: pd.DataFrame,
    objectives: Sequence[Objective],
    x: Objective,
    y: Objective,
    family: Family,
    *,
    on_front: bool,
) -> go.Scatter:
    """One family's markers; a dot inside is an ESMM, a hollow one a family's default."""
    symbols = [
        SYMBOLS[family]
        + ("-open" if row.role == "baseline" else "")
        + ("-dot" if row.dependency != "none" else "")
        for row in rows.itertuples()
    ]
    return go.Scatter(
        **_where(rows, objectives, x, y),
        name=family,
        legendgroup=family,
        showlegend=False,
        mode="markers",
        opacity=1.0 if on_front else 0.45,
        marker={
            "symbol": symbols,
            "color": COLORS[family],
            "size": 13 if on_front else 8,
            "line": {
                "width": [2.0 if "-open" in symbol else 1.0 for symbol in symbols],
                "color": "#ffffff",
            },
        },
        meta={"part": "front" if on_front else "dominated"},
    )


def _legend_entry(family: Family) -> go.Scatter:
    """The plain mark of a family; the points themselves come hollow, dotted and faint."""
    return go.Scatter(
        x=[None],
        y=[None],
        name=family,
        legendgroup=family,
        mode="markers",
        marker={"symbol": SYMBOLS[family], "color": COLORS[family], "size": 10},
        meta={"part": "legend"},
    )


def _front_line(front: pd.DataFrame, x: Objective, y: Objective) -> go.Scatter:
    """The staircase of what was reached: corners, not slopes, since nothing lies between."""
    ordered = front.sort_values(x.name, ascending=x.direction == "maximize")
    return go.Scatter(
        x=ordered[x.name].tolist(),
        y=ordered[y.name].tolist(),
        mode="lines",
        line={"shape": "vh", "color": INK, "width": 1},
        opacity=0.6,
        hoverinfo="skip",
        showlegend=False,
        meta={"part": "line"},
    )


def _reference(
    rows: pd.DataFrame, objectives: Sequence[Objective], x: Objective, y: Objective
) -> go.Scatter:
    return go.Scatter(
        **_where(rows, objectives, x, y),
        name="single_task reference",
        mode="markers",
        marker={"symbol": "star", "size": 15, "color": INK},
        meta={"part": "reference"},
    )


def _knee(
    rows: pd.DataFrame, objectives: Sequence[Objective], x: Objective, y: Objective
) -> go.Scatter:
    return go.Scatter(
        **{**_where(rows, objectives, x, y), "hoverinfo": "skip"},
        mode="markers+text",
        text="suggested",
        textposition="top center",
        textfont={"size": 12, "color": INK},
        marker={"symbol": "circle-open", "size": 24, "color": INK, "line": {"width": 2}},
        showlegend=False,
        meta={"part": "knee"},
    )


def _where(
    rows: pd.DataFrame, objectives: Sequence[Objective], x: Objective, y: Objective
) -> dict[str, Any]:
    return {
        "x": rows[x.name].tolist(),
        "y": rows[y.name].tolist(),
        "customdata": rows["number"].tolist(),
        "hovertext": [_hover(row, objectives) for row in rows.to_dict("records")],
        "hoverinfo": "text",
    }


def _hover(row: Mapping[Any, Any], objectives: Sequence[Objective]) -> str:
    """What a trial is and reached. Plotly reads a little HTML here, so all of it is escaped."""
    role = {"reference": " · reference candidate", "baseline": " · baseline"}.get(row["role"], "")
    role = " · reference" if row["is_reference"] else role
    lines = [f"<b>{html.escape(str(row['trial']))}</b>  {html.escape(str(row['model']))}{role}"]
    for objective in objectives:
        gained = row.get(f"gain.{objective.name}")
        versus = ""
        if gained is not None and not pd.isna(gained) and not row["is_reference"]:
            versus = f"  ({text.gain(objective.name, gained).replace('-', '−')})"
        value = text.metric(objective.name, row[objective.name])
        lines.append(f"{html.escape(text.heading(objective))}  <b>{value}</b>{versus}")
    knobs = [
        f"{html.escape(name.removeprefix('knob.'))}  {html.escape(text.knob(value))}"
        for name, value in row.items()
        if str(name).startswith("knob.") and _is_set(value)
    ]
    shown = [name for name in knobs if not name.startswith(("family ", "dependency "))]
    return "<br>".join([*lines, *(["<br>".join(shown)] if shown else [])])


def _is_set(value: Any) -> bool:
    return isinstance(value, (list, tuple, str)) or not pd.isna(value)


def _view(objective: Objective, done: pd.DataFrame) -> tuple[float, float]:
    values = done[objective.name].to_numpy(dtype=float)
    if objective.task is None:
        values = np.log10(np.maximum(values, 1e-12))
    low_quarter, high_quarter = np.quantile(values, [0.25, 0.75])
    reach = 1.5 * (high_quarter - low_quarter)
    if objective.direction == "maximize":
        inside = values >= low_quarter - reach
    else:
        inside = values <= high_quarter + reach
    inside |= (done["is_knee"] | done["is_reference"]).to_numpy()
    low, high = float(values[inside].min()), float(values[inside].max())
    margin = 0.07 * (high - low) or 0.01 * max(abs(high), 1e-3)
    return low - margin, high + margin
