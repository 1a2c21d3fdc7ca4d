"""One job of our side, in a process of its own; the counterpart of `peers/worker.py`.

    python benchmarks/ours.py JOB_DIR

`job.variant` is

- `fp32`, `tf32`, `bf16`: the engine as it is, in that precision (embeddings by Adagrad, only the
  rows of a batch; AdamW on the rest);
- `rowwise`: as `fp32`, with one number of Adagrad's state for a row of the tables;
- `dense_adam`: the same model, with torch's AdamW on every row of the tables, as the peers do it;
- `dense_part`, `gemms`: not a whole training, see `limits.py`.

Shapes: N rows, K tasks.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import limits
import numpy as np
import torch
from arrays import ArrayData
from peers import measure
from peers.job import PREDICTIONS_FILE, ROWS_FILE, Job, JobRows, Result
from rows import array_data

from automtl import __version__
from automtl.config import ModelConfig, TrainConfig, TrialConfig
from automtl.models.model import joint_name
from automtl.training.batches import Batches
from automtl.training.fit import Trainer, predict_rows
from automtl.training.losses import MultiTaskLoss, task_targets
from automtl.training.memory import keep_freed_memory
from automtl.training.precision import autocast

VERSIONS = {"automtl": __version__, "torch": torch.__version__}
LIMITS = {"dense_part": limits.dense_part, "gemms": limits.gemms}
PRECISIONS = ("fp32", "tf32", "bf16")


@dataclass(frozen=True, kw_only=True)
class Training:
    """How long it took, evaluation excluded."""

    examples: int
    wall_s: float


def main(directory: Path) -> None:
    job = Job.load(directory)
    torch.set_num_threads(job.threads)
    keep_freed_memory()
    measured = limit if job.variant in LIMITS else trial
    measured(job, directory).save(directory)


def limit(job: Job, directory: Path) -> Result:
    data = data_of(job, JobRows.load(directory / ROWS_FILE))
    return Result(versions=VERSIONS, **LIMITS[job.variant](build(job, data)))


def trial(job: Job, directory: Path) -> Result:
    """A whole trial: built, trained, evaluated once; then predictions of every split."""
    bare = measure.bare_bytes()
    rows = JobRows.load(directory / ROWS_FILE)
    data = data_of(job, rows)
    started = time.perf_counter()
    trainer = build(job, data)
    steps = measure.StepTimes(trainer.model.towers)  # called once a step, by every variant
    if job.variant == "dense_adam":
        done = train_every_row(trainer)
    else:
        (evaluation,) = trainer.run()
        done = Training(examples=evaluation.examples, wall_s=evaluation.wall_s)
    trial_s = time.perf_counter() - started
    # a recorded step of a GPU calls no module
    is_seen = job.device == "cpu" or job.variant == "dense_adam"
    train_per_s = steps.examples_per_s(job.batch_size, skip=job.warmup_steps) if is_seen else None

    started = time.perf_counter()
    trainer.evaluate("valid")  # once more, as the trial's own evaluation tells no time
    evaluate_s = time.perf_counter() - started if job.variant != "dense_adam" else 0.0
    started = time.perf_counter()
    scores = {"valid": predictions(trainer, "valid", job.eval_batch_size)}
    eval_s = time.perf_counter() - started
    peak_mib = measure.peak_mib(bare, job.device)
    if "test" in data.splits:
        scores["test"] = predictions(trainer, "test", job.eval_batch_size)
    if job.keep_predictions:
        np.savez(directory / PREDICTIONS_FILE, **scores)
    return Result(
        versions=VERSIONS,
        examples=done.examples,
        train_per_s=train_per_s,
        train_whole_per_s=done.examples / done.wall_s,
        eval_per_s=len(data.rows("valid")) / eval_s,
        overhead_s=trial_s - done.wall_s - evaluate_s,
        peak_mib=peak_mib,
        auc=measure.aucs({name: rows.splits[name].labels_NK for name in scores}, scores),
    )


def build(job: Job, data: ArrayData) -> Trainer:
    precision = job.variant if job.variant in PRECISIONS else "fp32"
    return Trainer(
        trial_config(job),
        data,
        seed=job.seed,
        device=job.device,
        precision=precision,
    )


def trial_config(job: Job) -> TrialConfig:
    is_esmm = job.family == "esmm"
    return TrialConfig(
        model=ModelConfig(
            family="shared_embedding" if is_esmm else job.family,
            dependency="esmm" if is_esmm else "none",
            embedding_dim=job.embedding_dim,
            num_levels=job.num_levels,
            num_shared_experts=job.num_shared_experts,
            num_task_experts=job.num_task_experts,
            expert_dims=job.expert_dims,
            tower_dims=job.tower_dims,
            gate_dims=job.gate_dims,
        ),
        train=TrainConfig(
            epochs=float(job.epochs),
            batch_size=job.batch_size,
            lr=job.lr,
            embedding_optimizer="rowwise_adagrad" if job.variant == "rowwise" else "adagrad",
        ),
    )


def data_of(job: Job, rows: JobRows) -> ArrayData:
    num_train = job.max_steps and job.max_steps * job.batch_size
    return array_data(rows, is_chained=job.family == "esmm", num_train=num_train)


def predictions(trainer: Trainer, split: str, batch_size: int) -> np.ndarray:
    """[N, K] probabilities over all rows: of a task and, where it is given another, of both."""
    with autocast(trainer.precision, trainer.device):
        by_name = predict_rows(trainer.model, trainer.data.rows(split), batch_size=batch_size)
    names = [joint_name(task.name) if task.given else task.name for task in trainer.data.tasks]
    return np.stack([by_name[name] for name in names], axis=1)


def train_every_row(trainer: Trainer) -> Training:
    """Our layout, our batches and loss, and one fused AdamW over all parameters."""
    config, data, model = trainer.config, trainer.data, trainer.model
    rows, batch_size = data.rows("train"), config.train.batch_size
    targets_NK = task_targets(rows.labels_NK, data.tasks, dependency=config.model.dependency)
    batches = Batches(rows.ids_NC, rows.numeric_NF, targets_NK, device=trainer.device)
    stream = batches.shuffled(batch_size, np.random.default_rng(trainer.seed))
    loss = MultiTaskLoss(config, data.tasks)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.train.lr, weight_decay=0.0, fused=True
    )
    num_steps = max(1, round(config.train.epochs * batches.num_rows / batch_size))
    started = time.perf_counter()
    for _ in range(num_steps):
        ids_BC, numeric_BF, targets_BK = next(stream)
        optimizer.zero_grad(set_to_none=True)
        loss(model(ids_BC, numeric_BF), targets_BK, epochs=0.0).backward()
        optimizer.step()
    measure.wait_for(str(trainer.device))
    return Training(examples=num_steps * batch_size, wall_s=time.perf_counter() - started)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
