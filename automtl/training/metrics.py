"""Metrics of predictions against labels, exact and over all rows at once.

Shapes: N rows, K tasks, J rows of one case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automtl.config import TaskSchema
from automtl.models.dependency import joint_labels
from automtl.models.model import joint_name

__all__ = ["AucCase", "auc", "auc_cases", "evaluate", "log_loss"]

Floats = NDArray[np.float32] | NDArray[np.float64]
SMALLEST_PROBABILITY = 1e-7


def auc(labels_N: Floats, scores_N: Floats) -> float:
    """The area under the ROC curve: P(a positive scores higher), ties count one half.

    The Mann-Whitney statistic over mid-ranks, so exact. NaN where all labels are alike.
    """
    num_positive = float(np.sum(labels_N, dtype=np.float64))
    num_negative = len(labels_N) - num_positive
    if num_positive == 0 or num_negative == 0:
        return float("nan")
    order_N = np.argsort(scores_N)
    sorted_N = scores_N[order_N]
    starts_M = np.flatnonzero(np.concatenate(([True], sorted_N[1:] != sorted_N[:-1])))
    ends_M = np.append(starts_M[1:], len(sorted_N))
    positives_M = np.add.reduceat(labels_N[order_N].astype(np.float64), starts_M)
    mid_ranks_M = (starts_M + ends_M + 1) / 2
    rank_sum = float(positives_M @ mid_ranks_M)
    return (rank_sum - num_positive * (num_positive + 1) / 2) / (num_positive * num_negative)


def log_loss(labels_N: Floats, probabilities_N: Floats) -> float:
    """The mean negative log likelihood in nats; probabilities are kept 1e-7 away from 0 and 1."""
    p_N = np.clip(
        probabilities_N.astype(np.float64), SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY
    )
    return float(-np.mean(labels_N * np.log(p_N) + (1 - labels_N) * np.log1p(-p_N)))


@dataclass(frozen=True, slots=True, kw_only=True)
class AucCase:
    """One AUC that a task has: `click.auc`, `long_view.auc` (after a click), `long_view.joint_auc`.

    `prediction` is its key in the predictions, `rows_J` the rows it is over.
    """

    name: str
    space: str
    prediction: str
    rows_J: NDArray[np.int64]
    labels_J: NDArray[np.float32]


def auc_cases(labels_NK: NDArray[np.float32], tasks: tuple[TaskSchema, ...]) -> list[AucCase]:
    """The AUCs of the binary tasks, a conditional one after its condition and over all rows."""
    joint_NK = joint_labels(labels_NK, tasks)
    cases: list[AucCase] = []
    for column, task in enumerate(tasks):
        if task.kind != "binary":
            continue
        space = "all rows" if task.given is None else f"rows with {task.given} = 1"
        cases.append(_case(f"{task.name}.auc", space, task.name, labels_NK[:, column]))
        if task.given is not None:
            name, key = f"{task.name}.joint_auc", joint_name(task.name)
            cases.append(_case(name, "all rows", key, joint_NK[:, column]))
    return cases


def evaluate(
    predictions: Mapping[str, NDArray[np.float32]],
    labels_NK: NDArray[np.float32],
    tasks: tuple[TaskSchema, ...],
) -> dict[str, float]:
    """All metrics of all tasks, by objective name (`click.auc`).

    A task's own metrics are over the rows where its label is observed (for a conditional task:
    where its condition holds); `joint_*` over all impressions.
    """
    metrics: dict[str, float] = {}
    for case in auc_cases(labels_NK, tasks):
        scores_J = predictions[case.prediction][case.rows_J]
        metrics[case.name] = auc(case.labels_J, scores_J)
        metrics[f"{case.name.removesuffix('auc')}logloss"] = log_loss(case.labels_J, scores_J)
    for column, task in enumerate(tasks):
        if task.kind == "regression":
            observed_N = ~np.isnan(labels_NK[:, column])
            scores_J = predictions[task.name][observed_N]
            error_J = scores_J.astype(np.float64) - labels_NK[observed_N, column]
            metrics[f"{task.name}.mae"] = float(np.mean(np.abs(error_J)))
            metrics[f"{task.name}.rmse"] = float(np.sqrt(np.mean(error_J**2)))
    return metrics


def _case(name: str, space: str, prediction: str, labels_N: NDArray[np.float32]) -> AucCase:
    rows_J = np.flatnonzero(~np.isnan(labels_N))
    return AucCase(
        name=name, space=space, prediction=prediction, rows_J=rows_J, labels_J=labels_N[rows_J]
    )
