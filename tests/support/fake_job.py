"""A search without training: a small spec, and a job whose results follow from the knobs."""

from __future__ import annotations

import errno
import math
import os
import time
from collections.abc import Iterator, Mapping
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
from automtl.errors import TrialFailedError
from automtl.models.cost import costs
from automtl.search.assignment import Assignment
from automtl.search.disk import DiskFailureError
from automtl.search.heartbeat import OnStep, beating
from automtl.search.home import HERE, Home
from automtl.spec.schema import Spec

FEATURES = FeatureSchema(
    tables=(Table(name="user", num_rows=1000),),
    categorical=(CategoricalFeature(name="user", table="user"),),
)
TASKS = (TaskSchema(name="click"), TaskSchema(name="buy", given="click"))
RUNGS = (1 / 9, 1 / 3, 1.0)


@dataclass(frozen=True)
class FakeData:
    """What a study locks of encoded rows."""

    directory: Path = Path("/nowhere/cache")
    fingerprint: str = "rows"


def fake_spec(*, space: Mapping[str, Any] | None = None, **search: Any) -> Spec:
    """Three families and no single_task; `space` replaces knobs, `search` settings of the search.

    A setting of another section is given as `constraints=[...]` or `objectives=[...]`.
    """
    sections = {k: search.pop(k) for k in ("objectives", "constraints", "name") if k in search}
    knobs: dict[str, Any] = {
        "embedding_dim": {"choice": [8, 16]},
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
    }
    return Spec.from_dict(
        {
            "version": 1,
            "name": "fake",
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
            "space": knobs | dict(space or {}),
            "search": {"trials": 20} | search,
            **sections,
        }
    )


def fake_metrics(config: TrialConfig, share: float = 1.0) -> dict[str, float]:
    """Clicks want a rate of 1e-3, purchases weight; more training and more experts help both."""
    rate = (math.log10(config.train.lr) + 3) ** 2
    weight = math.log10(config.train.loss_weights.get("buy", 1.0))
    size = 0.01 * config.model.num_shared_experts + 0.001 * config.model.embedding_dim
    learnt = 0.05 * math.log10(9 * share)
    return {
        "click.auc": 0.7 - 0.05 * rate - 0.02 * weight + size + learnt,
        "click.logloss": 0.5 + 0.05 * rate,
        "buy.auc": 0.65 - 0.03 * rate + 0.03 * weight + size + learnt,
        "buy.logloss": 0.3 + 0.03 * rate,
        **costs(config.model, FEATURES, TASKS),
    }


@dataclass(frozen=True)
class FakeJob:
    """Evaluates at `rungs` (shares of its epochs) in microseconds, or `pause_s` apart.

    `faults` says what goes wrong, by number:

    "raise" and "refuse" fail at the second evaluation (refuse: for a known reason), "nan" has a
    metric that is none, "short" ends before the last evaluation, "die" kills the process, "hang"
    sleeps for ever at step 350 of 1,200, "hang at first" before it shows any sign of life, "fill
    memory" takes up to 8 GiB, "full disk" finds no room for its weights.
    """

    faults: Mapping[int, str] = field(default_factory=dict)
    rungs: tuple[float, ...] = RUNGS
    pause_s: float = 0.0
    weights_dir: Path | None = None
    alive_dir: Path | None = None
    log: Path | None = None  # a line "number seed" a trial that was trained to the end
    away: Path | None = None  # a line "number" a trial begun on another machine than the search's

    def run(self, assignment: Assignment, home: Home = HERE) -> Iterator[Evaluation]:
        """With `away`, the second trial over there never ends, and until then none ends here."""
        if self.away is not None and home is not HERE:
            _add_line(self.away, f"{assignment.number}")
            if num_lines(self.away) > 1:
                time.sleep(3600)
        elif self.away is not None:
            while num_lines(self.away) < 2:
                time.sleep(0.05)
        if self.faults.get(assignment.number) == "hang at first":
            time.sleep(3600)
        with beating(self.alive_dir, assignment.number, beat_s=0.0, home=home) as on_step:
            yield from self._train(assignment, on_step)

    def _train(self, assignment: Assignment, on_step: OnStep) -> Iterator[Evaluation]:
        number, config = assignment.number, assignment.config
        fault = self.faults.get(number)
        for index, share in enumerate(self.rungs):
            time.sleep(self.pause_s)
            metrics = fake_metrics(config, share)
            match fault, index:
                case "raise", 1:
                    raise RuntimeError("the second evaluation\nfails")
                case "refuse", 1:
                    raise TrialFailedError("the loss is nan at step 7")
                case "die", 1:
                    os.kill(os.getpid(), 9)
                case "hang", 1:
                    on_step(350, 1200)
                    time.sleep(3600)
                case "full disk", 2:
                    raise DiskFailureError(errno.ENOSPC, os.strerror(errno.ENOSPC), "t.safetensors")
                case "fill memory", 1:
                    _fill_memory()
                case "nan", 2:
                    metrics["buy.auc"] = math.nan
                case "short", 2:
                    return
            if index == len(self.rungs) - 1:
                self._finish(assignment)
            yield Evaluation(
                epochs=share * config.train.epochs,
                examples=round(900 * share),
                wall_s=0.1 * share,
                metrics=metrics,
            )

    def _finish(self, assignment: Assignment) -> None:
        if self.weights_dir is not None:
            path = self.weights_dir / f"t{assignment.number:04d}.safetensors"
            path.write_bytes(b"weights")
        _add_line(self.log, f"{assignment.number} {assignment.seed}")


def num_lines(file: Path) -> int:
    """0 where there is no such file."""
    return len(file.read_text().splitlines()) if file.exists() else 0


def _add_line(file: Path | None, line: str) -> None:
    if file is not None:
        with file.open("a") as opened:
            opened.write(f"{line}\n")


def _fill_memory(num_gib: int = 8) -> None:
    """At 2 GiB a second or slower, so that a monitor sees it in time; RuntimeError if none does."""
    chunks = []
    for _ in range(num_gib * 16):
        chunks.append(b"1" * 2**26)
        time.sleep(0.03)
    raise RuntimeError("nobody minds")
