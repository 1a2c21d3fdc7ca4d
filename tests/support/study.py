"""A study that was never run: plausible trials of every kind, for whatever reads a study."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automtl.config import FAMILIES, Evaluation, ModelConfig, TrainConfig, TrialConfig
from automtl.confirmed import Confirmation
from automtl.spec.schema import Spec
from automtl.study import Study, TrialRecord

START = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
META: Mapping[str, Any] = {
    "format": 1,
    "name": "kuairand",
    "created": START.isoformat(),
    "versions": {"python": "3.11.7", "automtl": "0.1.0", "numpy": "2.2", "torch": "2.8"},
    "seed": 0,
    "spec_digest": "0123456789abcdef",
    "data": {"fingerprint": "fedcba9876543210", "cache": "/cache/fedcba"},
    "command": "automtl search kuairand.yaml",
}
PLE_EXPERTS = ("num_shared_experts", "num_task_experts")


class StudyOfRecords(Study):
    """Reads like any study; its history is in memory."""

    def __init__(
        self,
        records: Sequence[TrialRecord],
        spec: Spec,
        *,
        run_dir: Path = Path("reports/kuairand"),
        active: bool = False,
        ended: str = "",
        num_rejected: int = 0,
        wall_s: float = 0.0,
        confirmation: Confirmation | None = None,
    ) -> None:
        self.run_dir = run_dir
        self.meta = {**META, "name": spec.name}
        self.__dict__["spec"] = spec
        self.active = active
        self._ended, self._num_rejected, self._wall_s = ended, num_rejected, wall_s
        self._confirmation = confirmation
        self._records = tuple(records)
        self._answers = ((), {})

    def history(self) -> tuple[TrialRecord, ...]:
        self._history = self._records
        return self._records

    def confirmation(self) -> Confirmation | None:
        return self._confirmation

    @property
    def budget(self) -> int:
        return self.spec.search.trials

    @property
    def ended(self) -> str:
        return self._ended

    @property
    def num_rejected(self) -> int:
        return self._num_rejected

    @property
    def wall_s(self) -> float:
        return self._wall_s

    def is_active(self) -> bool:
        return self.active


def make_spec(
    *,
    objectives: Sequence[str] = ("click.auc", "long_view.auc", "params"),
    tasks: Mapping[str, Any] | None = None,
    constraints: Sequence[str] = ("params <= 1e8",),
    trials: int = 24,
    name: str = "kuairand",
) -> Spec:
    """A spec of two tasks, the second after the first, over some families."""
    tasks = tasks or {
        "click": {"label": "is_click"},
        "long_view": {"label": "long_view", "given": "click"},
    }
    has_chain = any("given" in task for task in tasks.values())
    return Spec.from_dict(
        {
            "version": 1,
            "name": name,
            "data": {
                "path": "rows.parquet",
                "split": {"column": "split"},
                "categorical": ["user_id", "video_id"],
            },
            "tasks": dict(tasks),
            "objectives": list(objectives),
            "constraints": list(constraints),
            "space": {
                "sharing": [
                    {"family": "shared_bottom"},
                    {"family": "mmoe", "num_shared_experts": {"int": [2, 8]}},
                    {"family": "ple", "num_levels": 2, **dict.fromkeys(PLE_EXPERTS, 1)},
                ],
                "dependency": {"choice": ["none", "esmm"]} if has_chain else "none",
                "lr": {"float": [1e-4, 1e-2], "log": True},
            },
            "search": {"trials": trials},
        }
    )


def make_record(
    number: int,
    *,
    family: str = "mmoe",
    dependency: str = "none",
    role: str = "search",
    state: str = "complete",
    objectives: Sequence[str] = (),
    metrics: Mapping[str, float] | None = None,
    **changes: Any,
) -> TrialRecord:
    """One trial; a complete one has the values of `objectives` among its `metrics`."""
    metrics = metrics or {}
    complete = state == "complete"
    rng = np.random.default_rng(number)
    lr = float(10 ** rng.uniform(-4, -2))
    started = START + dt.timedelta(seconds=15 * number)
    record = TrialRecord(
        number=number,
        state=state,  # type: ignore[arg-type]
        role=role,  # type: ignore[arg-type]
        params={"family": family, "dependency": dependency, "lr": lr},
        config=TrialConfig(
            model=ModelConfig(family=family, dependency=dependency),  # type: ignore[arg-type]
            train=TrainConfig(lr=lr),
        ),
        evaluations=tuple(
            Evaluation(epochs=part, examples=int(160_000 * part), wall_s=20 * part, metrics=metrics)
            for part in (1 / 9, 1 / 3, 1.0)
            if complete
        ),
        values={name: metrics[name] for name in objectives} if complete else None,
        feasible=True,
        in_space=role != "reference",
        reason="",
        traceback="",
        started=started,
        finished=None if state == "running" else started + dt.timedelta(seconds=20),
        seed=number + 100,
        origin=number,
        planned="" if role == "search" else f"{role}:{number}",
        has_weights=complete,
    )
    return dataclasses.replace(record, **changes)


def make_study(
    num_complete: int = 24,
    *,
    num_failed: int = 1,
    num_running: int = 0,
    num_pruned: int = 0,
    seed: int = 0,
    spec: Spec | None = None,
    **options: Any,
) -> StudyOfRecords:
    """References, baselines, then a search whose results trade the tasks against the size."""
    spec = spec or make_spec(trials=max(1, num_complete + num_failed + num_pruned + num_running))
    rng = np.random.default_rng(seed)
    records = []
    for number in range(num_complete):
        family = FAMILIES[number % len(FAMILIES)]
        is_reference = number in (0, len(FAMILIES))
        is_baseline = number < len(FAMILIES) and not is_reference
        role = "reference" if is_reference else "baseline" if is_baseline else "search"
        dependency = "esmm" if role == "search" and rng.random() < 0.4 else "none"
        records.append(
            make_record(
                number,
                family=family,
                dependency=dependency,
                role=role,
                objectives=spec.objectives,
                metrics=_metrics(rng, spec, family),
            )
        )
    for number in range(num_complete, num_complete + num_failed):
        reason = "click: the loss is NaN after 1,024 examples"
        trace = f"Traceback (most recent call last):\n  ...\nTrialFailedError: {reason}"
        records.append(
            make_record(number, family="ple", state="failed", reason=reason, traceback=trace)
        )
    first = num_complete + num_failed
    records += [
        _pruned(number, _metrics(rng, spec, "mmoe")) for number in range(first, first + num_pruned)
    ]
    first += num_pruned
    records += [
        make_record(number, state="running") for number in range(first, first + num_running)
    ]
    return StudyOfRecords(records, spec, **options)


def _pruned(number: int, metrics: Mapping[str, float]) -> TrialRecord:
    seen = Evaluation(epochs=1 / 9, examples=17_778, wall_s=2.2, metrics=metrics)
    reason = "stopped after 0.111 epochs: rank 7 of 12, the best 4 go on"
    return make_record(number, state="pruned", reason=reason, evaluations=(seen,))


def _metrics(rng: np.random.Generator, spec: Spec, family: str) -> dict[str, float]:
    """The larger the better, by little; what one task wins another loses."""
    size = 10 ** rng.uniform(6, 7) * (1.9 if family == "single_task" else 1)
    trade = rng.normal(0, 0.004)
    metrics = {"params": float(round(size)), "flops": size * 2}
    for index, task in enumerate(spec.tasks):
        level = (0.73, 0.66)[index % 2] + 0.006 * np.log10(size / 1e6) + rng.normal(0, 0.002)
        auc = float(level + trade * (1, -1.5)[index % 2])
        metrics |= {f"{task}.auc": auc, f"{task}.logloss": 1.2 - auc}
        metrics |= {f"{task}.mae": 3 - auc, f"{task}.rmse": 4 - auc}
    return metrics
