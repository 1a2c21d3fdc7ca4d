"""A confirmation as a tidy frame: what the page and a notebook draw means and intervals from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from automtl.confirmed import Confirmation, ConfirmedModel, Versus, confirmed_knee

if TYPE_CHECKING:
    from automtl.study import Study

__all__ = ["confirmed_frame"]

COLUMNS = [
    "trial",
    "number",
    "model",
    "family",
    "kind",
    "is_suggested",
    "objective",
    "split",
    "mean",
    "seed_low",
    "seed_high",
    "row_error",
    "low",
    "high",
    "gain",
    "gain_low",
    "gain_high",
    "p_value",
    "p_adjusted",
    "told_apart",
]


def confirmed_frame(study: Study) -> pd.DataFrame:
    """One row a confirmed model, task objective and split (`valid`, `test`), in native units.

    `kind` is `candidate`, `reference`, `default` or `outside`, by the first that holds; `number` is
    missing for the outside. `seed_low` and `seed_high` hold the rows fixed, `low` and `high`
    nothing; `gain` (+ is better) is over the single_task reference with its interval, on test rows
    only. What is not known is NaN. No row where nothing was confirmed.
    """
    confirmation = study.confirmation()
    rows = [] if confirmation is None else _rows(study, confirmation)
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(study: Study, confirmation: Confirmation) -> list[dict[str, object]]:
    knee = confirmed_knee(confirmation, study.objectives)
    return [
        {
            "trial": model.id,
            "number": model.trial,
            "model": model.name,
            "family": model.family,
            "kind": _kind(model),
            "is_suggested": model is knee,
            "objective": name,
            "split": split,
            "mean": measure.mean,
            "seed_low": measure.seed_low,
            "seed_high": measure.seed_high,
            "row_error": measure.row_error,
            "low": measure.low,
            "high": measure.high,
            **_gain(measure.versus_reference),
        }
        for model in confirmation.models
        for split, measures in (("valid", model.valid), ("test", model.test))
        for name, measure in measures.items()
    ]


def _gain(versus: Versus | None) -> dict[str, object]:
    if versus is None:
        return {"told_apart": False}
    return {
        "gain": versus.difference,
        "gain_low": versus.low,
        "gain_high": versus.high,
        "p_value": versus.p_value,
        "p_adjusted": versus.p_adjusted,
        "told_apart": versus.is_told_apart,
    }


def _kind(model: ConfirmedModel) -> str:
    if model.trial is None:
        return "outside"
    if model.is_candidate:
        return "candidate"
    return "reference" if model.is_reference else "default"
