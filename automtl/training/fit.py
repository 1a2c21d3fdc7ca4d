"""Train one TrialConfig: steps to the next evaluation, an Evaluation, and so on to the last.

Shapes: N rows, B rows of a batch, C id columns, F numeric columns, K tasks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automtl.config import Evaluation, TrialConfig
from automtl.data.cache import EncodedData, Rows
from automtl.errors import TrialFailedError
from automtl.models.cost import costs
from automtl.models.model import MultiTaskModel
from automtl.training.batches import Batches, resolve_device
from automtl.training.losses import MultiTaskLoss, task_targets
from automtl.training.metrics import evaluate
from automtl.training.optim import build_optimizers, step

__all__ = ["Trainer", "evaluation_epochs", "predict_rows"]

REDUCTION = 3.0  # each evaluation comes after this times the examples of the one before
STEPS_BETWEEN_CHECKS = 50  # of the loss for NaN: a check waits for the device
PREDICT_BATCH_SIZE = 8192


def evaluation_epochs(epochs: float, num_evaluations: int) -> tuple[float, ...]:
    """Where a trial of `epochs` is evaluated: at its end and at 1/3, 1/9, … of it."""
    return tuple(epochs / REDUCTION**power for power in reversed(range(num_evaluations)))


class Trainer:
    """One trial in this process. The same seed gives the same numbers on the same device."""

    def __init__(
        self,
        config: TrialConfig,
        data: EncodedData,
        *,
        seed: int,
        device: str = "auto",
        num_evaluations: int = 3,
    ) -> None:
        self.config, self.data, self.seed = config, data, seed
        self.device = resolve_device(device)
        self.num_evaluations = num_evaluations
        generator = torch.Generator().manual_seed(seed)
        self.model = MultiTaskModel(
            config.model, data.features, data.tasks, generator=generator
        ).to(self.device)
        self.loss = MultiTaskLoss(config, data.tasks, log_scale=self.model.log_scale).to(
            self.device
        )
        self.optimizers = build_optimizers(config.train, self.model, self.loss)
        self.costs = costs(config.model, data.features, data.tasks)

    def run(self) -> Iterator[Evaluation]:
        """Yields after each evaluation on validation rows; whoever iterates may stop early.

        Raises TrialFailedError where the loss is no longer finite.
        """
        rows = self.data.rows("train")
        targets_NK = task_targets(
            rows.labels_NK, self.data.tasks, dependency=self.config.model.dependency
        )
        batches = Batches(rows.ids_NC, rows.numeric_NF, targets_NK, device=self.device)
        batch_size = min(self.config.train.batch_size, batches.num_rows)
        stream = batches.shuffled(batch_size, np.random.default_rng(self.seed))
        started, done = time.perf_counter(), 0
        for epochs in evaluation_epochs(self.config.train.epochs, self.num_evaluations):
            target = max(1, done, math.ceil(epochs * batches.num_rows / batch_size))
            self._train(stream, first_step=done, end_step=target, num_rows=batches.num_rows)
            done = target
            yield Evaluation(
                epochs=epochs,
                examples=done * batch_size,
                wall_s=time.perf_counter() - started,
                metrics=self.evaluate("valid"),
            )

    def evaluate(self, split: str) -> dict[str, float]:
        """All metrics on the rows of `split`, and the model's costs."""
        rows = self.data.rows(split)
        predictions = predict_rows(self.model, rows)
        return evaluate(predictions, np.asarray(rows.labels_NK), self.data.tasks) | self.costs

    def _train(
        self, stream: Iterator[list[Tensor]], *, first_step: int, end_step: int, num_rows: int
    ) -> None:
        """Steps `first_step` up to, not including, `end_step`."""
        self.model.train()
        with torch.random.fork_rng(devices=self._cuda_devices()):
            torch.manual_seed(self.seed + first_step)  # dropout reads the global generator
            for number in range(first_step, end_step):
                ids_BC, numeric_BF, targets_BK = next(stream)
                epochs = number * len(ids_BC) / num_rows
                loss: Tensor = self.loss(self.model(ids_BC, numeric_BF), targets_BK, epochs=epochs)
                step(self.optimizers, loss)
                if number % STEPS_BETWEEN_CHECKS == 0 or number == end_step - 1:
                    _check_finite(loss, number)

    def _cuda_devices(self) -> list[torch.device]:
        return [self.device] if self.device.type == "cuda" else []


def _check_finite(loss: Tensor, number: int) -> None:
    value = float(loss.detach())
    if not math.isfinite(value):
        raise TrialFailedError(
            f"the loss is {value} at step {number + 1}; a lower lr or embedding_lr may help"
        )


def predict_rows(
    model: MultiTaskModel, rows: Rows, *, batch_size: int = PREDICT_BATCH_SIZE
) -> dict[str, NDArray[np.float32]]:
    """Predictions for all rows, in their order, named as by `MultiTaskModel.predict`."""
    device = model.embedding.weight.device
    model.eval()
    batches = Batches(rows.ids_NC, rows.numeric_NF, device=device)
    parts = [model.predict(ids, numeric) for ids, numeric in batches.in_order(batch_size)]
    return {name: torch.cat([part[name] for part in parts]).cpu().numpy() for name in parts[0]}
