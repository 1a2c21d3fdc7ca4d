"""The section on transfer: what sharing brought each task, from the search alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from automtl.analysis.transfer import (
    NOISE_SHARE,
    OUTCOMES,
    family_gains_frame,
    loss_weights_frame,
    seesaw_frame,
    transfer_frame,
)
from automtl.report.gains import (
    family_gains_figure,
    loss_weights_figure,
    outcome_name,
    seesaw_figure,
)
from automtl.report.sections.parts import Plot, plot, signed, table

if TYPE_CHECKING:
    from automtl.study import Study

__all__ = ["transfer_section"]

MOST_WEIGHT_PLOTS = 6


def transfer_section(study: Study) -> dict[str, Any]:
    """The words, figures and tables of the section; empty without a gain to tell."""
    transfer = transfer_frame(study)
    if not len(transfer):
        return {}
    gains = family_gains_frame(transfer)
    objectives = list(dict.fromkeys(gains["objective"]))
    seesaw = seesaw_frame(study, transfer)
    pairs = list(dict.fromkeys(zip(seesaw["first"], seesaw["second"], strict=True)))
    weights = loss_weights_frame(study, transfer)
    return {
        "noise": f"{NOISE_SHARE:.1%}",
        "gains": [
            plot(
                f"gains-{number}",
                [family_gains_figure(gains, name)],
                label=f"Median and best gain of each family in {name}",
                title=name,
                of=[name],
            )
            for number, name in enumerate(objectives)
        ],
        "gains_table": table(
            ("family", "objective", "trials", "median", "best", "best trial"),
            (
                (
                    row.family,
                    row.objective,
                    str(row.num_trials),
                    signed(row.objective, row.median),
                    signed(row.objective, row.best),
                    row.best_trial,
                )
                for row in gains.itertuples()
            ),
            num_words=2,
        ),
        "pairs": [f"{first} and {second}" for first, second in pairs],
        "seesaw": plot(
            "seesaw",
            [seesaw_figure(seesaw, first, second) for first, second in pairs],
            label="Shares of trials in which two tasks went up, down or apart, by family",
            group="pairs",
            of=[f"{first}, {second}" for first, second in pairs],
        )
        if pairs
        else None,
        "seesaw_table": table(
            ("family", "outcome", "trials", "share"),
            (
                (
                    row.family,
                    outcome_name(row.outcome, row.first, row.second),
                    str(row.num_trials),
                    f"{row.share:.0%}",
                )
                for row in seesaw.itertuples()
                if row.num_trials
            ),
            num_words=2,
        ),
        "most_seesaw": _most(seesaw),
        "weights": [
            _weights_plot(weights, number, weighted, objective)
            for number, (weighted, objective) in enumerate(_told_weights(weights))
        ],
    }


def _told_weights(weights: pd.DataFrame) -> list[tuple[str, str]]:
    """(task, objective): what a loss weight does to its own task comes first, then to others, as
    many as a page can hold."""
    every = dict.fromkeys(zip(weights["weighted"], weights["objective"], strict=True))
    own_first = sorted(every, key=lambda pair: pair[0] != pair[1].rpartition(".")[0])
    return own_first[:MOST_WEIGHT_PLOTS]


def _weights_plot(weights: pd.DataFrame, number: int, weighted: str, objective: str) -> Plot:
    return plot(
        f"weights-{number}",
        [loss_weights_figure(weights, weighted=weighted, objective=objective)],
        label=f"Gain in {objective} over the loss weight of {weighted}, a mark a trial",
        title=f"{objective} over the loss weight of {weighted}",
        of=[f"{objective}, {weighted}"],
    )


def _most(seesaw: pd.DataFrame) -> list[str]:
    """In how many trials of all each pair of tasks went apart, in sentences."""
    told = []
    for (first, second), rows in seesaw.groupby(["first", "second"], sort=False):
        counts = rows.groupby("outcome")["num_trials"].sum()
        apart = [f"{outcome_name(one, first, second)} in {counts[one]}" for one in OUTCOMES[1:3]]
        told.append(f"{', '.join(apart)} of {counts.sum()} trials")
    return told
