"""Train one TrialConfig: steps to the next evaluation, an Evaluation, and so on to the last.

Shapes: N rows, B rows of a batch, C id columns, F numeric columns, K tasks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automtl.config import Evaluation, FeatureSchema, Precision, TaskSchema, TrialConfig
from automtl.data.cache import Rows
from automtl.errors import TrialFailedError
from automtl.models.cost import costs
from automtl.models.model import MultiTaskModel
from automtl.models.plan import plan_model
from automtl.records import evaluation_epochs
from automtl.training.batches import Batches, resolve_device
from automtl.training.latency import latency_ms
from automtl.training.losses import MultiTaskLoss, task_targets
from automtl.training.memory import check_fits, is_out_of_memory, peak_bytes
from automtl.training.metrics import evaluate
from automtl.training.precision import autocast, resolve_precision
from automtl.training.step import Stepper

__all__ = ["Trainer", "TrainingData", "predict_rows"]

STEPS_BETWEEN_CHECKS = 50  # of the loss for NaN: a check waits for the device
PREDICT_BATCH_SIZE = 2048  # activations of more rows leave the processor's cache


class TrainingData(Protocol):
    """The rows that a trial reads, from a cache (`EncodedData`) or from memory."""

    @property
    def features(self) -> FeatureSchema: ...
    @property
    def tasks(self) -> tuple[TaskSchema, ...]: ...
    def rows(self, split: str) -> Rows:
        """The rows of `train` or `valid`."""


class Trainer:
    """One trial in this process. The same seed gives the same numbers on the same device.

    It is evaluated at `rungs` (epochs, rising) and at its end. `notes` says, in sentences, what
    was done otherwise than asked. `on_step` is told, before each step and each evaluation, how
    many steps are done and how many there are in all. Raises TrialFailedError where the model
    cannot fit the memory that is free.
    """

    def __init__(
        self,
        config: TrialConfig,
        data: TrainingData,
        *,
        seed: int,
        device: str = "auto",
        rungs: Sequence[float] = (),
        precision: Precision = "auto",
        on_step: Callable[[int, int], None] | None = None,
    ) -> None:
        self.config, self.data, self.seed = config, data, seed
        self.device = resolve_device(device)
        self.rungs = tuple(rungs)
        self._on_step = on_step or _nothing
        self.notes: list[str] = []
        self.precision, why = resolve_precision(precision, self.device)
        if (precision, self.precision) == ("auto", "bf16"):
            self.notes.append(f"precision bf16 ({why})")
        self.costs = costs(config.model, data.features, data.tasks)
        plan = plan_model(config.model, data.features, num_tasks=len(data.tasks))
        check_fits(config, plan, self.device)
        self.model = self._build()

    def run(self) -> Iterator[Evaluation]:
        """Yields after each evaluation on validation rows; whoever iterates may stop early.

        Out of memory before the first evaluation half the batch is tried, once. Raises
        TrialFailedError where that does not help, or the loss is no longer finite.
        """
        batch_size, seen = self._batch_size(), 0
        try:
            for evaluation in self._run(batch_size):
                seen += 1
                yield evaluation
            return
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if seen or batch_size < 2:
                raise self._out_of_memory(batch_size) from error
        half = batch_size // 2
        self._note(f"out of memory at batch_size {batch_size}: trained with {half}")
        try:
            del self.model  # or there would be two of them
            self.model = self._build()
            yield from self._run(half)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise self._out_of_memory(half) from error

    def measure_latency(self, batch_size: int) -> Evaluation:
        """Measures `latency_ms` of the built model; it is among the costs of every evaluation
        from then on. What it returns is no evaluation yet (epochs 0), but all costs."""
        rows = self.data.rows("valid")
        self.costs["latency_ms"] = latency_ms(
            self.model, rows, batch_size=batch_size, precision=self.precision
        )
        return Evaluation(
            epochs=0.0,
            examples=0,
            wall_s=0.0,
            metrics=dict(self.costs),
            notes=tuple(self.notes),
            device=self.device.type,
        )

    def predict(self, split: str) -> dict[str, NDArray[np.float32]]:
        """Predictions for the rows of `split`, by the names of `MultiTaskModel.predict`."""
        with autocast(self.precision, self.device):
            return predict_rows(self.model, self.data.rows(split))

    def evaluate(self, split: str) -> dict[str, float]:
        """All metrics on the rows of `split`, and the model's costs."""
        rows = self.data.rows(split)
        with autocast(self.precision, self.device):
            predictions = _predict(self.model, rows, PREDICT_BATCH_SIZE)
        return evaluate(predictions, np.asarray(rows.labels_NK), self.data.tasks) | self.costs

    def _build(self) -> MultiTaskModel:
        generator = torch.Generator().manual_seed(self.seed)
        model = MultiTaskModel(
            self.config.model, self.data.features, self.data.tasks, generator=generator
        )
        return model.to(self.device)

    def _batch_size(self) -> int:
        """The one asked for, or all train rows where there are fewer."""
        asked, num_rows = self.config.train.batch_size, len(self.data.rows("train"))
        if asked > num_rows:
            self._note(
                f"batch_size {asked} is more than the {num_rows} train rows: every batch is all of"
                " them"
            )
        return min(asked, num_rows)

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _run(self, batch_size: int) -> Iterator[Evaluation]:
        rows = self.data.rows("train")
        dependency = self.config.model.dependency
        targets_NK = task_targets(rows.labels_NK, self.data.tasks, dependency=dependency)
        weights = [] if rows.weights_NK is None else [rows.weights_NK]
        batches = Batches(rows.ids_NC, rows.numeric_NF, targets_NK, *weights, device=self.device)
        if batches.placed == "streamed":
            self._note(
                f"the rows ({batches.num_bytes / 1e9:.1f} GB) take more than a quarter of the"
                " device's free memory: batches are copied there one by one"
            )
        loss = MultiTaskLoss(self.config, self.data.tasks, log_scale=self.model.log_scale)
        stepper = Stepper(
            self.config.train, self.model, loss.to(self.device), precision=self.precision
        )
        stream = batches.shuffled(batch_size, np.random.default_rng(self.seed))
        started, done = time.perf_counter(), 0
        evaluated = evaluation_epochs(self.config.train.epochs, self.rungs)
        ends = [max(1, math.ceil(epochs * batches.num_rows / batch_size)) for epochs in evaluated]
        for epochs, end in zip(evaluated, ends, strict=True):
            self._train(
                stepper,
                stream,
                steps=range(done, end),
                on_step=lambda step: self._on_step(step, ends[-1]),
                num_rows=batches.num_rows,
            )
            done = end
            self._on_step(done, ends[-1])
            yield Evaluation(
                epochs=epochs,
                examples=done * batch_size,
                wall_s=time.perf_counter() - started,
                metrics=self.evaluate("valid"),
                notes=tuple(self.notes),
                device=self.device.type,
            )

    def _train(
        self,
        stepper: Stepper,
        stream: Iterator[list[Tensor]],
        *,
        steps: range,
        on_step: Callable[[int], None],
        num_rows: int,
    ) -> None:
        self.model.train()
        with torch.random.fork_rng(devices=self._cuda_devices()):
            torch.manual_seed(self.seed + steps.start)  # dropout reads the global generator
            for number in steps:
                on_step(number)
                batch = next(stream)
                loss = stepper.step(*batch, epochs=number * len(batch[0]) / num_rows)
                if number % STEPS_BETWEEN_CHECKS == 0 or number == steps.stop - 1:
                    _check_finite(loss, number)

    def _cuda_devices(self) -> list[torch.device]:
        return [self.device] if self.device.type == "cuda" else []

    def _out_of_memory(self, batch_size: int) -> TrialFailedError:
        peak = peak_bytes(self.device)
        return TrialFailedError(
            f"out of memory on {self.device} at batch_size {batch_size}, after"
            f" {peak / 1e9:.1f} GB; a smaller batch_size, embedding_dim or expert_dims needs less"
        )


def _nothing(step: int, num_steps: int) -> None:
    pass


def _check_finite(loss: Tensor, number: int) -> None:
    value = float(loss)
    if not math.isfinite(value):
        raise TrialFailedError(
            f"the loss is {value} at step {number + 1}; a lower lr or embedding_lr may help"
        )


def predict_rows(
    model: MultiTaskModel, rows: Rows, *, batch_size: int = PREDICT_BATCH_SIZE
) -> dict[str, NDArray[np.float32]]:
    """Predictions for all rows, in their order, named as by `MultiTaskModel.predict`."""
    predictions = _predict(model, rows, batch_size)
    return {name: values.cpu().numpy() for name, values in predictions.items()}


def _predict(model: MultiTaskModel, rows: Rows, batch_size: int) -> dict[str, Tensor]:
    model.eval()
    batches = Batches(rows.ids_NC, rows.numeric_NF, device=model.device)
    parts = [model.predict(ids, numeric) for ids, numeric in batches.in_order(batch_size)]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
