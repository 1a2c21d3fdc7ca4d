"""The sections on rungs and families: who was stopped where, and the families side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from automtl.analysis import text
from automtl.analysis.families import families_frame, rungs_frame
from automtl.report.rungs import rungs_figure
from automtl.report.sections.parts import heading, plot, table

if TYPE_CHECKING:
    from automtl.study import Study

__all__ = ["families_section"]


def families_section(study: Study, trials: pd.DataFrame) -> dict[str, Any]:
    """The figure of the rungs, if a trial was stopped or failed, and the table of families."""
    rungs, families = rungs_frame(study), families_frame(study, trials)
    if not len(families):
        return {}
    names = [one.name for one in study.objectives]
    headings = [f"best {heading(one)}" for one in study.objectives]
    return {
        "rungs": plot(
            "rungs",
            [rungs_figure(rungs)],
            label="Where the trials of each family ended: the list of stopped trials and the table "
            "of families hold the same",
        )
        if rungs["place"].nunique() > 1
        else None,
        "table": table(
            (
                "family",
                "trials",
                "complete",
                "stopped",
                "failed",
                "on the front",
                *headings,
                "median time",
            ),
            (
                (
                    row["family"],
                    *(str(row[name]) for name in _COUNTS),
                    *tuple(_best(row, name) for name in names),
                    _took(row["wall_s"]),
                )
                for row in families.to_dict("records")
            ),
        ),
    }


_COUNTS = ("started", "complete", "pruned", "failed", "on_front")


def _best(row: dict[Any, Any], name: str) -> str:
    value = row.get(f"best.{name}")
    return "" if value is None or pd.isna(value) else text.metric(name, value)


def _took(seconds: float) -> str:
    return "" if pd.isna(seconds) else text.duration(seconds)
