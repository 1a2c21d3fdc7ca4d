"""What a GPU makes of a training step: started kernel by kernel, recorded, and shared by trials.

    python benchmarks/gpu.py [--rows N] [--seconds S] [--batch 1024 8192] [--together 1 2 4]

Prints, for each model, milliseconds of a step and the share of them in which the GPU computes: as
kernels started one by one (`Stepper`), and as one recording (`CapturedStepper`) in each precision.
Then the rows a second that so many processes train together, each on its own model.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Any

import jobs
import numpy as np
import torch
from arrays import ArrayData
from rows import array_data, made_up

from automtl.config import ModelConfig, TrainConfig, TrialConfig
from automtl.training.batches import Batches
from automtl.training.captured import CapturedStepper
from automtl.training.fit import Trainer
from automtl.training.losses import MultiTaskLoss, task_targets
from automtl.training.precision import Used
from automtl.training.step import Stepper

SMALL = {"expert_dims": (16,), "tower_dims": (8,), "embedding_dim": 4}
LARGE = {"expert_dims": (128, 64), "tower_dims": (32,), "embedding_dim": 16}
MODELS: dict[str, dict[str, Any]] = {
    "MMoE, 8 experts of 16": {"family": "mmoe", "num_shared_experts": 8, **SMALL},
    "shared bottom of 128-64": {"family": "shared_bottom", **LARGE},
    "MMoE, 4 experts of 128-64": {"family": "mmoe", "num_shared_experts": 4, **LARGE},
    "PLE, 2 levels of 2 + 2·2 experts of 128-64": {
        "family": "ple",
        "num_levels": 2,
        "num_shared_experts": 2,
        "num_task_experts": 2,
        **LARGE,
    },
}
PRECISIONS: tuple[Used, ...] = ("fp32", "tf32", "bf16")
VOCAB, SEED = 10_000, 0
WARM_UP, BETWEEN_LOOKS, PROFILED = 20, 10, 30
HEAD = ["", "batch", "one by one", "recorded", "tf32", "bf16", "rows/s in tf32"]


@dataclass(frozen=True, kw_only=True)
class Timed:
    """One way to make steps: milliseconds of a step, and those of them that kernels take."""

    step_ms: float
    kernels_ms: float

    def __str__(self) -> str:
        return f"{self.step_ms:.2f} ms ({min(1.0, self.kernels_ms / self.step_ms):.0%})"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=500_000, help="train rows made up")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--batch", type=int, nargs="+", default=[1024, 8192])
    parser.add_argument("--together", type=int, nargs="+", default=[1, 2, 4])
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        sys.exit("benchmarks/gpu.py: there is no CUDA device here")
    torch.set_num_threads(1)
    data = make_data(options.rows)
    lines = [
        line_of(name, batch_size, data, options.seconds)
        for name, batch_size in itertools.product(MODELS, options.batch)
    ]
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}\n")
    print(jobs.markdown(HEAD, lines), flush=True)
    print(f"\n{jobs.markdown(*table_together(options))}")


def make_data(num_rows: int) -> ArrayData:
    rows = made_up(vocab=VOCAB, num_train=num_rows, num_valid=10_000, seed=SEED, is_chained=False)
    return array_data(rows, is_chained=False, num_train=None)


def line_of(name: str, batch_size: int, data: ArrayData, seconds: float) -> list[str]:
    ways: list[tuple[type[Stepper], Used]] = [(Stepper, "fp32")]
    ways += [(CapturedStepper, precision) for precision in PRECISIONS]
    timed = [
        time_steps(steps_of(kind, precision, MODELS[name], batch_size, data), seconds)
        for kind, precision in ways
    ]
    tf32 = timed[1 + PRECISIONS.index("tf32")]
    speed = f"{batch_size / tf32.step_ms * 1e3:,.0f} ({timed[0].step_ms / tf32.step_ms:.1f}x)"
    return [name, f"{batch_size:,}", *map(str, timed), speed]


def steps_of(
    kind: type[Stepper],
    precision: Used,
    model: dict[str, Any],
    batch_size: int,
    data: ArrayData,
) -> Iterator[None]:
    """Makes a step each time it is asked, as a Trainer does, on rows that lie on the device."""
    config = TrialConfig(model=ModelConfig(**model), train=TrainConfig(batch_size=batch_size))
    trainer = Trainer(config, data, seed=SEED, device="cuda", precision=precision)
    rows = data.rows("train")
    targets_NK = task_targets(rows.labels_NK, data.tasks, dependency="none")
    batches = Batches(
        rows.ids_NC, rows.numeric_NF, targets_NK, device=trainer.device, placed="device"
    )
    loss = MultiTaskLoss(config, data.tasks).to(trainer.device)
    stepper = kind(config.train, trainer.model, loss, precision=precision)
    trainer.model.train()
    for batch in batches.shuffled(batch_size, np.random.default_rng(SEED)):
        stepper.step(*batch, epochs=0.0)
        yield


def time_steps(steps: Iterator[None], seconds: float) -> Timed:
    make(steps, WARM_UP)
    step_s = seconds_of_a_step(steps, seconds)
    cuda = torch.profiler.ProfilerActivity.CUDA
    with torch.profiler.profile(activities=[cuda], acc_events=True) as profile:
        make(steps, PROFILED)
        torch.cuda.synchronize()
    kernels_us = sum(event.self_device_time_total for event in profile.key_averages())
    return Timed(step_ms=1e3 * step_s, kernels_ms=kernels_us / PROFILED / 1e3)


def seconds_of_a_step(steps: Iterator[None], seconds: float) -> float:
    """The mean, over so many seconds or a little more."""
    torch.cuda.synchronize()
    num_steps, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        make(steps, BETWEEN_LOOKS)
        torch.cuda.synchronize()
        num_steps += BETWEEN_LOOKS
    return (time.perf_counter() - started) / num_steps


def make(steps: Iterator[None], num_steps: int) -> None:
    for _ in range(num_steps):
        next(steps)


# ---- several trials on one GPU --------------------------------------------------------------


def table_together(options: argparse.Namespace) -> tuple[list[str], list[list[str]]]:
    """For each model the rows a second of so many processes at once, all together."""
    head = ["rows/s of trials at once", "batch", *map(str, options.together)]
    lines = []
    for name, batch_size in itertools.product(MODELS, options.batch):
        speeds = [together(count, name, batch_size, options) for count in options.together]
        cells = [f"{speed:,.0f} ({speed / speeds[0]:.2f}x)" for speed in speeds]
        lines.append([name, f"{batch_size:,}", *cells])
    return head, lines


def together(count: int, name: str, batch_size: int, options: argparse.Namespace) -> float:
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(count), context.Queue()
    arguments = (name, batch_size, options.rows, options.seconds, barrier, queue)
    processes = [context.Process(target=train_alongside, args=arguments) for _ in range(count)]
    for process in processes:
        process.start()
    speeds = [queue.get(timeout=300) for _ in processes]
    for process in processes:
        process.join()
    return sum(speeds)


def train_alongside(
    name: str, batch_size: int, num_rows: int, seconds: float, barrier: Barrier, queue: Any
) -> None:
    """One process: its rows a second, from when all are ready."""
    torch.set_num_threads(1)
    steps = steps_of(CapturedStepper, "tf32", MODELS[name], batch_size, make_data(num_rows))
    make(steps, WARM_UP)
    torch.cuda.synchronize()
    barrier.wait(timeout=300)
    speed = batch_size / seconds_of_a_step(steps, seconds)
    barrier.wait(timeout=300)  # whoever is done stays until all are, or the others had more room
    queue.put(speed)


if __name__ == "__main__":
    main()
