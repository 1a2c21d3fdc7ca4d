"""What sharing brought each task, from the search alone: gains over the single_task reference.

One seed a trial, so nothing here says how far a gain is from luck: `low` and `high` are NaN until
trials are trained again with other seeds.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pandas as pd

from automtl.analysis import text
from automtl.analysis.marks import Marks
from automtl.config import FAMILIES, Objective

if TYPE_CHECKING:
    from automtl.study import Study

__all__ = [
    "NOISE_SHARE",
    "OUTCOMES",
    "family_gains_frame",
    "loss_weights_frame",
    "seesaw_frame",
    "transfer_frame",
]

# of the reference's value: a smaller gain is taken for luck. A guess (0.15 points of an AUC of
# 0.73), since one seed a trial does not tell its noise
NOISE_SHARE = 0.002
OUTCOMES = (
    "both up",
    "first up, second down",
    "second up, first down",
    "both down",
    "within noise",
)
_INTERVAL = ["low", "high"]


def transfer_frame(study: Study) -> pd.DataFrame:
    """One row a complete trial but the reference and task objective: `gain` over the reference,
    + is better, in native units, with `low` and `high`, which one seed cannot give. No row without
    a reference.
    """
    marks = Marks.of(study)
    by_name = {one.name: one for one in study.objectives}
    rows = [
        {
            "trial": record.id,
            "number": record.number,
            "family": record.config.model.family,
            "model": text.model_name(record.config),
            "task": by_name[name].task,
            "objective": name,
            "gain": gain,
            "low": float("nan"),
            "high": float("nan"),
        }
        for record in study.trials()
        if record.state == "complete" and not marks.is_reference(record)
        for name, gain in study.gains(record).items()
    ]
    names = ["trial", "number", "family", "model", "task", "objective", "gain", *_INTERVAL]
    return pd.DataFrame(rows, columns=names)


def family_gains_frame(transfer: pd.DataFrame) -> pd.DataFrame:
    """One row a family and objective, families in the order of the ladder: `num_trials`, the
    `median` and the `best` gain with its trial (`best_trial`), and the interval of the best."""
    rows = []
    for family, objective in itertools.product(FAMILIES, transfer["objective"].unique()):
        own = transfer[(transfer["family"] == family) & (transfer["objective"] == objective)]
        if len(own):
            best = own.loc[own["gain"].idxmax()]
            rows.append(
                (
                    family,
                    objective,
                    len(own),
                    own["gain"].median(),
                    best["gain"],
                    best["trial"],
                    best["low"],
                    best["high"],
                )
            )
    columns = ["family", "objective", "num_trials", "median", "best", "best_trial"]
    return pd.DataFrame(rows, columns=[*columns, *_INTERVAL])


def seesaw_frame(
    study: Study, transfer: pd.DataFrame, *, noise_share: float = NOISE_SHARE
) -> pd.DataFrame:
    """One row a family, pair of tasks and outcome: how many complete trials, and their `share`.

    A task goes up or down if its gain (in its first objective) is more than `noise_share` of the
    reference's value; if one of the two does neither, the trial is "within noise". `first` and
    `second` are the objectives. All OUTCOMES have a row, with 0 trials too; none without a gain.
    `transfer` is `transfer_frame(study)`.
    """
    columns = ["family", "first", "second", "outcome", "num_trials", "share"]
    reference = study.reference()
    if reference is None or reference.values is None or not len(transfer):
        return pd.DataFrame(columns=columns)
    noise = {name: noise_share * abs(value) for name, value in reference.values.items()}
    wide = transfer.pivot_table(index=["number", "family"], columns="objective", values="gain")
    rows = []
    for first, second in itertools.combinations(_one_a_task(study), 2):
        pairs = wide[[first.name, second.name]].reset_index()
        outcomes = [
            _outcome(a / noise[first.name], b / noise[second.name])
            if noise[first.name] and noise[second.name]
            else "within noise"
            for a, b in zip(pairs[first.name], pairs[second.name], strict=True)
        ]
        for family in (one for one in FAMILIES if (pairs["family"] == one).any()):
            own = [
                outcome
                for outcome, of in zip(outcomes, pairs["family"], strict=True)
                if of == family
            ]
            rows += [
                (
                    family,
                    first.name,
                    second.name,
                    outcome,
                    own.count(outcome),
                    own.count(outcome) / len(own),
                )
                for outcome in OUTCOMES
            ]
    return pd.DataFrame(rows, columns=columns)


def loss_weights_frame(study: Study, transfer: pd.DataFrame) -> pd.DataFrame:
    """One row a complete trial, task whose loss weight was searched, and task objective: the
    `weight` and the `gain`. Trials that learn their weights have none and no row. `transfer` is
    `transfer_frame(study)`."""
    gains = transfer.drop(columns=["task"])
    prefix = "loss_weights."
    weights = pd.DataFrame(
        [
            (record.number, name.removeprefix(prefix), float(value))
            for record in study.trials()
            for name, value in record.params.items()
            if name.startswith(prefix) and record.state == "complete"
        ],
        columns=["number", "weighted", "weight"],
    )
    return weights.merge(gains, on="number")


def _one_a_task(study: Study) -> list[Objective]:
    """The first objective of each task, in the order of the spec."""
    found: dict[str, Objective] = {}
    for objective in study.objectives:
        if objective.task is not None:
            found.setdefault(objective.task, objective)
    return list(found.values())


def _outcome(first: float, second: float) -> str:
    """Of two gains in units of the noise."""
    if min(abs(first), abs(second)) <= 1:
        return "within noise"
    if (first > 0) == (second > 0):
        return "both up" if first > 0 else "both down"
    return "first up, second down" if first > 0 else "second up, first down"
