"""Learning curves: where each trial was at its evaluations, and who was stopped there."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from automtl.analysis import text
from automtl.config import FAMILIES, Family, Objective
from automtl.report.figures import AXIS, COLORS, SYMBOLS, blank, title

__all__ = ["curves_figure"]


def curves_figure(
    trials: pd.DataFrame, evaluations: pd.DataFrame, objective: Objective
) -> go.Figure:
    """A line a trial: `objective` on validation rows over the epochs trained so far.

    `trials` and `evaluations` are those of `analysis.frames`. Lines of complete trials end in the
    family's mark, those of stopped trials in a small cross; the front's are strong. Epochs are
    logarithmic, as rungs are; better is up.
    """
    figure = blank(height=380)
    seen = evaluations[evaluations["metric"] == objective.name].dropna(subset=["value"])
    if not len(seen):
        return figure
    ended = trials[trials["state"].isin(["complete", "pruned"])]
    by_number = dict(iter(seen.groupby("number")))
    for on_front in (False, True):
        for family in FAMILIES:
            rows = ended[(ended["family"] == family) & (ended["on_front"] == on_front)]
            curves = [
                (row, by_number[row["number"]])
                for row in rows.to_dict("records")
                if row["number"] in by_number
            ]
            if curves:
                figure.add_trace(_lines(curves, objective, family, on_front=on_front))
    better = "higher is better →" if objective.direction == "maximize" else "lower is better →"
    figure.update_layout(
        xaxis={**AXIS, "title": title("epochs trained"), "type": "log", **_ticks(seen)},
        yaxis={
            **AXIS,
            "title": title(f"{html.escape(objective.name)} · {better}"),
            "range": _view(seen, objective),
        },
    )
    return figure


def _lines(
    curves: Sequence[tuple[Mapping[Any, Any], pd.DataFrame]],
    objective: Objective,
    family: Family,
    *,
    on_front: bool,
) -> go.Scatter:
    """The curves of one family as one trace; a gap between two trials ends a line."""
    x: list[float | None] = []
    y: list[float | None] = []
    symbols: list[str] = []
    sizes: list[int] = []
    numbers: list[int] = []
    hovers: list[str] = []
    for trial, curve in curves:
        count = len(curve)
        is_stopped = trial["state"] == "pruned"
        mark = "x-thin-open" if is_stopped else SYMBOLS[family]
        x += [*curve["epochs"].tolist(), None]
        y += [*curve["value"].tolist(), None]
        symbols += ["circle"] * (count - 1) + [mark, "circle"]
        sizes += [3] * (count - 1) + [8 if is_stopped else 9, 3]
        numbers += [trial["number"]] * (count + 1)
        hovers += [*_hovers(trial, curve, objective), ""]
    return go.Scatter(
        x=x,
        y=y,
        name=family,
        mode="lines+markers",
        opacity=1.0 if on_front else 0.4,
        line={"color": COLORS[family], "width": 2 if on_front else 1},
        marker={
            "symbol": symbols,
            "size": sizes,
            "color": COLORS[family],
            "line": {"width": 1.5, "color": COLORS[family]},
        },
        customdata=numbers,
        hovertext=hovers,
        hoverinfo="text",
        showlegend=False,
        connectgaps=False,
        meta={"part": "front" if on_front else "behind"},
    )


def _hovers(trial: Mapping[Any, Any], curve: pd.DataFrame, objective: Objective) -> list[str]:
    head = f"<b>{html.escape(str(trial['trial']))}</b>  {html.escape(str(trial['model']))}"
    last = f"<br>{html.escape(str(trial['reason']))}" if trial["state"] == "pruned" else ""
    name = html.escape(text.heading(objective))
    lines = [
        f"{head}<br>{name}  <b>{text.metric(objective.name, value)}</b> after {epochs:.3g} epochs"
        for epochs, value in zip(curve["epochs"], curve["value"], strict=True)
    ]
    return [*lines[:-1], lines[-1] + last]


def _ticks(seen: pd.DataFrame) -> dict[str, Any]:
    """A tick where trials were evaluated, if these are few places (rungs are)."""
    places = sorted(set(seen["epochs"].round(9)))
    if len(places) > 8:
        return {}
    return {"tickvals": places, "ticktext": [f"{place:.3g}" for place in places]}


def _view(seen: pd.DataFrame, objective: Objective) -> list[float]:
    """All but the worst twentieth, better up; a double click shows everything."""
    is_up = objective.direction == "maximize"
    values = seen["value"]
    best = float(values.max() if is_up else values.min())
    worst = float(values.quantile(0.05 if is_up else 0.95))
    margin = 0.07 * (best - worst) or 0.01 * max(abs(best), 1e-3)
    return [worst - margin, best + margin]
