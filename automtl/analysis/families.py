"""The families of a search side by side: what became of their trials, where they were stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from automtl.config import FAMILIES
from automtl.pareto import to_losses

if TYPE_CHECKING:
    from automtl.study import Study, TrialRecord

__all__ = ["BEFORE_TRAINING", "FAILED", "TO_THE_END", "families_frame", "rungs_frame"]

BEFORE_TRAINING, FAILED, TO_THE_END = "before training", "failed", "trained to the end"


def families_frame(study: Study, trials: pd.DataFrame) -> pd.DataFrame:
    """One row a family that was tried, in the order of the ladder: how many trials were `started`,
    `complete`, `pruned`, `failed` and are `on_front`, the median `wall_s` of complete ones, and
    the best value of each objective among them, alone (`best.<objective>`).

    `trials` is `frames.trials_frame`.
    """
    rows = []
    for family in FAMILIES:
        own = trials[trials["family"] == family] if len(trials) else trials
        if not len(own):
            continue
        done = own[own["state"] == "complete"]
        row = {"family": family, "started": len(own), "on_front": int(own["on_front"].sum())}
        row |= {
            name: int((own["state"] == name).sum()) for name in ("complete", "pruned", "failed")
        }
        row["wall_s"] = done["wall_s"].median()
        for objective in study.objectives if len(done) else ():
            values = done[objective.name].to_numpy(dtype=float)
            best = to_losses(values[:, None], [objective])[:, 0].argmin()
            row[f"best.{objective.name}"] = values[best]
        rows.append(row)
    return pd.DataFrame(rows)


def rungs_frame(study: Study) -> pd.DataFrame:
    """One row a family and place where its trials ended: `num_trials`.

    `place` is `before training`, `after 0.111 epochs` of a stop, `trained to the end` or `failed`;
    `order` sorts places along a trial's way. Running trials are left out.
    """
    ends = pd.DataFrame(
        [
            (record.config.model.family, *_end(record))
            for record in study.trials()
            if record.state != "running"
        ],
        columns=["family", "place", "order"],
    )
    counted = ends.groupby(["family", "place", "order"], as_index=False).size()
    counted = counted.rename(columns={"size": "num_trials"})
    ladder = {family: step for step, family in enumerate(FAMILIES)}
    by_ladder = counted.sort_values(["family", "order"], key=lambda c: c.map(ladder).fillna(c))
    return by_ladder.reset_index(drop=True)


def _end(record: TrialRecord) -> tuple[str, float]:
    match record.state:
        case "complete":
            return TO_THE_END, 1e9
        case "failed":
            return FAILED, 1e10
        case _:
            epochs = record.evaluations[-1].epochs if record.evaluations else 0.0
            return (f"after {epochs:.3g} epochs", epochs) if epochs else (BEFORE_TRAINING, 0.0)
