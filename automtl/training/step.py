"""One training step: forward, loss, backward, the dense part's update and the tables'.

Nothing in it waits for the device. Shapes: B rows, C id columns, F numeric columns, K tasks.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from automtl.config import TrainConfig
from automtl.models.model import MultiTaskModel
from automtl.training.losses import MultiTaskLoss
from automtl.training.optim import build_dense_optimizer, build_table_optimizers
from automtl.training.precision import Used, autocast, multiplying

__all__ = ["Stepper"]


class Stepper:
    """A model, its loss and their optimisers."""

    def __init__(
        self,
        config: TrainConfig,
        model: MultiTaskModel,
        loss: MultiTaskLoss,
        *,
        precision: Used = "fp32",
    ) -> None:
        self.model, self.loss, self.precision = model, loss, precision
        self.dense = build_dense_optimizer(config, model, loss)
        self.tables = build_table_optimizers(config, model)

    def state(self) -> dict[str, Tensor]:
        """All that steps change, by name, as it is in memory."""
        parts: dict[str, Mapping[str, Tensor]] = {
            "model": self.model.state_dict(),
            "loss": self.loss.state_dict(),
            "dense": self.dense.state(),
            **{f"table{number}": table.state() for number, table in enumerate(self.tables)},
        }
        return {
            f"{part}.{name}": tensor
            for part, tensors in parts.items()
            for name, tensor in tensors.items()
        }

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Goes back, or on, to a `state` of the same names and shapes."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])

    def step(
        self,
        ids_BC: Tensor,
        numeric_BF: Tensor,
        targets_BK: Tensor,
        weights_BK: Tensor | None = None,
        *,
        epochs: float | Tensor,
    ) -> Tensor:
        """Learns from one batch after `epochs` epochs; -> its loss before that, a scalar."""
        store = self.model.embedding
        rows = store.rows(ids_BC, numeric_BF)
        vectors = store.gather(rows)
        with autocast(self.precision, ids_BC.device):
            logits_BK = self.model.trunk(store.assemble(vectors, ids_BC, numeric_BF))
        loss = self.loss(logits_BK, targets_BK, weights_BK, epochs=epochs)
        self.dense.zero_grad()
        with multiplying(self.precision):
            loss.backward()
        self.dense.step()
        for table, rows_GBC, vectors_GBCD in zip(self.tables, rows, vectors, strict=True):
            assert vectors_GBCD.grad is not None, "everything that is looked up is read"
            table.step(rows_GBC, vectors_GBCD.grad)
        detached: Tensor = loss.detach()
        return detached
