"""What sharing brought each task: gains of families, seesaws, and gains along the loss weights."""

from __future__ import annotations

import html
from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from automtl.analysis import text
from automtl.analysis.transfer import OUTCOMES
from automtl.config import FAMILIES
from automtl.report.figures import AXIS, CATEGORIES, COLORS, INK, SYMBOLS, blank, title

__all__ = ["family_gains_figure", "loss_weights_figure", "outcome_name", "seesaw_figure"]

OUTCOME_COLORS: Mapping[str, str] = {
    "both up": "#009e73",
    "first up, second down": "#0072b2",
    "second up, first down": "#e69f00",
    "both down": "#d55e00",
    "within noise": "#8a8f98",
}
ROW_HEIGHT = 27
FEWEST_FOR_MEDIANS = 8


def family_gains_figure(gains: pd.DataFrame, objective: str) -> go.Figure:
    """A row a family: from the median gain (hollow) to the best one (filled), against the line of
    the reference. `gains` is `analysis.transfer.family_gains_frame`; better is right.

    An interval of the best gain is drawn where the frame has one.
    """
    rows = gains[gains["objective"] == objective]
    figure = blank(height=92 + ROW_HEIGHT * len(rows))
    scale = text.gain_scale(objective)
    for row in rows.to_dict("records"):
        color, symbol = COLORS[row["family"]], SYMBOLS[row["family"]]
        label = f"{row['family']} ({row['num_trials']})"
        known = not np.isnan(row["low"])
        figure.add_trace(
            go.Scatter(
                x=[row["median"] * scale, row["best"] * scale],
                y=[label, label],
                mode="lines+markers",
                line={"color": color, "width": 2},
                marker={"symbol": [f"{symbol}-open", symbol], "size": [9, 11], "color": color},
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [0, (row["high"] - row["best"]) * scale],
                    "arrayminus": [0, (row["best"] - row["low"]) * scale],
                    "color": color,
                }
                if known
                else None,
                hovertext=[
                    f"<b>{row['family']}</b>: median {_gain(objective, row['median'])} of "
                    f"{row['num_trials']} trials",
                    f"<b>{row['family']}</b>: best {_gain(objective, row['best'])}, "
                    f"{html.escape(row['best_trial'])}",
                ],
                hoverinfo="text",
                showlegend=False,
            )
        )
    figure.add_vline(x=0, line={"color": INK, "width": 1, "dash": "dot"}, layer="above")
    figure.update_layout(
        xaxis={**AXIS, "title": title(_gain_title(objective)), "nticks": 6},
        yaxis={**CATEGORIES, "autorange": "reversed"},
    )
    return figure


def seesaw_figure(seesaw: pd.DataFrame, first: str, second: str) -> go.Figure:
    """A bar a family: the shares of its trials in which two tasks went up, down or apart.

    `seesaw` is `analysis.transfer.seesaw_frame`; `first` and `second` are objectives in it.
    """
    pair = seesaw[(seesaw["first"] == first) & (seesaw["second"] == second)]
    families = pair["family"].unique().tolist()
    figure = blank(height=130 + ROW_HEIGHT * len(families), top=64)
    for outcome in OUTCOMES:
        rows = pair[pair["outcome"] == outcome]
        name = outcome_name(outcome, first, second)
        figure.add_trace(
            go.Bar(
                x=rows["share"].tolist(),
                y=rows["family"].tolist(),
                orientation="h",
                name=html.escape(name),
                marker={"color": OUTCOME_COLORS[outcome]},
                text=[str(count) if count else "" for count in rows["num_trials"]],
                textposition="inside",
                insidetextanchor="middle",
                textangle=0,
                hovertext=[
                    f"<b>{family}</b>: {html.escape(name)} in {count} trials ({share:.0%})"
                    for family, count, share in zip(
                        rows["family"], rows["num_trials"], rows["share"], strict=True
                    )
                ],
                hoverinfo="text",
            )
        )
    figure.update_layout(
        barmode="stack",
        uniformtext={"minsize": 10, "mode": "hide"},
        bargap=0.3,
        margin={"r": 32},
        legend={"traceorder": "normal"},
        xaxis={**AXIS, "title": title("share of trials"), "tickformat": ".0%", "range": [0, 1]},
        yaxis={**CATEGORIES, "autorange": "reversed"},
    )
    return figure


def outcome_name(outcome: str, first: str, second: str) -> str:
    """An outcome with the tasks' names: `click up, long_view down`."""
    one, other = first.rpartition(".")[0], second.rpartition(".")[0]
    return outcome.replace("first", one).replace("second", other)


def loss_weights_figure(weights: pd.DataFrame, *, weighted: str, objective: str) -> go.Figure:
    """A mark a trial: the gain in `objective` over the loss weight of task `weighted`, in the
    colour and mark of its family; medians of four equal parts as a line, for families of 8 trials
    or more. `weights` is `analysis.transfer.loss_weights_frame`.
    """
    rows = weights[(weights["weighted"] == weighted) & (weights["objective"] == objective)]
    figure = blank(height=360, top=96)
    scale = text.gain_scale(objective)
    for family in FAMILIES:
        own = rows[rows["family"] == family].sort_values("weight", kind="stable")
        if not len(own):
            continue
        figure.add_trace(
            go.Scatter(
                x=own["weight"].tolist(),
                y=(own["gain"] * scale).tolist(),
                mode="markers",
                name=family,
                legendgroup=family,
                marker={"symbol": SYMBOLS[family], "color": COLORS[family], "size": 7},
                opacity=0.55,
                customdata=own["number"].tolist(),
                hovertext=[
                    f"<b>{html.escape(row.trial)}</b>  {html.escape(row.model)}<br>"
                    f"weight {row.weight:.3g}: {_gain(objective, row.gain)}"
                    for row in own.itertuples()
                ],
                hoverinfo="text",
            )
        )
        if len(own) >= FEWEST_FOR_MEDIANS:
            parts = np.array_split(np.arange(len(own)), 4)
            figure.add_trace(
                go.Scatter(
                    x=[own["weight"].iloc[part].median() for part in parts],
                    y=[own["gain"].iloc[part].median() * scale for part in parts],
                    mode="lines",
                    line={"color": COLORS[family], "width": 2.5},
                    legendgroup=family,
                    showlegend=False,
                    hoverinfo="skip",
                )
            )
    figure.add_hline(y=0, line={"color": INK, "width": 1, "dash": "dot"}, layer="above")
    figure.update_layout(
        xaxis={**AXIS, "title": title(f"loss weight of {html.escape(weighted)}"), "type": "log"}
        | {"nticks": 5},
        yaxis={**AXIS, "title": title(_gain_title(objective)), "nticks": 7},
    )
    return figure


def _gain_title(objective: str) -> str:
    unit = text.gain_unit(objective)
    return f"gain, {unit} →" if unit else "gain →"


def _gain(objective: str, difference: float) -> str:
    return f"<b>{text.gain(objective, difference).replace('-', '−')}</b>"
