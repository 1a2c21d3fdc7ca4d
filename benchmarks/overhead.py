"""What the search itself costs, besides training: seconds a trial, and memory of its process.

    python benchmarks/overhead.py [--samplers random tpe ...] [--trials 2000] [--run-dir DIR]

Runs whole searches on jobs that train nothing: their metrics follow from the knobs. Each sampler
has a process of its own. Time is that of the loop's calls, writing to disk included, as the mean
over the 20 trials up to a mark; its parts are the sampler (learning and proposing), the decisions
at rungs, and the rest. Beside them stand the wait for the disk, and how long the processor works
(the made-up jobs included), which depends least on what else the machine does. Memory is what the
process holds at a mark beyond what it held at the start.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from automtl.config import (
    CategoricalFeature,
    Evaluation,
    FeatureSchema,
    Table,
    TaskSchema,
    TrialConfig,
)
from automtl.models.cost import costs
from automtl.search.assignment import Assignment
from automtl.search.executor import LocalExecutor
from automtl.search.fidelity import asked_rungs
from automtl.search.home import HERE, Home
from automtl.search.loop import SearchLoop
from automtl.search.sampler import Sampler
from automtl.spec.schema import SearchSpec, Spec
from automtl.study_writer import create_study, writing

MARKS = (100, 500, 1_000, 2_000)
WINDOW = 20  # trials over which times are averaged
RUNGS = (*asked_rungs(SearchSpec()), 1.0)  # those of a search that says nothing of rungs
FEATURES = FeatureSchema(
    tables=(Table(name="user", num_rows=1000),),
    categorical=(CategoricalFeature(name="user", table="user"),),
)
TASKS = (TaskSchema(name="click"), TaskSchema(name="buy", given="click"))


@dataclass(frozen=True, slots=True)
class NoRows:
    """What a study locks of encoded rows."""

    directory: Path = Path("/nowhere")
    fingerprint: str = "none"


class CurveJob:
    """Clicks want a rate of 1e-3, purchases weight; more training and more experts help both."""

    def run(self, assignment: Assignment, home: Home = HERE) -> Iterator[Evaluation]:
        for share in RUNGS:
            yield Evaluation(
                epochs=share * assignment.config.train.epochs,
                examples=round(900 * share),
                wall_s=0.1 * share,
                metrics=metrics(assignment.config, share),
            )


def metrics(config: TrialConfig, share: float) -> dict[str, float]:
    rate = (math.log10(config.train.lr) + 3) ** 2
    weight = math.log10(config.train.loss_weights.get("buy", 1.0))
    size = 0.01 * config.model.num_shared_experts + 0.05 * math.log10(9 * share)
    return {
        "click.auc": 0.7 - 0.05 * rate - 0.02 * weight + size,
        "click.logloss": 0.5 + 0.05 * rate,
        "buy.auc": 0.65 - 0.03 * rate + 0.03 * weight + size,
        "buy.logloss": 0.3 + 0.03 * rate,
        **costs(config.model, FEATURES, TASKS),
    }


def make_spec(sampler: str, num_trials: int) -> Spec:
    return Spec.from_dict(
        {
            "version": 1,
            "name": "overhead",
            "data": {
                "generate": {"name": "impressions", "num_rows": 1000},
                "split": {"random": True},
                "categorical": ["user_id"],
            },
            "tasks": {
                "click": {"label": "click"},
                "buy": {"label": "conversion", "given": "click"},
            },
            "objectives": ["click.auc", "buy.auc", "params"],
            "space": {
                "embedding_dim": {"choice": [4, 8, 16, 32]},
                "sharing": [
                    {"family": "shared_bottom"},
                    {"family": "mmoe", "num_shared_experts": {"int": [2, 8]}},
                    {
                        "family": "ple",
                        "num_levels": 2,
                        "num_shared_experts": {"int": [1, 2]},
                        "num_task_experts": 1,
                    },
                ],
                "dependency": {"choice": ["none", "esmm"]},
                "expert_dims": {"choice": [[64], [128, 64]]},
                "loss_weights": {"buy": {"float": [0.1, 10], "log": True}},
                "lr": {"float": [1e-4, 1e-2], "log": True},
            },
            "search": {"trials": num_trials, "sampler": sampler},
        }
    )


@dataclass(slots=True)
class Meter:
    """Seconds by part, and what was noted of each trial's end."""

    spent_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    ends: list[dict[str, float]] = field(default_factory=list)

    def watch(self, owner: Any, name: str, part: str) -> None:
        setattr(owner, name, self._timed(getattr(owner, name), part))

    def _timed(self, call: Callable[..., Any], part: str) -> Callable[..., Any]:
        def timed(*given: Any, **options: Any) -> Any:
            started = time.perf_counter()
            answer = call(*given, **options)
            self.spent_s[part] += time.perf_counter() - started
            return answer

        return timed

    def on_trial(self) -> None:
        self.ends.append({**self.spent_s, "cpu": time.process_time(), "memory_mb": memory_mb()})

    def at(self, mark: int, part: str) -> float:
        """Seconds a trial, up to `mark`."""
        return (self.ends[mark - 1][part] - self.ends[mark - 1 - WINDOW][part]) / WINDOW


