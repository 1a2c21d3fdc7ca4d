"""Which experts each gate uses: a map of mean weights."""

from __future__ import annotations

import html

import pandas as pd
import plotly.graph_objects as go

from automtl.report.figures import CATEGORIES, COLORS, blank

__all__ = ["gates_figure"]

ROW_HEIGHT = 40


def gates_figure(gates: pd.DataFrame, trial: str) -> go.Figure:
    """A row a gate, a column an expert: the mean weight, and below it how far it moves from row to
    row of the data. Empty where a gate does not see an expert.

    `gates` is `analysis.inside.gates_frame`; level by level, shared experts first.
    """
    rows = gates[gates["trial"] == trial]
    levels = rows["level"].nunique()
    prefix = [f"level {level}: " if levels > 1 else "" for level in rows["level"]]
    names = [
        f"{first}{html.escape(gate)}" for first, gate in zip(prefix, rows["gate"], strict=True)
    ]
    cells = rows.assign(name=names, column=[html.escape(one) for one in rows["expert"]])
    order = list(dict.fromkeys(names))
    columns = _columns(cells)
    means = cells.pivot_table(index="name", columns="column", values="mean").reindex(
        index=order, columns=columns
    )
    stds = cells.pivot_table(index="name", columns="column", values="std").reindex(
        index=order, columns=columns
    )
    figure = blank(height=86 + ROW_HEIGHT * len(order))
    shown = [
        [
            "" if mean != mean else f"{mean:.2f}<br>±{std:.2f}"
            for mean, std in zip(*pair, strict=True)
        ]
        for pair in zip(means.to_numpy().tolist(), stds.to_numpy().tolist(), strict=True)
    ]
    figure.add_trace(
        go.Heatmap(
            x=columns,
            y=order,
            z=[[None if value != value else value for value in row] for row in means.to_numpy()],
            text=shown,
            texttemplate="%{text}",
            textfont={"size": 11},
            zmin=0,
            zmax=1,
            colorscale=[[0, "#ffffff"], [1, COLORS["mmoe"]]],
            showscale=False,
            xgap=2,
            ygap=2,
            hoverinfo="skip",
            hoverongaps=False,
            meta={"part": "share"},
        )
    )
    figure.update_layout(
        xaxis={**CATEGORIES, "side": "top"},
        yaxis={**CATEGORIES, "autorange": "reversed"},
        margin={"t": 40, "b": 12},
    )
    return figure


def _columns(cells: pd.DataFrame) -> list[str]:
    """Shared experts first, then task by task, as the gates have them."""
    ordered = cells.drop_duplicates("column").sort_values(
        "owner", key=lambda owners: owners != "", kind="stable"
    )
    return [str(name) for name in ordered["column"]]
