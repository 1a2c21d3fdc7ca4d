"""How one task's label depends on another's: chains of conditions, and ESMM's products.

Source: Ma et al., "Entire Space Multi-Task Model", SIGIR 2018: pCTCVR = pCTR * pCVR.

Shapes: B rows, K tasks. `parents[k]` is the column of the task that task k is given, or -1.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import logsigmoid

from automtl.config import TaskSchema

__all__ = ["chain_order", "joint_labels", "joint_log_probs", "parents_of"]


def parents_of(tasks: tuple[TaskSchema, ...]) -> tuple[int, ...]:
    """The column of each task's condition, -1 for a task without one."""
    columns = {task.name: column for column, task in enumerate(tasks)}
    return tuple(-1 if task.given is None else columns[task.given] for task in tasks)


def chain_order(parents: tuple[int, ...]) -> tuple[int, ...]:
    """The conditional columns, each after the column that it is given."""
    done = {column for column, parent in enumerate(parents) if parent < 0}
    order: list[int] = []
    while len(done) < len(parents):
        ready = [
            column for column, parent in enumerate(parents) if column not in done and parent in done
        ]
        assert ready, "a cycle of conditions: the spec layer lets none through"
        order += ready
        done.update(ready)
    return tuple(order)


def joint_log_probs(logits_BK: Tensor, parents: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Conditional logits -> (log p, log(1 - p)) of each task AND all its conditions, [B, K] each.

    Stable for any logits: log p = log σ(a) + log σ(b) along the chain, and
    log(1 - p) = logaddexp(log(1 - p_parent), log p_parent + log σ(-b)).
    """
    log_p = list(logsigmoid(logits_BK).unbind(1))
    log_not = list(logsigmoid(-logits_BK).unbind(1))
    for column in chain_order(parents):
        parent = parents[column]
        log_not[column] = torch.logaddexp(log_not[parent], log_p[parent] + log_not[column])
        log_p[column] = log_p[parent] + log_p[column]
    return torch.stack(log_p, 1), torch.stack(log_not, 1)


def joint_labels(
    labels_NK: NDArray[np.float32], tasks: tuple[TaskSchema, ...]
) -> NDArray[np.float32]:
    """Labels masked to their conditions (NaN = not observed) -> labels over all impressions.

    A binary task whose condition is 0 is 0; whose condition is unknown, unknown. A regression
    task stays as it is: its value without its condition is not zero, it does not exist.
    """
    joint_NK = np.array(labels_NK, dtype=np.float32)
    parents = parents_of(tasks)
    for column in chain_order(parents):
        if tasks[column].kind == "binary":
            condition_N = joint_NK[:, parents[column]]
            joint_NK[:, column] = np.where(condition_N == 0, 0.0, condition_N * joint_NK[:, column])
    return joint_NK
