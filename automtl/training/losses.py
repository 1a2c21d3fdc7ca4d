"""The loss of all tasks: masked, weighted, over click space (`none`) or all impressions (`esmm`).

L(t) = Σ_k ω_k(t) Σ_i w_k^i δ_k^i ℓ_k(x_i) / Σ_i w_k^i δ_k^i, δ = 1 where task k's label is observed
(MTCNN: Zhang et al. 2016; PLE: Tang et al. 2020, eq. 9-10), w the row's weight, 1 without. A task
without an observed label, or with weights of 0 only, in the batch contributes 0.

Shapes: B rows, K tasks.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, huber_loss

from automtl.config import TaskSchema, TrialConfig
from automtl.models.dependency import joint_labels, joint_log_probs, parents_of

__all__ = ["MultiTaskLoss", "task_targets"]

LogScale = Callable[[TaskSchema], Tensor]


def task_targets(
    labels_NK: NDArray[np.float32], tasks: tuple[TaskSchema, ...], *, dependency: str
) -> NDArray[np.float32]:
    """What the loss compares with, NaN where nothing is observed.

    Binary labels: after their condition, or over all impressions for `esmm`. Regression labels
    (their logarithm for lognormal) are standardised by the train rows' mean and deviation.
    """
    targets_NK = np.array(labels_NK if dependency == "none" else joint_labels(labels_NK, tasks))
    for column, task in enumerate(tasks):
        if task.kind == "regression":
            values_N = targets_NK[:, column]
            values_N = np.log(values_N) if task.loss == "lognormal" else values_N
            targets_NK[:, column] = (values_N - task.mean) / task.std
    return targets_NK


class MultiTaskLoss(nn.Module):
    """Logits and targets of a batch -> one scalar.

    Weighting: `fixed` ω_k; `decay` ω_k γ_k^t with t in epochs (PLE, eq. 10); `uncertainty`, where
    s_k = log σ_k² is learned and L = Σ_k e^{-s_k} L_k + s_k / 2 (half the first term for
    regression; Kendall et al., CVPR 2018, eq. 10) and ω_k does not apply.
    """

    weight_K: Tensor
    decay_K: Tensor
    kind_factor_K: Tensor

    def __init__(
        self,
        config: TrialConfig,
        tasks: tuple[TaskSchema, ...],
        *,
        log_scale: LogScale | None = None,
    ) -> None:
        super().__init__()
        train = config.train
        self.tasks = tasks
        self.weighting = train.weighting
        self.parents = parents_of(tasks)
        self.is_joint = config.model.dependency == "esmm"
        self._log_scale = log_scale

        def per_task(values: dict[str, float]) -> Tensor:
            return torch.tensor([values.get(task.name, 1.0) for task in tasks])

        self.register_buffer("weight_K", per_task(dict(train.loss_weights)))
        self.register_buffer("decay_K", per_task(dict(train.loss_decay)))
        self.log_variance_K = (
            nn.Parameter(torch.zeros(len(tasks))) if train.weighting == "uncertainty" else None
        )
        halves = [0.5 if task.kind == "regression" else 1.0 for task in tasks]
        self.register_buffer("kind_factor_K", torch.tensor(halves))

    def forward(
        self,
        logits_BK: Tensor,
        targets_BK: Tensor,
        weights_BK: Tensor | None = None,
        *,
        epochs: float | Tensor,
    ) -> Tensor:
        """[B, K] each (target NaN: not observed; no weights: all 1), `epochs` trained so far -> a
        scalar."""
        loss_K = self.per_task(logits_BK, targets_BK, weights_BK)
        if self.log_variance_K is not None:
            precision_K = torch.exp(-self.log_variance_K) * self.kind_factor_K
            return (precision_K * loss_K + self.log_variance_K / 2).sum()
        weight_K = self.weight_K
        if self.weighting == "decay":
            weight_K = weight_K * self.decay_K**epochs
        return (weight_K * loss_K).sum()

    def per_task(
        self, logits_BK: Tensor, targets_BK: Tensor, weights_BK: Tensor | None = None
    ) -> Tensor:
        """The weighted mean loss of each task over its observed rows, [K]; 0 where none counts."""
        observed_BK = ~torch.isnan(targets_BK)
        target_BK = torch.where(observed_BK, targets_BK, 0.0)
        loss_BK = self._elementwise(logits_BK.float(), target_BK)
        loss_BK = torch.where(observed_BK, loss_BK, 0.0)
        if weights_BK is None:
            return loss_BK.sum(0) / observed_BK.sum(0).clamp(min=1)
        weight_BK = torch.where(observed_BK, weights_BK, 0.0)
        total_K = weight_BK.sum(0)
        return (weight_BK * loss_BK).sum(0) / torch.where(total_K > 0, total_K, 1.0)

    def _elementwise(self, logits_BK: Tensor, target_BK: Tensor) -> Tensor:
        if self.is_joint:
            log_p_BK, log_not_BK = joint_log_probs(logits_BK, self.parents)
            loss_BK = -(target_BK * log_p_BK + (1 - target_BK) * log_not_BK)
        else:
            loss_BK = binary_cross_entropy_with_logits(logits_BK, target_BK, reduction="none")
        if all(task.kind == "binary" for task in self.tasks):
            return loss_BK
        columns = list(loss_BK.unbind(1))
        for column, task in enumerate(self.tasks):
            if task.kind == "regression":
                columns[column] = self._regression(logits_BK[:, column], target_BK[:, column], task)
        return torch.stack(columns, 1)

    def _regression(self, value_B: Tensor, target_B: Tensor, task: TaskSchema) -> Tensor:
        match task.loss:
            case "huber":
                return huber_loss(value_B, target_B, reduction="none")
            case "lognormal":  # -log N(target; value, σ) up to a constant
                assert self._log_scale is not None
                log_scale = self._log_scale(task)
                return 0.5 * ((target_B - value_B) * torch.exp(-log_scale)) ** 2 + log_scale
            case _:
                return (value_B - target_B) ** 2
