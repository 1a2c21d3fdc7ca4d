"""Metrics of predictions against labels, exact and over all rows at once.

Shapes: N rows, K tasks.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from automtl.config import TaskSchema
from automtl.models.dependency import joint_labels
from automtl.models.model import joint_name

__all__ = ["auc", "evaluate", "log_loss"]

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
    joint_NK = joint_labels(labels_NK, tasks)
    for column, task in enumerate(tasks):
        observed_N = ~np.isnan(labels_NK[:, column])
        labels_N = labels_NK[observed_N, column]
        scores_N = predictions[task.name][observed_N]
        if task.kind == "regression":
            error_N = scores_N.astype(np.float64) - labels_N
            metrics[f"{task.name}.mae"] = float(np.mean(np.abs(error_N)))
            metrics[f"{task.name}.rmse"] = float(np.sqrt(np.mean(error_N**2)))
            continue
        metrics[f"{task.name}.auc"] = auc(labels_N, scores_N)
        metrics[f"{task.name}.logloss"] = log_loss(labels_N, scores_N)
        if task.given is not None:
            known_N = ~np.isnan(joint_NK[:, column])
            scores_N = predictions[joint_name(task.name)][known_N]
            metrics[f"{task.name}.joint_auc"] = auc(joint_NK[known_N, column], scores_N)
            metrics[f"{task.name}.joint_logloss"] = log_loss(joint_NK[known_N, column], scores_N)
    return metrics
