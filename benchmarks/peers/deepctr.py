"""DeepCTR-Torch: its model classes and its own `fit` and `predict`.

What cannot be made equal to ours:

- gates and the last layer of a tower have no bias (a task has one bias after its tower);
- PLE builds as many shared experts as a task has of its own, whatever was asked (equal here when
  both numbers are equal), and computes a shared gate behind the last level that nothing reads;
- the loss is the sum over a batch's rows, not the mean (Adam hardly feels the factor);
- one Adam updates every row of every table; the default L2 penalty on the tables, another pass
  over every row, is off, as ours has none.

Every hidden weight and table starts at N(0, 1e-4²), the library's default. CGC is PLE with one
level. There is no single-task model among its multi-task classes. Importing the library asks the
network for a newer version through `requests`; it does so in vain here.

Shapes: N rows, C id columns, F numeric columns, K tasks.
"""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np
import torch
from job import Job, Split

sys.modules["requests"] = types.ModuleType("requests")  # used for the version check only

import deepctr_torch  # noqa: E402
from deepctr_torch.inputs import DenseFeat, SparseFeat  # noqa: E402
from deepctr_torch.models import ESMM, MMOE, PLE, SharedBottom  # noqa: E402

VERSIONS = {"deepctr-torch": deepctr_torch.__version__, "torch": torch.__version__}


class Peer:
    """One compiled model."""

    def __init__(self, job: Job, *, vocab: tuple[int, ...], num_numeric: int, num_tasks: int):
        self.job = job
        self.id_names = [f"c{column}" for column in range(len(vocab))]
        self.numeric_names = [f"x{column}" for column in range(num_numeric)]
        columns = [
            SparseFeat(name, vocabulary_size=rows, embedding_dim=job.embedding_dim)
            for name, rows in zip(self.id_names, vocab, strict=True)
        ] + [DenseFeat(name, 1) for name in self.numeric_names]
        self.model = build(job, columns, num_tasks)
        self.model.compile(
            torch.optim.Adam(self.model.parameters(), lr=job.lr),
            loss=["binary_crossentropy"] * num_tasks,
            metrics=[],
        )

    def fit(self, rows: Split) -> None:
        self.model.fit(
            self._columns(rows),
            rows.labels_NK,
            batch_size=self.job.batch_size,
            epochs=self.job.epochs,
            verbose=0,
        )

    def predict(self, rows: Split) -> np.ndarray[Any, Any]:
        return self.model.predict(self._columns(rows), self.job.eval_batch_size)

    def train_on_ready(self, rows: Split, num_steps: int) -> None:
        """The body of the loop in `fit`, over batches that are already tensors."""
        size = self.job.batch_size
        batches = [
            (
                torch.from_numpy(np.hstack([rows.ids_NC[part], rows.numeric_NF[part]])).float(),
                torch.from_numpy(rows.labels_NK[part]),
            )
            for part in (slice(step * size, (step + 1) * size) for step in range(num_steps))
        ]
        model = self.model.train()
        for x, y in ((x.to(self.job.device), y.to(self.job.device)) for x, y in batches):
            y_pred = model(x)
            model.optim.zero_grad()
            loss = sum(
                one(y_pred[:, k], y[:, k], reduction="sum") for k, one in enumerate(model.loss_func)
            )
            total = loss + model.get_regularization_loss() + model.aux_loss
            loss.item()
            total.item()
            total.backward()
            model.optim.step()

    def _columns(self, rows: Split) -> dict[str, np.ndarray[Any, Any]]:
        columns = dict(zip(self.id_names, rows.ids_NC.T, strict=True))
        return columns | dict(zip(self.numeric_names, rows.numeric_NF.T, strict=True))


def build(job: Job, columns: list[Any], num_tasks: int) -> Any:
    shared = {
        "tower_dnn_hidden_units": job.tower_dims,
        "l2_reg_linear": 0.0,
        "l2_reg_embedding": 0.0,
        "seed": job.seed,
        "device": job.device,
        "task_types": ["binary"] * num_tasks,
        "task_names": [f"t{task}" for task in range(num_tasks)],
    }
    experts = {
        "expert_dnn_hidden_units": job.expert_dims,
        "gate_dnn_hidden_units": job.gate_dims,
    }
    match job.family:
        case "shared_bottom":
            return SharedBottom(columns, bottom_dnn_hidden_units=job.expert_dims, **shared)
        case "mmoe":
            return MMOE(columns, num_experts=job.num_shared_experts, **experts, **shared)
        case "cgc" | "ple":
            return PLE(
                columns,
                shared_expert_num=job.num_shared_experts,
                specific_expert_num=job.num_task_experts,
                num_levels=job.num_levels,
                **experts,
                **shared,
            )
        case "esmm":
            network = (*job.expert_dims, *job.tower_dims)
            return ESMM(columns, **shared | {"tower_dnn_hidden_units": network})
        case _:
            raise ValueError(f"DeepCTR-Torch has no {job.family}")
