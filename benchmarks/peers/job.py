"""What one measurement is and what comes out of it; the same files for every side.

    JOB_DIR/  job.json (a Job) · rows.npz · result.json (a Result) · predictions.npz

`rows.npz` holds, for each split (`train`, `valid`, perhaps `test`), `<split>_ids` [N, C] int32,
`<split>_numeric` [N, F] float32 and `<split>_labels` [N, K] float32 in {0, 1}; and `vocab` [C]
(ids of column c are below vocab[c]) and `tasks` [K], their names. Standard library and numpy only:
both the peers' environment and ours read this file.

Shapes: N rows, C id columns, F numeric columns, K tasks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

JOB_FILE, ROWS_FILE, RESULT_FILE = "job.json", "rows.npz", "result.json"
PREDICTIONS_FILE = "predictions.npz"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One model trained once. Knobs that a family or a side lacks are ignored.

    `side` is `rechub`, `deepctr` or `automtl`; `variant` says how ours trains (see `ours.py`).
    `max_steps` cuts the train rows to that many batches. `num_shared_experts` are MMoE's experts.
    """

    side: str
    family: str
    variant: str = "fp32"
    embedding_dim: int = 16
    num_levels: int = 1
    num_shared_experts: int = 1
    num_task_experts: int = 1
    expert_dims: tuple[int, ...] = (128, 64)
    tower_dims: tuple[int, ...] = (32,)
    gate_dims: tuple[int, ...] = ()
    batch_size: int = 2048
    eval_batch_size: int = 2048
    lr: float = 1e-3
    epochs: int = 1
    max_steps: int | None = None
    seed: int = 0
    threads: int = 1
    device: str = "cpu"
    warmup_steps: int = 5
    keep_predictions: bool = False

    def save(self, directory: Path) -> None:
        (directory / JOB_FILE).write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Job:
        values = json.loads((directory / JOB_FILE).read_text(encoding="utf-8"))
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one job measured; None where a side cannot tell.

    - `examples`: rows trained on, all epochs together.
    - `train_per_s`: examples of one batch over the median time from one training step to the
      next, warm-up left out; batch making included.
    - `train_whole_per_s`: examples over the wall time of the whole training, evaluation excluded.
    - `ready_per_s`: as `train_per_s`, with the batches ready as tensors.
    - `eval_per_s`: valid rows over the wall time of predicting them.
    - `overhead_s`: what a whole trial took beyond training and evaluating.
    - `peak_mib`: the largest resident memory above that of the bare imports, rows included; on a
      GPU the largest amount that tensors took there.
    - `auc`: by split, one a task.
    """

    versions: Mapping[str, str]
    examples: int | None = None
    train_per_s: float | None = None
    train_whole_per_s: float | None = None
    ready_per_s: float | None = None
    eval_per_s: float | None = None
    overhead_s: float | None = None
    peak_mib: float | None = None
    gflops: float | None = None
    auc: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def save(self, directory: Path) -> None:
        (directory / RESULT_FILE).write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Result:
        return cls(**json.loads((directory / RESULT_FILE).read_text(encoding="utf-8")))


@dataclass(frozen=True, kw_only=True)
class Split:
    """The rows of one split."""

    ids_NC: np.ndarray[Any, Any]
    numeric_NF: np.ndarray[Any, Any]
    labels_NK: np.ndarray[Any, Any]

    def __len__(self) -> int:
        return len(self.ids_NC)

    def part(self, rows: slice) -> Split:
        """Those rows, not copied."""
        return Split(
            ids_NC=self.ids_NC[rows],
            numeric_NF=self.numeric_NF[rows],
            labels_NK=self.labels_NK[rows],
        )


@dataclass(frozen=True, kw_only=True)
class JobRows:
    """The content of a `rows.npz`."""

    splits: Mapping[str, Split]
    vocab: tuple[int, ...]
    tasks: tuple[str, ...]

    def save(self, path: Path) -> None:
        arrays: dict[str, Any] = {"vocab": np.array(self.vocab), "tasks": np.array(self.tasks)}
        for name, split in self.splits.items():
            arrays[f"{name}_ids"] = np.asarray(split.ids_NC, dtype=np.int32)
            arrays[f"{name}_numeric"] = np.asarray(split.numeric_NF, dtype=np.float32)
            arrays[f"{name}_labels"] = np.asarray(split.labels_NK, dtype=np.float32)
        np.savez(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> JobRows:
        with np.load(path) as arrays:
            names = [name[: -len("_ids")] for name in arrays.files if name.endswith("_ids")]
            splits = {
                name: Split(
                    ids_NC=arrays[f"{name}_ids"],
                    numeric_NF=arrays[f"{name}_numeric"],
                    labels_NK=arrays[f"{name}_labels"],
                )
                for name in names
            }
            return cls(
                splits=splits,
                vocab=tuple(arrays["vocab"].tolist()),
                tasks=tuple(arrays["tasks"].tolist()),
            )

    def train(self, job: Job) -> Split:
        """The train rows that `job` uses."""
        rows = self.splits["train"]
        return rows if job.max_steps is None else rows.part(slice(job.max_steps * job.batch_size))
