"""What fresh seeds have shown: gains over single_task with their intervals, a row a model."""

from __future__ import annotations

import html
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from automtl.analysis import text
from automtl.report.figures import AXIS, CATEGORIES, COLORS, INK, SYMBOLS, blank, title

__all__ = ["confirmed_gains_figure"]

ROW_HEIGHT = 30
LETTER = 7.2  # pixels
OUTSIDE_COLOR, OUTSIDE_SYMBOL = "#8a8f98", "x"


def confirmed_gains_figure(confirmed: pd.DataFrame, objective: str) -> go.Figure:
    """A row a model: the gain in `objective` over the reference on TEST rows with its 95 %
    interval. Filled: told apart after Holm's correction. Hollow: it may be luck.

    `confirmed` is `analysis.confirmed_frame.confirmed_frame`; better is right.
    """
    rows = confirmed[
        (confirmed["objective"] == objective)
        & (confirmed["split"] == "test")
        & confirmed["gain"].notna()
    ]
    figure = blank(height=92 + ROW_HEIGHT * len(rows))
    widest = max((len(_label(row)) for row in rows.to_dict("records")), default=0)
    scale = text.gain_scale(objective)
    for row in rows.to_dict("records"):
        color = COLORS.get(row["family"], OUTSIDE_COLOR)
        symbol = SYMBOLS.get(row["family"], OUTSIDE_SYMBOL)
        figure.add_trace(
            go.Scatter(
                x=[row["gain"] * scale],
                y=[_label(row)],
                mode="markers",
                marker={
                    "symbol": symbol if row["told_apart"] else f"{symbol}-open",
                    "size": 11,
                    "color": color,
                    "line": {"width": 2, "color": color},
                },
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [(row["gain_high"] - row["gain"]) * scale],
                    "arrayminus": [(row["gain"] - row["gain_low"]) * scale],
                    "color": color,
                    "thickness": 2,
                },
                customdata=[None if pd.isna(row["number"]) else int(row["number"])],
                hovertext=[_hover(row, objective)],
                hoverinfo="text",
                showlegend=False,
            )
        )
    figure.add_vline(x=0, line={"color": INK, "width": 1, "dash": "dot"}, layer="above")
    unit = text.gain_unit(objective)
    figure.update_layout(
        xaxis={**AXIS, "title": title(f"gain, {unit} →" if unit else "gain →"), "nticks": 6},
        yaxis={**CATEGORIES, "autorange": "reversed"},
        margin={"l": 24 + LETTER * widest},
    )
    return figure


def _label(row: Mapping[str, object]) -> str:
    name = row["model"] if row["kind"] == "outside" else f"{row['trial']} {row['model']}"
    mark = " ◆" if row["is_suggested"] else " (default)" if row["kind"] == "default" else ""
    return html.escape(f"{name}{mark}")


def _hover(row: Mapping[str, object], objective: str) -> str:
    def told(value: object) -> str:
        return text.gain(objective, float(str(value))).replace("-", "−")

    sure = "told apart" if row["told_apart"] else "not told apart"
    return (
        f"<b>{_label(row)}</b><br>{html.escape(objective)} "
        f"<b>{told(row['gain'])}</b> [{told(row['gain_low'])}, {told(row['gain_high'])}]<br>"
        f"{sure}: p {float(str(row['p_adjusted'])):.2g} after Holm's correction"
    )