PARTS = ("sampler", "propose", "report", "complete", "disk")


def memory_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


def measure(sampler: str, num_trials: int, run_dir: Path) -> list[dict[str, float]]:
    """A row a mark, of one search in this process."""
    spec = make_spec(sampler, num_trials)
    study = create_study(run_dir, spec, NoRows())
    meter = Meter()
    with writing(study) as writer:
        loop = SearchLoop(writer, spec, features=FEATURES, tasks=TASKS)
        meter.watch(os, "fsync", "disk")
        meter.watch(Sampler, "learn", "sampler")
        meter.watch(Sampler, "propose", "sampler")
        for name in ("propose", "report", "complete"):
            meter.watch(loop, name, name)
        timed_complete = loop.complete

        def complete(number: int) -> None:
            timed_complete(number)
            meter.on_trial()

        loop.complete = complete  # type: ignore[method-assign]
        before_mb = memory_mb()
        LocalExecutor().run(loop, CurveJob())
    return [
        {part: meter.at(mark, part) for part in (*PARTS, "cpu")}
        | {"mark": mark, "memory_mb": meter.ends[mark - 1]["memory_mb"] - before_mb}
        for mark in MARKS
        if mark <= len(meter.ends)
    ]


def table(rows: Sequence[tuple[str, dict[str, float]]]) -> str:
    lines = [
        "| sampler | trials | ms a trial | sampler | rungs | rest | fsync | CPU | memory, MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for sampler, row in rows:
        whole = row["propose"] + row["report"] + row["complete"]
        rest = row["propose"] - row["sampler"] + row["complete"]
        times = (whole, row["sampler"], row["report"], rest, row["disk"], row["cpu"])
        cells = [sampler, f"{row['mark']:,.0f}", *(f"{1e3 * one:.1f}" for one in times)]
        lines.append("| " + " | ".join([*cells, f"+{row['memory_mb']:.1f}"]) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samplers", nargs="+", default=["random", "tpe"])
    parser.add_argument("--trials", type=int, default=2_000)
    parser.add_argument("--run-dir", type=Path, help="on which disk to write; a temporary one")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.run_dir) as scratch:
        if given.alone:
            rows = measure(given.samplers[0], given.trials, Path(scratch) / "run")
            sys.stdout.write(json.dumps(rows))
            return
        found = []
        for sampler in given.samplers:
            command = [sys.executable, __file__, "--alone", "--samplers", sampler]
            command += ["--trials", str(given.trials), "--run-dir", scratch]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found += [(sampler, row) for row in json.loads(done.stdout)]
    sys.stdout.write(table(found) + "\n")


if __name__ == "__main__":
    main()
