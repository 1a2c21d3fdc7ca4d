"""Where a training step's time goes: its stages, and the operations that take most of it.

    python benchmarks/step_profile.py [--steps 300]

The small model of the speed table (MMoE, 8 experts of 16, embedding 4, Census-Income, batches of
1024) on one thread. Stages are timed inside whole steps, so that caches are as in training; medians
over the steps. The operations are those of torch's profiler: their own time, children excluded.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from statistics import median

import numpy as np
import ours
import torch
from peers.job import Job
from repeats import table
from rows import census
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from automtl.training.batches import Batches
from automtl.training.losses import MultiTaskLoss, task_targets
from automtl.training.memory import keep_freed_memory
from automtl.training.step import Stepper

SMALL = Job(
    side="automtl",
    variant="fp32",
    family="mmoe",
    num_shared_experts=8,
    threads=1,
    expert_dims=(16,),
    tower_dims=(8,),
    embedding_dim=4,
    batch_size=1024,
)
STAGES = (
    "look up the rows",
    "assemble the input",
    "trunk, forward",
    "loss",
    "backward",
    "dense optimiser",
    "tables' optimiser",
)
NUM_WARMUP, NUM_OPERATIONS = 30, 14


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    keep_freed_memory()
    stepper, batches = small_training()
    for _ in range(NUM_WARMUP):
        stepper.step(*next(batches), epochs=0.0)
    whole_ms = [timed(stepper, batches) for _ in range(options.steps)]
    stages_ms = np.array([staged(stepper, next(batches)) for _ in range(options.steps)])
    print(stages_table(np.median(stages_ms, axis=0), median(whole_ms)))
    print(operations_table(stepper, batches, options.steps))


def small_training() -> tuple[Stepper, Iterator[list[Tensor]]]:
    """The model in training, and its endless batches."""
    trainer = ours.build(SMALL, ours.data_of(SMALL, census()))
    rows, config, tasks = trainer.data.rows("train"), trainer.config, trainer.data.tasks
    targets_NK = task_targets(rows.labels_NK, tasks, dependency=config.model.dependency)
    batches = Batches(rows.ids_NC, rows.numeric_NF, targets_NK, device=trainer.device)
    trainer.model.train()
    stepper = Stepper(config.train, trainer.model, MultiTaskLoss(config, tasks))
    return stepper, batches.shuffled(SMALL.batch_size, np.random.default_rng(0))


def timed(stepper: Stepper, batches: Iterator[list[Tensor]]) -> float:
    """Milliseconds of a step, the batch included."""
    started = time.perf_counter()
    stepper.step(*next(batches), epochs=0.0)
    return 1e3 * (time.perf_counter() - started)


def staged(stepper: Stepper, batch: list[Tensor]) -> list[float]:
    """Milliseconds of each of STAGES: what `Stepper.step` does, with a clock in between."""
    ids_BC, numeric_BF, targets_BK = batch
    store, times = stepper.model.embedding, [time.perf_counter()]

    def lap() -> None:
        times.append(time.perf_counter())

    rows = store.rows(ids_BC, numeric_BF)
    vectors = store.gather(rows)
    lap()
    x = store.assemble(vectors, ids_BC, numeric_BF)
    lap()
    logits_BK = stepper.model.trunk(x)
    lap()
    loss = stepper.loss(logits_BK, targets_BK, epochs=0.0)
    lap()
    stepper.dense.zero_grad(set_to_none=True)
    loss.backward()
    lap()
    stepper.dense.step()
    lap()
    for one, rows_GBC, vectors_GBCD in zip(stepper.tables, rows, vectors, strict=True):
        one.step(rows_GBC, vectors_GBCD.grad)
    lap()
    return (1e3 * np.diff(times)).tolist()


def stages_table(stages_ms: Sequence[float], whole_ms: float) -> str:
    rows = [
        [name, f"{ms:.2f}", f"{ms / sum(stages_ms):.0%}"]
        for name, ms in zip(STAGES, stages_ms, strict=True)
    ]
    rows.append(["all stages", f"{sum(stages_ms):.2f}", "100%"])
    rows.append(["a step and its batch, without the clocks", f"{whole_ms:.2f}", ""])
    return table(["stage", "ms", "share"], rows)


def operations_table(stepper: Stepper, batches: Iterator[list[Tensor]], num_steps: int) -> str:
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        for _ in range(num_steps):
            stepper.step(*next(batches), epochs=0.0)
    events = sorted(seen.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total_us = sum(event.self_cpu_time_total for event in events)
    calls = sum(event.count for event in events if event.key.startswith("aten::")) / num_steps
    rows = [
        [
            f"`{event.key}`",
            f"{event.count / num_steps:.0f}",
            f"{event.self_cpu_time_total / event.count:.1f}",
            f"{event.self_cpu_time_total / total_us:.0%}",
        ]
        for event in events[:NUM_OPERATIONS]
    ]
    head = ["operation", "calls a step", "own µs a call", "share of the profiled time"]
    return f"{calls:.0f} operations a step, views included\n\n{table(head, rows)}"


if __name__ == "__main__":
    main()
