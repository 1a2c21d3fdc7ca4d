"""The loss of the zoo's models, for training loops of one's own.

Shapes: B rows, K tasks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from automtl.config import TrainConfig, TrialConfig
from automtl.data.labels import after_conditions
from automtl.errors import SchemaError
from automtl.models.model import MultiTaskModel
from automtl.training.losses import MultiTaskLoss, task_targets

__all__ = ["task_losses"]


def task_losses(
    model: MultiTaskModel, logits: Tensor, labels: Tensor, weights: Tensor | None = None
) -> Tensor:
    """The mean loss of each task, [K]: what a search minimises the weighted sum of.

    `logits` are `model(ids, numeric)`, `labels` [B, K] the labels as they are, NaN where one is
    unknown; `weights` [B, K] say how much each counts. A task with a condition learns from the rows
    where its condition's label is 1, whatever its own label says elsewhere. With
    `dependency="esmm"` a binary one learns from all rows instead: its loss is that of the product
    along its conditions (pCTR · pCVR against click & conversion). Regression labels are in units of
    their standard deviation. A task without an observed label contributes 0.

    Raises SchemaError where the shapes differ.

        loss = automtl.task_losses(model, model(ids, numeric), labels).sum()
    """
    for name, given in {"labels": labels, "weights": weights}.items():
        if given is not None and given.shape != logits.shape:
            raise SchemaError(
                f"task_losses: {name} are {list(given.shape)}, logits {list(logits.shape)}; "
                "give a row a row, and a column a task"
            )
    config = TrialConfig(model=model.config, train=TrainConfig())
    observed_BK = after_conditions(labels.detach().float().cpu().numpy(), model.tasks)
    targets_BK = task_targets(observed_BK, model.tasks, dependency=model.config.dependency)
    loss = MultiTaskLoss(config, model.tasks, log_scale=model.log_scale)
    return loss.per_task(logits, torch.from_numpy(targets_BK).to(logits.device), weights)
