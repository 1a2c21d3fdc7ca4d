"""torch-rechub: its model classes, its DataGenerator and DataLoader, its MTLTrainer.

What cannot be made equal to ours:

- every hidden layer, and every gate before its softmax, has a batch norm; gates are one layer;
- the tables start at N(0, 1e-4²), and the loss is the mean over tasks, not the sum (Adam hardly
  feels the factor);
- one Adam updates every row of every table; the trainer's own default weight decay is off, as ours
  has none;
- ESMM reads id columns only, and its two networks share nothing but the tables.

CGC is PLE with one level. There is no single-task model among its multi-task classes.

Shapes: N rows, C id columns, F numeric columns, K tasks.
"""

from __future__ import annotations

import itertools
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from job import Job, Split
from torch.utils.data import DataLoader
from torch_rechub.basic.features import DenseFeature, SparseFeature
from torch_rechub.models.multi_task import ESMM, MMOE, PLE, SharedBottom
from torch_rechub.trainers import MTLTrainer
from torch_rechub.utils.data import DataGenerator, PredictDataset

VERSIONS = {"torch-rechub": version("torch-rechub"), "torch": torch.__version__}


class Peer:
    """One model and its trainer."""

    def __init__(self, job: Job, *, vocab: tuple[int, ...], num_numeric: int, num_tasks: int):
        torch.manual_seed(job.seed)
        self.job = job
        self.id_names = [f"c{column}" for column in range(len(vocab))]
        self.numeric_names = [f"x{column}" for column in range(num_numeric)]
        sparse = [
            SparseFeature(name, vocab_size=rows, embed_dim=job.embedding_dim)
            for name, rows in zip(self.id_names, vocab, strict=True)
        ]
        dense = [DenseFeature(name) for name in self.numeric_names]
        self.model = build(job, sparse, dense, num_tasks)
        num_outputs = num_tasks + (job.family == "esmm")  # pCVR comes first, without a loss
        self.trainer = MTLTrainer(
            self.model,
            ["classification"] * num_outputs,
            optimizer_params={"lr": job.lr},
            device=job.device,
        )

    def fit(self, rows: Split) -> None:
        """The trainer's loop over its own data path, without its evaluations between epochs."""
        loader = self._loader(rows)
        for _ in range(self.job.epochs):
            self.trainer.train_one_epoch(loader)

    def predict(self, rows: Split) -> np.ndarray[Any, Any]:
        dataset = PredictDataset(self._columns(rows))
        loader = DataLoader(dataset, batch_size=self.job.eval_batch_size)
        scores_NK = np.array(self.trainer.predict(self.model, loader))
        return scores_NK[:, 1:] if self.job.family == "esmm" else scores_NK

    def train_on_ready(self, rows: Split, num_steps: int) -> None:
        """The same loop over batches that are already tensors."""
        self.trainer.train_one_epoch(list(itertools.islice(self._loader(rows), num_steps)))

    def _columns(self, rows: Split) -> dict[str, np.ndarray[Any, Any]]:
        columns = dict(zip(self.id_names, rows.ids_NC.T, strict=True))
        return columns | dict(zip(self.numeric_names, rows.numeric_NF.T, strict=True))

    def _loader(self, rows: Split) -> DataLoader[Any]:
        labels_NK = rows.labels_NK
        if self.job.family == "esmm":
            labels_NK = np.concatenate([labels_NK[:, 1:], labels_NK], axis=1)
        x = self._columns(rows)
        generator = DataGenerator(x, labels_NK)
        # its loaders come as three; only the first is used
        train, _, _ = generator.generate_dataloader(
            x_val=x, y_val=labels_NK, x_test=x, y_test=labels_NK, batch_size=self.job.batch_size
        )
        return train


def build(job: Job, sparse: list[Any], dense: list[Any], num_tasks: int) -> torch.nn.Module:
    types = ["classification"] * num_tasks
    expert = {"dims": list(job.expert_dims), "activation": "relu", "dropout": 0.0}
    tower = {"dims": list(job.tower_dims), "activation": "relu", "dropout": 0.0}
    towers = [tower] * num_tasks
    match job.family:
        case "shared_bottom":
            return SharedBottom(sparse + dense, types, expert, towers)
        case "mmoe":
            return MMOE(sparse + dense, types, job.num_shared_experts, expert, towers)
        case "cgc" | "ple":
            return PLE(
                sparse + dense,
                types,
                n_level=job.num_levels,
                n_expert_specific=job.num_task_experts,
                n_expert_shared=job.num_shared_experts,
                expert_params=expert,
                tower_params_list=towers,
            )
        case "esmm":
            half = len(sparse) // 2  # it wants users and items apart, and treats them alike
            network = tower | {"dims": [*job.expert_dims, *job.tower_dims]}
            return ESMM(sparse[:half], sparse[half:], cvr_params=network, ctr_params=network)
        case _:
            raise ValueError(f"torch-rechub has no {job.family}")
