"""Complete trials as lines over several axes: family, objectives, and the knobs that vary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from automtl.analysis.knobs import judged
from automtl.spec.knobs import knobs

if TYPE_CHECKING:
    from automtl.study import Study

__all__ = ["MOST_AXES", "coordinates_frame", "varying_knobs"]

MOST_AXES = 10  # more lie so close that names overlap and nobody follows a line


def coordinates_frame(study: Study, importance: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row a complete trial of the space: `number`, `family`, a column an objective in native
    units, and a column `knob.NAME` for each of the first `varying_knobs`.

    MOST_AXES at most: the family, objectives and knobs that differ between trials, in this order. A
    knob that a trial has not is missing.
    """
    frame = _frame(study)
    objectives = [one.name for one in study.objectives if _varies(frame, one.name)]
    chosen = [f"knob.{name}" for name in varying_knobs(study, importance)]
    room = MOST_AXES - _varies(frame, "family")
    return frame[["number", "family", *[*objectives, *chosen][:room]]]


def varying_knobs(study: Study, importance: pd.DataFrame | None = None) -> tuple[str, ...]:
    """The knobs that differ between complete trials of the space, not the family.

    The most important first where `importance` (`analysis.importance`) is given; of equal ones
    those that more trials have, then in the order of the spec.
    """
    frame = _frame(study)
    names = [one.name for one in knobs(study.spec) if one.name != "family"]
    varying = [name for name in names if _varies(frame, f"knob.{name}")]
    weight: Mapping[str, float] = {}
    if importance is not None and len(importance):
        weight = importance.groupby("knob")["importance"].max().to_dict()
    num_trials = {name: int(frame[f"knob.{name}"].count()) for name in varying}
    return tuple(sorted(varying, key=lambda name: (-weight.get(name, 0.0), -num_trials[name])))


def _frame(study: Study) -> pd.DataFrame:
    rows = [
        {
            "number": record.number,
            "family": record.config.model.family,
            **(record.values or {}),
            **{f"knob.{name}": value for name, value in record.params.items()},
        }
        for record in judged(study)
    ]
    return pd.DataFrame(rows, columns=None if rows else ["number", "family"])


def _varies(frame: pd.DataFrame, column: str) -> bool:
    """Not having a knob is a value, too."""
    return column in frame and frame[column].nunique(dropna=False) > 1
