"""Whether predictions are as large as what happens: reliability curves."""

from __future__ import annotations

import html
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from automtl.report.figures import ACCENT, AXIS, COLORS, INK, blank, title

__all__ = ["reliability_figure"]

LOOKS = ((COLORS["mmoe"], "circle"), ("#8a8f98", "star"), (COLORS["shared_bottom"], "diamond"))


def reliability_figure(
    calibration: pd.DataFrame, output: str, *, roles: Mapping[str, str]
) -> go.Figure:
    """A curve a trial of `roles` (`{"t0042": "suggested"}`): what happened over what was predicted,
    a mark a bin of equal counts with its 95 % interval; on the dotted line they agree.

    `calibration` is `analysis.inside.calibration_frame`.
    """
    figure = blank(height=350, top=64)
    rows = calibration[(calibration["output"] == output) & calibration["trial"].isin(list(roles))]
    if not len(rows):
        return figure
    low = float(min(rows["predicted"].min(), rows["observed"].min()))
    high = float(max(rows["predicted"].max(), rows["observed"].max()))
    figure.add_trace(
        go.Scatter(
            x=[low, high],
            y=[low, high],
            mode="lines",
            line={"color": INK, "width": 1, "dash": "dot"},
            hoverinfo="skip",
            showlegend=False,
        )
    )
    for (trial, role), (color, symbol) in zip(roles.items(), LOOKS, strict=False):
        own = rows[rows["trial"] == trial]
        figure.add_trace(
            go.Scatter(
                x=own["predicted"].tolist(),
                y=own["observed"].tolist(),
                name=html.escape(f"{trial} {role}"),
                mode="lines+markers",
                line={"color": color, "width": 1.5},
                marker={"symbol": symbol, "size": 8, "color": color},
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": (own["high"] - own["observed"]).tolist(),
                    "arrayminus": (own["observed"] - own["low"]).tolist(),
                    "color": color,
                    "thickness": 1,
                    "width": 3,
                },
                hovertext=[
                    f"<b>{html.escape(trial)}</b>: predicted {row.predicted:.4g}, observed "
                    f"<b>{row.observed:.4g}</b><br>{row.low:.4g} to {row.high:.4g}, "
                    f"{row.num_rows:,} rows"
                    for row in own.itertuples()
                ],
                hoverinfo="text",
                meta=ACCENT if color == ACCENT["color"] else None,
            )
        )
    figure.update_layout(
        xaxis={**AXIS, "title": title("predicted"), "nticks": 6},
        yaxis={**AXIS, "title": title("observed"), "nticks": 6},
    )
    return figure
