"""The same measurement over worlds and seeds, in processes of one thread, and what it shows.

A world is one setting of the data (a correlation, a click rate); a seed draws both its rows and
the initial weights. Values of one seed belong together: differences are taken seed by seed.

Shapes: S seeds.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
import torch
from arrays import ArrayData
from numpy.typing import NDArray

from automtl.analysis.interval import Interval, student_interval
from automtl.config import Evaluation, TrialConfig
from automtl.data.cache import Rows
from automtl.data.fit import fit_encoder
from automtl.spec.schema import Spec
from automtl.training.fit import Trainer

__all__ = [
    "Floats",
    "Options",
    "Size",
    "encoded",
    "evaluations",
    "interval_text",
    "over_seeds",
    "read_options",
    "t_interval",
    "table",
    "write_values",
]

Floats = NDArray[np.float64]
World = TypeVar("World", bound=Hashable)
Name = TypeVar("Name", bound=Hashable)
# read when a process starts: set here, they hold for the processes to come
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "POLARS_MAX_THREADS": "1"}


# ---- one trial -----------------------------------------------------------------------------


def encoded(
    data: Mapping[str, Any], tasks: Mapping[str, Any], *, train: pl.DataFrame, valid: pl.DataFrame
) -> ArrayData:
    """Both frames as a search would see them: the encoder has seen train rows only.

    `data` and `tasks` are those blocks of a spec.
    """
    document = {"version": 1, "name": "benchmark", "data": data, "tasks": tasks}
    unused = {"objectives": ["params"], "space": {"sharing": [{"family": "shared_bottom"}]}}
    encoder = fit_encoder(train, Spec.from_dict(document | unused, base_dir=Path()))

    def rows(frame: pl.DataFrame) -> Rows:
        inputs = encoder.transform(frame)
        return Rows(
            ids_NC=inputs.ids_NC, numeric_NF=inputs.numeric_NF, labels_NK=encoder.labels(frame)
        )

    return ArrayData(
        features=encoder.features,
        tasks=encoder.tasks,
        splits={"train": rows(train), "valid": rows(valid)},
    )


def evaluations(
    config: TrialConfig, data: ArrayData, *, seed: int, rungs: Sequence[float] = ()
) -> list[Evaluation]:
    """One whole training on one thread's CPU; the last evaluation is at its end."""
    trainer = Trainer(config, data, seed=seed, device="cpu", rungs=rungs)
    return list(trainer.run())


# ---- many ----------------------------------------------------------------------------------


def over_seeds(
    measure: Callable[[World, int], Mapping[Name, float]],
    worlds: Sequence[World],
    seeds: Sequence[int],
    *,
    processes: int,
) -> dict[World, dict[Name, Floats]]:
    """What `measure(world, seed)` names, as values [S] in the order of `seeds`, world by world.

    `measure` runs in fresh processes and must be importable. Progress goes to stderr.
    """
    os.environ.update(ONE_THREAD)
    jobs = [(world, seed) for seed in seeds for world in worlds]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        processes, mp_context=context, initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        futures = [pool.submit(measure, *job) for job in jobs]
        _show_progress(futures)
    results = {job: future.result() for job, future in zip(jobs, futures, strict=True)}
    return {
        world: {
            name: np.array([results[world, seed][name] for seed in seeds])
            for name in results[world, seeds[0]]
        }
        for world in worlds
    }


def _show_progress(futures: Sequence[Future[Any]]) -> None:
    started = time.perf_counter()
    for done, future in enumerate(as_completed(futures), start=1):
        if future.exception() is not None:  # it is raised where the result is read
            for other in futures:
                other.cancel()
            break
        passed_s = time.perf_counter() - started
        left_s = passed_s / done * (len(futures) - done)
        print(f"{done} of {len(futures)}, {passed_s:.0f} s, {left_s:.0f} s left", file=sys.stderr)


# ---- what it shows -------------------------------------------------------------------------


def t_interval(values_S: Floats) -> Interval:
    """The mean over seeds with its 95 % Student interval; two seeds at least.

    Seeds are independent, so it holds for new data and new initial weights alike. Of differences
    seed by seed it is the paired interval.
    """
    error = float(values_S.std(ddof=1)) / math.sqrt(len(values_S))
    return student_interval(float(values_S.mean()), standard_error=error, degrees=len(values_S) - 1)


def interval_text(values_S: Floats, *, signed: bool = False) -> str:
    """`0.1234 [0.1200, 0.1268]`; a difference carries its sign."""
    one = t_interval(values_S)
    form = "+.4f" if signed else ".4f"
    return f"{one.estimate:{form}} [{one.low:{form}}, {one.high:{form}}]"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


# ---- the command line ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is run: seeds, train rows of a world, epochs of a trial."""

    seeds: int
    rows: int
    epochs: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line, read."""

    size: Size
    processes: int
    out: Path | None


def read_options(
    description: str, arguments: Sequence[str] | None, *, full: Size, quick: Size
) -> Options:
    """`--quick` takes the sizes of `quick`; those that are given count in either case."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seeds", type=int, help=f"two at least; default {full.seeds}")
    parser.add_argument("--rows", type=int, help=f"to train on; default {full.rows}")
    parser.add_argument("--epochs", type=float, help=f"default {full.epochs:g}")
    parser.add_argument("--processes", type=int, default=2, help="of one thread each; default 2")
    parser.add_argument("--quick", action="store_true", help="a smoke run: proves nothing")
    parser.add_argument("--out", type=Path, help="write every value as JSON to this file")
    given = vars(parser.parse_args(arguments))
    if given["seeds"] is not None and given["seeds"] < 2:
        parser.error("an interval needs --seeds 2 or more")
    sizes = asdict(quick if given["quick"] else full)
    size = Size(**{name: given[name] if given[name] is not None else sizes[name] for name in sizes})
    return Options(size=size, processes=given["processes"], out=given["out"])


def write_values(
    path: Path, size: Size, values: Mapping[str, Mapping[Any, Mapping[Any, Floats]]]
) -> None:
    """Every value behind the tables: part, world, name, then one a seed."""
    parts = {
        part: {
            str(world): {str(name): values_S.tolist() for name, values_S in named.items()}
            for world, named in worlds.items()
        }
        for part, worlds in values.items()
    }
    document = {"size": asdict(size), "torch": torch.__version__, "values": parts}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
