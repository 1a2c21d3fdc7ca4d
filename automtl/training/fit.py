"""Train one TrialConfig: steps to the next evaluation, an Evaluation, and so on to the last.

Shapes: N rows, B rows of a batch, C id columns, F numeric columns, K tasks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from automtl.training.captured import CapturedStepper
from automtl.training.checkpoint import Checkpoint, Checkpoints, generators, set_generators
from automtl.training.latency import latency_ms
from automtl.training.losses import MultiTaskLoss, task_targets
from automtl.training.memory import check_fits, is_out_of_memory, peak_bytes
from automtl.training.metrics import evaluate
from automtl.training.precision import autocast, resolve_precision
from automtl.training.step import Stepper

__all__ = ["Trainer", "TrainingData", "predict_rows"]

STEPS_BETWEEN_CHECKS = 50  # of the loss for NaN: a check waits for the device
# activations of more rows leave a processor's cache; a GPU is idle between small batches
PREDICT_BATCH_SIZES = {"cpu": 2048, "cuda": 16_384}


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

    It is evaluated at `rungs` (epochs, rising) and at its end; where that is changes no weight.
    `notes` says, in sentences, what was done otherwise than asked. `on_step` is told, before each
    step and each evaluation, how many steps are done and how many there are in all. With
    `checkpoints` it goes on from the last one, if there is one, with the numbers that it would
    have had; evaluations before it are not told again. Raises TrialFailedError where the model
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
        checkpoints: Checkpoints | None = None,
    ) -> None:
        self.config, self.data, self.seed = config, data, seed
        self._checkpoints = checkpoints
        self.device = resolve_device(device)
        self.rungs = tuple(rungs)
        self._on_step = on_step or _nothing
        self.notes: list[str] = []
        self.precision, why = resolve_precision(precision, self.device)
        if self.precision != ("fp32" if precision == "auto" else precision):
            self.notes.append(f"precision {self.precision} ({why})")
        self.costs = costs(config.model, data.features, data.tasks)
        plan = plan_model(config.model, data.features, num_tasks=len(data.tasks))
        check_fits(config, plan, self.device)
        self.model = self._build()

    def run(self) -> Iterator[Evaluation]:
        """Yields after each evaluation on validation rows; whoever iterates may stop early.

        Out of memory before the first evaluation half the batch is tried, once. Raises
        TrialFailedError where that does not help, or the loss is no longer finite.
        """
        start = None if self._checkpoints is None else self._checkpoints.load()
        batch_size, seen = self._batch_size() if start is None else start.batch_size, 0
        try:
            for evaluation in self._run(batch_size, start):
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
            predictions = _predict(self.model, rows)
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

    def _run(self, batch_size: int, start: Checkpoint | None = None) -> Iterator[Evaluation]:
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
        steps_by = CapturedStepper if self.device.type == "cuda" else Stepper
        stepper = steps_by(
            self.config.train, self.model, loss.to(self.device), precision=self.precision
        )
        if start is not None and not start.fits(stepper.state()):
            self._note("the checkpoint was of another model: trained from the start")
            start = None
        done = 0 if start is None else start.step
        stream = batches.shuffled(batch_size, np.random.default_rng(self.seed), skip=done)
        started = time.perf_counter()
        if start is not None:
            stepper.restore(start.state)
            started -= start.wall_s
            for note in start.notes:
                self._note(note)
        random = self._seeded() if start is None else start.random
        evaluated = evaluation_epochs(self.config.train.epochs, self.rungs)
        ends = [max(1, math.ceil(epochs * batches.num_rows / batch_size)) for epochs in evaluated]

        def keep(step: int) -> None:
            self._keep(stepper, step, batch_size=batch_size, wall_s=time.perf_counter() - started)

        for epochs, end in zip(evaluated, ends, strict=True):
            if start is not None and end <= start.step:
                continue
            random = self._train(
                stepper,
                stream,
                steps=range(done, end),
                random=random,
                on_step=lambda step: self._on_step(step, ends[-1]),
                keep=keep,
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
        random: Mapping[str, Tensor],
        on_step: Callable[[int], None],
        keep: Callable[[int], None],
        num_rows: int,
    ) -> dict[str, Tensor]:
        """From `random`, the states of the generators before these steps, to those after them."""
        self.model.train()
        with torch.random.fork_rng(devices=self._cuda_devices()):
            set_generators(random, self.device)  # dropout reads the global ones
            for number in steps:
                on_step(number)
                batch = next(stream)
                loss = stepper.step(*batch, epochs=number * len(batch[0]) / num_rows)
                if number % STEPS_BETWEEN_CHECKS == 0 or number == steps.stop - 1:
                    _check_finite(loss, number)
                if number + 1 < steps.stop:
                    keep(number + 1)
            return generators(self.device)

    def _seeded(self) -> dict[str, Tensor]:
        with torch.random.fork_rng(devices=self._cuda_devices()):
            torch.manual_seed(self.seed)
            return generators(self.device)

    def _keep(self, stepper: Stepper, step: int, *, batch_size: int, wall_s: float) -> None:
        """Writes a checkpoint if it is time to."""
        if self._checkpoints is None or not self._checkpoints.is_due():
            return
        checkpoint = Checkpoint(
            step=step,
            batch_size=batch_size,
            wall_s=wall_s,
            notes=tuple(self.notes),
            state=stepper.state(),
            random=generators(self.device),
        )
        if why := self._checkpoints.save(checkpoint):
            self._note(f"{why}: the training went on without")

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
    model: MultiTaskModel, rows: Rows, *, batch_size: int | None = None
) -> dict[str, NDArray[np.float32]]:
    """Predictions for all rows, in their order, named as by `MultiTaskModel.predict`."""
    predictions = _predict(model, rows, batch_size)
    return {name: values.cpu().numpy() for name, values in predictions.items()}


def _predict(model: MultiTaskModel, rows: Rows, batch_size: int | None = None) -> dict[str, Tensor]:
    model.eval()
    batch_size = batch_size or PREDICT_BATCH_SIZES[model.device.type]
    batches = Batches(rows.ids_NC, rows.numeric_NF, device=model.device)
    parts = [model.predict(ids, numeric) for ids, numeric in batches.in_order(batch_size)]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
