"""Complete trials as lines over several axes: family, objectives, and the knobs that vary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from automtl.analysis.knobs import judged
from automtl.spec.knobs import knobs

if TYPE_CHECKING:
    from automtl.study import Study

__all__ = ["coordinates_frame"]

MOST_KNOBS = 7


def coordinates_frame(study: Study, importance: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row a complete trial of the space: `number`, `family`, a column an objective in native
    units, and a column `knob.NAME` for up to MOST_KNOBS knobs that differ between trials.

    The most important knobs are taken first where `importance` (`analysis.importance`) is given. A
    knob that a trial has not is missing.
    """
    trials = judged(study)
    rows = [
        {
            "number": record.number,
            "family": record.config.model.family,
            **(record.values or {}),
            **{f"knob.{name}": value for name, value in record.params.items()},
        }
        for record in trials
    ]
    frame = pd.DataFrame(rows, columns=None if rows else ["number", "family"])
    chosen = [f"knob.{name}" for name in _order(study, importance) if _varies(frame, name)]
    objectives = [one.name for one in study.objectives if one.name in frame]
    return frame[["number", "family", *objectives, *chosen[:MOST_KNOBS]]]


def _varies(frame: pd.DataFrame, knob: str) -> bool:
    column = f"knob.{knob}"
    return knob != "family" and column in frame and frame[column].nunique() > 1


def _order(study: Study, importance: pd.DataFrame | None) -> Sequence[str]:
    names = [knob.name for knob in knobs(study.spec)]
    if importance is None or not len(importance):
        return names
    weight: Mapping[str, float] = importance.groupby("knob")["importance"].max().to_dict()
    return sorted(names, key=lambda name: -weight.get(name, 0.0))
