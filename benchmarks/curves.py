"""Learning curves of random configurations of a spec's space, recorded for replays.

    python benchmarks/curves.py search_spaces/kuairand.yaml --out kuairand.jsonl --trials 250

Trains each configuration to the end on one thread's CPU, evaluates VALIDATION rows after 1/27, 1/9,
1/3 and all of its epochs and TEST rows at the end, and appends one line of JSON a trial: run it
again to go on where it stopped. Seconds are of a processor (`cpu_s`: what a quiet machine would
need) and of the clock (`wall_s`), since the trial's start, the evaluation included; both hold the
building of the model. What an evaluation costs is taken from the one on TEST rows.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from automtl.config import TrialConfig, from_jsonable, to_jsonable
from automtl.data.cache import EncodedData, open_data
from automtl.search.loop import trial_seed
from automtl.search.sampler import Proposal, Sampler
from automtl.spec.load import load_spec
from automtl.spec.schema import Spec
from automtl.training.fit import Trainer
from automtl.training.memory import keep_freed_memory

__all__ = ["SHARES", "Curve", "Point", "random_config", "read_curves", "record"]

SHARES = (1 / 27, 1 / 9, 1 / 3, 1.0)  # of a trial's epochs


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A curve at one rung; `share` is of the trial's epochs."""

    share: float
    cpu_s: float
    wall_s: float
    metrics: Mapping[str, float]  # on VALIDATION rows, and costs


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One configuration's training; `evaluation_s` is a processor's time for VALIDATION rows."""

    number: int
    seed: int
    params: Mapping[str, Any]
    config: TrialConfig
    points: tuple[Point, ...]
    evaluation_s: float
    test: Mapping[str, float]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("spec", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines, appended to")
    parser.add_argument("--trials", type=int, default=250, help="in the file at the end")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    keep_freed_memory()
    spec = load_spec(options.spec)
    data = open_data(spec)
    done = {curve.number for curve in read_curves(options.out)} if options.out.exists() else set()
    missing = sorted(set(range(options.trials)) - done)
    for number in missing[:1]:
        record(spec, data, number)  # thrown away: the first trial of a process starts up slowly
    for number in missing:
        curve = record(spec, data, number)
        line = json.dumps(asdict(curve) | {"config": to_jsonable(curve.config)})
        with options.out.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        print(f"{number}: {curve.points[-1].wall_s:.1f} s", file=sys.stderr)


def random_config(spec: Spec, number: int) -> Proposal:
    """The `number`-th random configuration of a space, whatever the spec's sampler."""
    raw = spec.to_dict()
    raw["search"] |= {"sampler": "random"}
    sampler = Sampler(Spec.from_dict(raw, base_dir=spec.base_dir))
    proposal = sampler.propose(number=number, pins={})
    assert isinstance(proposal, Proposal)
    return proposal


def record(spec: Spec, data: EncodedData, number: int) -> Curve:
    proposal = random_config(spec, number)
    epochs, seed = proposal.config.train.epochs, trial_seed(spec.search.seed, number)
    cpu, wall = time.process_time(), time.perf_counter()
    trainer = Trainer(
        proposal.config,
        data,
        seed=seed,
        device="cpu",
        rungs=[share * epochs for share in SHARES[:-1]],
    )
    points = tuple(
        Point(
            share=one.epochs / epochs,
            cpu_s=time.process_time() - cpu,
            wall_s=time.perf_counter() - wall,
            metrics=dict(one.metrics),
        )
        for one in trainer.run()
    )
    cpu = time.process_time()
    test = trainer.evaluate("test")
    test_s = time.process_time() - cpu
    return Curve(
        number=number,
        seed=seed,
        params=dict(proposal.params),
        config=proposal.config,
        points=points,
        evaluation_s=test_s * len(data.rows("valid")) / len(data.rows("test")),
        test=test,
    )


def read_curves(path: Path) -> tuple[Curve, ...]:
    """The curves of a file of JSON lines (`.gz` or not), by their numbers."""
    return tuple(sorted(_lines(path), key=lambda curve: curve.number))


def _lines(path: Path) -> Iterator[Curve]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        for line in file:
            raw = json.loads(line)
            points = tuple(Point(**point) for point in raw.pop("points"))
            config = from_jsonable(TrialConfig, raw.pop("config"))
            yield Curve(points=points, config=config, **raw)


if __name__ == "__main__":
    main()
