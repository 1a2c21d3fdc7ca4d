"""Metrics of predictions against labels, exact and over all rows at once, on any device.

Shapes: N rows, K tasks, J rows of one case, M groups of rows with equal scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automtl.config import SMALLEST_PROBABILITY, Objective, TaskSchema
from automtl.models.dependency import joint_labels
from automtl.models.model import joint_name

__all__ = ["AucCase", "MetricCase", "auc", "auc_cases", "evaluate", "log_loss", "metric_case"]

Values = Tensor | NDArray[np.float32]


def auc(labels_N: Values, scores_N: Values) -> float:
    """The area under the ROC curve: P(a positive scores higher), ties count one half.

    The trapezoids between groups of equal scores, counted in integers, so exact. NaN where all
    labels are alike.
    """
    sorted_N, order_N = torch.sort(_tensor(scores_N))
    positives_N = _tensor(labels_N).index_select(0, order_N).cumsum(0, dtype=torch.int64)
    is_last_N = torch.ones_like(sorted_N, dtype=torch.bool)
    torch.ne(sorted_N[1:], sorted_N[:-1], out=is_last_N[:-1])
    last_M = is_last_N.nonzero()[:, 0]
    positives_M = positives_N.index_select(0, last_M)
    negatives_M = last_M + 1 - positives_M
    num_positive, num_negative = (int(counts[-1:].sum()) for counts in (positives_M, negatives_M))
    if num_positive == 0 or num_negative == 0:
        return float("nan")
    zero = positives_M.new_zeros(1)
    gained_M = positives_M.diff(prepend=zero)
    twice_M = negatives_M + torch.cat([zero, negatives_M[:-1]])
    return int((gained_M * twice_M).sum()) / (2 * num_positive * num_negative)


def log_loss(labels_N: Values, probabilities_N: Values) -> float:
    """The mean negative log likelihood in nats; probabilities are kept 1e-7 away from 0 and 1."""
    labels_N = _tensor(labels_N)
    p_N = _tensor(probabilities_N).double().clamp(SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    loss_N = labels_N * torch.log(p_N) + (1 - labels_N) * torch.log1p(-p_N)
    return -float(loss_N.mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricCase:
    """What a metric of a task is over: `rows_J`, their labels, and the key of the prediction."""

    prediction: str
    rows_J: NDArray[np.int64]
    labels_J: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class AucCase(MetricCase):
    """One AUC that a task has: `click.auc`, `long_view.auc` (after a click), `long_view.joint_auc`.

    `space` says in words which rows it is over.
    """

    name: str
    space: str


def metric_case(
    objective: Objective, labels_NK: NDArray[np.float32], tasks: tuple[TaskSchema, ...]
) -> MetricCase:
    """That of an objective of a task: over the rows where its label is observed, for `joint_*`
    over all impressions."""
    assert objective.task is not None
    is_joint = objective.metric.startswith("joint_")
    labels_NK = joint_labels(labels_NK, tasks) if is_joint else labels_NK
    labels_N = labels_NK[:, [task.name for task in tasks].index(objective.task)]
    rows_J, labels_J = _observed(labels_N)
    prediction = joint_name(objective.task) if is_joint else objective.task
    return MetricCase(prediction=prediction, rows_J=rows_J, labels_J=labels_J)


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
    predictions: Mapping[str, Values],
    labels_NK: NDArray[np.float32],
    tasks: tuple[TaskSchema, ...],
) -> dict[str, float]:
    """All metrics of all tasks, by objective name (`click.auc`), computed where predictions are.

    A task's own metrics are over the rows where its label is observed (for a conditional task:
    where its condition holds); `joint_*` over all impressions.
    """
    metrics: dict[str, float] = {}
    for case in auc_cases(labels_NK, tasks):
        scores_J = _at(predictions[case.prediction], case.rows_J)
        labels_J = torch.from_numpy(case.labels_J).to(scores_J.device)
        metrics[case.name] = auc(labels_J, scores_J)
        metrics[f"{case.name.removesuffix('auc')}logloss"] = log_loss(labels_J, scores_J)
    for column, task in enumerate(tasks):
        if task.kind == "regression":
            rows_J, values_J = _observed(labels_NK[:, column])
            scores_J = _at(predictions[task.name], rows_J).double()
            error_J = scores_J - torch.from_numpy(values_J).to(scores_J.device)
            metrics[f"{task.name}.mae"] = float(error_J.abs().mean())
            metrics[f"{task.name}.rmse"] = float(error_J.square().mean().sqrt())
    return metrics


def _at(values: Values, rows_J: NDArray[np.int64]) -> Tensor:
    """The given rows; all of them, in order, are the values themselves."""
    values_N = _tensor(values)
    if len(rows_J) == len(values_N):
        return values_N
    return values_N.index_select(0, torch.from_numpy(rows_J).to(values_N.device))


def _tensor(values: Values) -> Tensor:
    """An array's memory as a tensor; a copy where it is not ours to write to, as torch asks."""
    if isinstance(values, Tensor):
        return values
    return torch.from_numpy(np.require(values, requirements="W"))


def _case(name: str, space: str, prediction: str, labels_N: NDArray[np.float32]) -> AucCase:
    rows_J, labels_J = _observed(labels_N)
    return AucCase(name=name, space=space, prediction=prediction, rows_J=rows_J, labels_J=labels_J)


def _observed(
    labels_N: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The rows that have a label, and their labels."""
    rows_J = np.flatnonzero(~np.isnan(labels_N))
    return rows_J, labels_N[rows_J]
