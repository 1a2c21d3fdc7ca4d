"""Parallel coordinates: a line a trial, an axis an objective or a knob; drag to choose."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from automtl.analysis import text
from automtl.config import FAMILIES, Objective
from automtl.report.figures import COLORS, blank

__all__ = ["coordinates_figure"]

ABSENT = "–"
MOST_TICKS = 6


def coordinates_figure(frame: pd.DataFrame, objectives: Sequence[Objective]) -> go.Figure:
    """`frame` is `analysis.coordinates.coordinates_frame`. Lines have the colours of their family;
    better is up on the axis of an objective, and model costs and learning rates are logarithmic."""
    by_name = {one.name: one for one in objectives}
    families = [one for one in FAMILIES if (frame["family"] == one).any()]
    dimensions = [_choices("family", frame["family"], families)]
    for column in frame.columns[2:]:
        if column in by_name:
            dimensions.append(_objective(by_name[column], frame[column]))
        else:
            dimensions.append(_knob(column.removeprefix("knob."), frame[column]))
    figure = blank(height=420, top=72)
    figure.add_trace(
        go.Parcoords(
            line={
                "color": [families.index(one) for one in frame["family"]],
                "colorscale": _steps([COLORS[one] for one in families]),
                "cmin": 0,
                "cmax": max(1, len(families) - 1),
            },
            dimensions=dimensions,
            labelangle=-12,
            labelside="top",
        )
    )
    figure.update_layout(margin={"l": 92, "r": 48, "t": 84, "b": 24})
    return figure


def _objective(objective: Objective, values: pd.Series) -> dict[str, Any]:
    numbers = values.to_numpy(dtype=float)
    is_cost = objective.task is None
    places = np.log10(np.maximum(numbers, 1e-12)) if is_cost else numbers
    low, high = _span(places)
    axis = _numbers(
        text.heading(objective), places, numbers, lambda v: text.metric(objective.name, v)
    )
    return {**axis, "range": [low, high] if objective.direction == "maximize" else [high, low]}


def _knob(name: str, values: pd.Series) -> dict[str, Any]:
    """A number's axis where all values are numbers, else a tick a choice."""
    known = values.dropna()
    is_number = known.map(lambda one: isinstance(one, (int, float)) and not isinstance(one, bool))
    if is_number.all() and not values.isna().any() and known.nunique() > MOST_TICKS:
        numbers = values.to_numpy(dtype=float)
        is_log = bool((numbers > 0).all() and numbers.max() / numbers.min() > 20)
        places = np.log10(numbers) if is_log else numbers
        axis = _numbers(name, places, numbers, text.knob)
        return {**axis, "range": list(_span(places))}
    if is_number.all():  # few numbers, in their order
        options = [text.knob(one) for one in sorted(known.unique())]
    else:
        options = list(dict.fromkeys(text.knob(one) for one in known))
    shown = values.map(lambda one: ABSENT if _is_missing(one) else text.knob(one))
    return _choices(name, shown, [*options, *([ABSENT] if (shown == ABSENT).any() else [])])


def _numbers(label: str, places: np.ndarray, numbers: np.ndarray, written: Any) -> dict[str, Any]:
    """Ticks at values that trials have, spread over the axis."""
    order = np.argsort(places)
    picks = order[np.linspace(0, len(order) - 1, min(MOST_TICKS, len(order))).astype(int)]
    ticks = dict.fromkeys(
        zip(places[picks].tolist(), (written(numbers[i]) for i in picks), strict=True)
    )
    return {
        "label": html.escape(label),
        "values": places.tolist(),
        "tickvals": [place for place, _ in ticks],
        "ticktext": [html.escape(told) for _, told in ticks],
    }


def _choices(label: str, values: pd.Series, options: Sequence[str]) -> dict[str, Any]:
    place = {option: index for index, option in enumerate(options)}
    return {
        "label": html.escape(label),
        "values": [place[one] for one in values],
        "tickvals": list(range(len(options))),
        "ticktext": [html.escape(one) for one in options],
        "range": [-0.25, len(options) - 0.75],
    }


def _span(places: np.ndarray) -> tuple[float, float]:
    low, high = float(places.min()), float(places.max())
    margin = 0.03 * (high - low) or 0.01
    return low - margin, high + margin


def _steps(colors: Sequence[str]) -> list[list[Any]]:
    """A scale of steps: colour i for i, of len(colors) - 1 as the largest."""
    count = len(colors)
    if count == 1:
        return [[0, colors[0]], [1, colors[0]]]
    edges = [0.0, *((index - 0.5) / (count - 1) for index in range(1, count)), 1.0]
    return [
        [edge, color]
        for color, start, end in zip(colors, edges, edges[1:], strict=False)
        for edge in (start, end)
    ]


def _is_missing(value: Any) -> bool:
    return not isinstance(value, (list, tuple, str)) and bool(pd.isna(value))
