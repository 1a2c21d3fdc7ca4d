"""How fast a model trains here: a second of it, for an estimate."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass

from automtl.config import FeatureSchema, Precision, TaskSchema, TrialConfig
from automtl.data.cache import Rows
from automtl.training.fit import Trainer, TrainingData

__all__ = ["Burst", "measure_burst"]

FIRST_STEPS = 4  # then twice as many, and so on until the time is up
SAMPLE_ROWS = 16_384  # validation rows that are scored to see how fast that goes


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """Rows a second, in training and in scoring, of one model; `params` is its size, `batch_size`
    the rows of a step of its training."""

    family: str
    params: float
    batch_size: int
    examples_per_s: float
    scored_per_s: float

    @property
    def step_ms(self) -> float:
        """What one step of training takes."""
        return 1000 * self.batch_size / self.examples_per_s


def measure_burst(
    config: TrialConfig,
    data: TrainingData,
    *,
    seconds: float,
    device: str,
    precision: Precision = "auto",
) -> Burst:
    """Trains `config` on the train rows of `data` for `seconds` or up to twice that, after
    FIRST_STEPS that do not count, and keeps nothing.

    The last stretch is what is told, half of all steps. Raises TrialFailedError where the model
    cannot be trained.
    """
    # its own epochs would end it, and at its rungs it is scored more often than here
    config = dataclasses.replace(config, train=dataclasses.replace(config.train, epochs=1e6))
    batch = min(config.train.batch_size, len(data.rows("train")))
    epoch = batch / len(data.rows("train"))
    trainer = Trainer(
        config,
        _Sample(data),
        seed=0,
        device=device,
        precision=precision,
        rungs=[FIRST_STEPS * 2**power * epoch for power in range(24)],
    )
    trainer.evaluate("valid")  # warm: the first takes longer
    started = time.perf_counter()
    trainer.evaluate("valid")
    scoring_s = time.perf_counter() - started
    evaluations = trainer.run()
    seen = next(evaluations).examples
    began = before = time.perf_counter()
    speed = 0.0
    for evaluation in evaluations:
        now = time.perf_counter()
        speed = (evaluation.examples - seen) / max(1e-6, now - before - scoring_s)
        seen, before = evaluation.examples, now
        if now - began >= seconds:
            break
    return Burst(
        family=config.model.family,
        params=trainer.costs["params"],
        batch_size=batch,
        examples_per_s=speed,
        scored_per_s=len(trainer.data.rows("valid")) / scoring_s,
    )


class _Sample:
    """All train rows, and the first of the validation rows."""

    def __init__(self, data: TrainingData) -> None:
        self._data = data
        self.features: FeatureSchema = data.features
        self.tasks: tuple[TaskSchema, ...] = data.tasks
        valid = data.rows("valid")
        self._rows: Mapping[str, Rows] = {
            "train": data.rows("train"),
            "valid": Rows(
                ids_NC=valid.ids_NC[:SAMPLE_ROWS],
                numeric_NF=valid.numeric_NF[:SAMPLE_ROWS],
                labels_NK=valid.labels_NK[:SAMPLE_ROWS],
            ),
        }

    def rows(self, split: str) -> Rows:
        return self._rows[split]
