"""Parallel coordinates: a line a trial, an axis an objective or a knob; drag to choose.

plotly reads tags in the names of axes, so these are escaped, but not in the texts of ticks. To it
an axis with `tickvals` is ordinal: what is dragged there snaps to the ticks. So numbers have a
format in place of ticks wherever the axis is linear.

Shapes: T trials, in the order of the frame.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from automtl.analysis import text
from automtl.config import CONFIGURED_COSTS, FAMILIES, Objective
from automtl.report.figures import COLORS, blank

__all__ = ["coordinates_figure"]

ABSENT = "–"
MOST_TICKS = 6  # of a knob with so few numbers: each is a choice
WIDEST_LABEL = 18  # characters of the name of an axis, else it reaches into its neighbour's
Floats = NDArray[np.float64]
Axis = dict[str, Any]


def coordinates_figure(
    frame: pd.DataFrame, objectives: Sequence[Objective], *, log_knobs: Collection[str] = ()
) -> go.Figure:
    """`frame` is `analysis.coordinates.coordinates_frame`. Lines have the colours of their family;
    better is up on the axis of an objective; costs and `log_knobs` are logarithmic."""
    by_name = {one.name: one for one in objectives}
    families = [one for one in FAMILIES if (frame["family"] == one).any()]
    axes = [_choices("family", frame["family"], families)] if len(families) > 1 else []
    for column in frame.columns[2:]:
        if column in by_name:
            axes.append(_objective(by_name[column], frame[column].to_numpy(dtype=float)))
        else:
            name = column.removeprefix("knob.")
            axes.append(_knob(name, frame[column], is_log=name in log_knobs))
    figure = blank(height=420)
    figure.add_trace(
        go.Parcoords(
            line={
                "color": [families.index(one) for one in frame["family"]],
                "colorscale": _steps([COLORS[one] for one in families]),
                "cmin": 0,
                "cmax": max(1, len(families) - 1),
            },
            dimensions=axes,
            labelangle=-20,
            labelside="top",
        )
    )
    # names lean to the right over the last axis, ticks stand to the left of the first
    figure.update_layout(margin={"l": 112, "r": 84, "t": 84, "b": 32})
    return figure


def _objective(objective: Objective, values_T: Floats) -> Axis:
    name = objective.name

    def written(value: float) -> str:
        told = text.metric(name, value)
        return re.sub(r"\.?0+(?=\D*$)", "", told) if "." in told else told

    ticks = _decades(values_T) if objective.task is None and (values_T > 0).all() else []
    label = text.heading(objective)
    if len(ticks) > 2:
        axis = _logarithmic(label, values_T, ticks, written)
    else:
        axis = _linear(label, values_T, ".3s" if name in CONFIGURED_COSTS else None)
    return axis if objective.direction == "maximize" else {**axis, "range": axis["range"][::-1]}


def _knob(name: str, values: pd.Series, *, is_log: bool) -> Axis:
    """A number's axis where all known values are numbers, else a tick a choice."""
    known = values.dropna()
    is_number = all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in known)
    if is_number and known.nunique() > MOST_TICKS:
        return _number(name, values.to_numpy(dtype=float), is_log=is_log)
    if is_number:  # few numbers, in their order
        options = dict.fromkeys(text.knob(one) for one in sorted(known.unique()))
    else:
        options = dict.fromkeys(text.knob(one) for one in known)
    shown = values.map(lambda one: ABSENT if _is_missing(one) else text.knob(one))
    return _choices(name, shown, [*options, *([ABSENT] if (shown == ABSENT).any() else [])])


def _number(name: str, values_T: Floats, *, is_log: bool) -> Axis:
    """What is missing lies below the range, at a tick of its own."""
    known = values_T[~np.isnan(values_T)]
    if is_log:
        axis = _logarithmic(name, values_T, _decades(known), lambda value: f"{value:g}")
    elif len(known) == len(values_T):
        return _linear(name, values_T)
    else:
        ticks = _steps_of(float(known.min()), float(known.max()))
        axis = _ticked(name, values_T, [(one, f"{one:g}") for one in ticks])
    return axis if len(known) == len(values_T) else _with_absent(axis, values_T)


def _with_absent(axis: Axis, values_T: Floats) -> Axis:
    low, high = axis["range"]
    step = 0.03 * (high - low)  # all of the tick's text is in the picture
    below = low - 4 * step
    return {
        **axis,
        "values": [below if math.isnan(one) else one for one in axis["values"]],
        "tickvals": [below, *axis["tickvals"]],
        "ticktext": [ABSENT, *axis["ticktext"]],
        "range": [below - step, high],
    }


def _linear(label: str, values_T: Floats, tickformat: str | None = None) -> Axis:
    low, high = _span(values_T)
    decimals = max(0, -math.floor(math.log10((high - low) / 8)))
    return {
        "label": _label(label),
        "values": values_T.tolist(),
        "tickformat": tickformat or f",.{decimals}f",
        "range": [low, high],
    }


def _logarithmic(
    label: str, values_T: Floats, ticks: Iterable[float], written: Callable[[float], str]
) -> Axis:
    return _ticked(label, np.log10(values_T), [(math.log10(one), written(one)) for one in ticks])


def _ticked(label: str, places_T: Floats, ticks: Sequence[tuple[float, str]]) -> Axis:
    return {
        "label": _label(label),
        "values": places_T.tolist(),
        "tickvals": [place for place, _ in ticks],
        "ticktext": [told for _, told in ticks],
        "range": [*_span(places_T[~np.isnan(places_T)])],
    }


def _choices(label: str, values: pd.Series, options: Sequence[str]) -> Axis:
    place = {option: index for index, option in enumerate(options)}
    return {
        "label": _label(label),
        "values": [place[one] for one in values],
        "tickvals": list(range(len(options))),
        "ticktext": list(options),
        "range": [-0.25, len(options) - 0.75],
    }


def _label(name: str) -> str:
    short = name if len(name) <= WIDEST_LABEL else f"…{name[1 - WIDEST_LABEL :]}"
    return html.escape(short)


def _decades(values: Floats) -> list[float]:
    """Round numbers inside of the values' range: over many decades powers of ten alone."""
    low, high = float(values.min()), float(values.max())
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for leads in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        found = [float(f"{lead}e{power}") for power in powers for lead in leads]
        inside = [one for one in found if low <= one <= high]
        if len(inside) <= MOST_TICKS + 2:
            break
    return inside


def _steps_of(low: float, high: float) -> list[float]:
    """Round numbers inside of the range, MOST_TICKS or a few more."""
    rough = (high - low) / MOST_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = max(lead * power for lead in (1, 2, 5) if lead * power <= rough)
    return [step * index for index in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _span(places: Floats) -> tuple[float, float]:
    low, high = float(places.min()), float(places.max())
    margin = 0.01 * abs(high) or 0.01
    return (low, high) if low < high else (low - margin, high + margin)


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
