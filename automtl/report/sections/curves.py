"""The section on learning curves: all trials on validation rows over the epochs they trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from automtl.records import task_objectives
from automtl.report.curves import curves_figure
from automtl.report.sections.parts import plot

if TYPE_CHECKING:
    from automtl.study import Study

__all__ = ["curves_section"]


def curves_section(study: Study, trials: pd.DataFrame, evaluations: pd.DataFrame) -> dict[str, Any]:
    """The figure, a variant an objective of a task; empty without one or without a curve."""
    objectives = task_objectives(study.objectives)
    if not objectives or not len(evaluations):
        return {}
    return {
        "objectives": [one.name for one in objectives],
        "plot": plot(
            "curves",
            [curves_figure(trials, evaluations, one) for one in objectives],
            label="Validation metrics of all trials over the epochs they trained",
            group="curves",
            of=[one.name for one in objectives],
        ),
    }
