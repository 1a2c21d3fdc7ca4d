"""MultiTaskModel: embeddings, extraction levels, towers; one logit a task.

Shapes: B rows, C id columns, F numeric columns, K tasks, G distinct inputs, H expert width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from automtl.config import FeatureSchema, ModelConfig, TaskSchema
from automtl.models.dependency import joint_log_probs, parents_of
from automtl.models.embedding import EmbeddingStore
from automtl.models.extraction import ExtractionLevel
from automtl.models.layers import MLPBank
from automtl.models.plan import plan_model

__all__ = ["MultiTaskModel", "joint_name"]


def joint_name(task: str) -> str:
    """The key of a conditional task's probability over all impressions: `long_view.joint`."""
    return f"{task}.joint"


class MultiTaskModel(nn.Module):
    """One architecture of the space. The dependency changes the loss, never the parameters.

    Column k of the output is task k's own logit (binary: after its condition) or its value in
    units of the label's standard deviation (regression).
    """

    def __init__(
        self,
        config: ModelConfig,
        features: FeatureSchema,
        tasks: tuple[TaskSchema, ...],
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.config, self.features, self.tasks = config, features, tasks
        plan = plan_model(config, features, num_tasks=len(tasks))
        self.embedding = EmbeddingStore(
            plan,
            pooling=config.sequence_pooling,
            dropout=config.embedding_dropout,
            generator=generator,
        )
        self.gate_slices = plan.gate_slices
        self.levels = nn.ModuleList(
            ExtractionLevel(level, dropout=config.dropout, generator=generator)
            for level in plan.levels
        )
        self.towers = MLPBank(
            plan.towers, activate=False, dropout=config.dropout, generator=generator
        )
        num_scales = sum(task.loss == "lognormal" for task in tasks)
        self.log_scales = nn.Parameter(torch.zeros(num_scales)) if num_scales else None

    def forward(self, ids_BC: Tensor, numeric_BF: Tensor) -> Tensor:
        """-> [B, K], see the class."""
        return self.trunk(self.embedding(ids_BC, numeric_BF))

    def trunk(self, x_GBE: Tensor) -> Tensor:
        """The dense part: the embedded input -> [B, K]."""
        task_GBH, shared_1BH, gate_GBX = self._inputs(x_GBE)
        for level in self.levels:
            task_GBH, shared_1BH = level(task_GBH, shared_1BH, gate_GBX)
        outputs_KB1: Tensor = self.towers(task_GBH)
        return outputs_KB1[..., 0].transpose(0, 1)

    @torch.inference_mode()
    def gates(self, ids_BC: Tensor, numeric_BF: Tensor) -> list[list[Tensor]]:
        """Level by level the weights that its gates give the experts (`ExtractionLevel.gates`).

        Runs the levels too, each on what the one below gives it; for looking, not for training.
        """
        task_GBH, shared_1BH, gate_GBX = self._inputs(self.embedding(ids_BC, numeric_BF))
        found: list[list[Tensor]] = []
        for level in self.levels:
            assert isinstance(level, ExtractionLevel)
            found.append(level.gates(task_GBH, shared_1BH, gate_GBX))
            task_GBH, shared_1BH = level(task_GBH, shared_1BH, gate_GBX)
        return found

    def _inputs(self, x_GBE: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """What the first level reads, for tasks and shared experts, and what all gates read."""
        gate_GBX = None
        if self.gate_slices:
            gate_GBX = torch.cat([x_GBE[..., start:stop] for start, stop in self.gate_slices], 2)
        return x_GBE, x_GBE if len(x_GBE) == 1 else x_GBE[:1], gate_GBX

    @property
    def device(self) -> torch.device:
        weight: Tensor = self.towers.weights[0]
        return weight.device

    def log_scale(self, task: TaskSchema) -> Tensor:
        """log σ of a lognormal task, in units of the log-label's standard deviation."""
        assert self.log_scales is not None
        names = [other.name for other in self.tasks if other.loss == "lognormal"]
        return self.log_scales[names.index(task.name)]

    @torch.inference_mode()
    def predict(self, ids_BC: Tensor, numeric_BF: Tensor) -> dict[str, Tensor]:
        """-> a [B] tensor a prediction.

        Binary: the probability after the task's condition (`long_view`: pCVR) and, for a task
        with one, over all impressions (`long_view.joint`: pCTCVR). Regression: label units (for
        lognormal the mean).
        """
        logits_BK = self(ids_BC, numeric_BF).float()
        log_joint_BK, _ = joint_log_probs(logits_BK, parents_of(self.tasks))
        outputs: dict[str, Tensor] = {}
        for column, task in enumerate(self.tasks):
            own_B = logits_BK[:, column]
            if task.kind == "regression":
                outputs[task.name] = self._in_label_units(own_B, task)
                continue
            outputs[task.name] = torch.sigmoid(own_B)
            if task.given is not None:
                outputs[joint_name(task.name)] = torch.exp(log_joint_BK[:, column])
        return outputs

    def _in_label_units(self, own_B: Tensor, task: TaskSchema) -> Tensor:
        value_B = own_B * task.std + task.mean
        if task.loss != "lognormal":
            return value_B
        variance = (self.log_scale(task).exp() * task.std) ** 2
        return torch.exp(value_B + variance / 2)
