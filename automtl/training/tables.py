"""Optimisers of embedding tables that touch only the rows of a batch.

A step costs the same whatever the number of rows in the table: nothing of its size is read,
written or allocated but the state, once.

Shapes: V rows of a table, D its width, N rows read by a batch (with repetitions), U of them
different.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from automtl.config import EmbeddingOptimizer

__all__ = ["TableOptimizer", "build_table_optimizer", "merge", "state_floats"]

ADAGRAD_EPS = 1e-10
ADAM_EPS = 1e-8
ADAM_BETAS = (0.9, 0.999)


def build_table_optimizer(
    kind: EmbeddingOptimizer, table_VD: Tensor, *, lr: float, l2: float
) -> TableOptimizer:
    """The optimiser that a recipe names."""
    return KINDS[kind](table_VD, lr=lr, l2=l2)


def state_floats(kind: EmbeddingOptimizer, width: int) -> int:
    """How many numbers of state a row of a table has."""
    return {"adagrad": width, "rowwise_adagrad": 1, "adam": 2 * width}[kind]


def merge(rows_N: Tensor, grads_ND: Tensor) -> tuple[Tensor, Tensor]:
    """The sum of the gradients of each row: -> rows_U (int64) and sums_UD.

    On the CPU each row stands there once. On an accelerator U is N, so that no shape waits for
    values: a row stands there as often as before, each time with the sum. The order of the
    additions follows from the rows alone, so that equal batches give equal bits.
    """
    merge_on = _merge_compact if rows_N.device.type == "cpu" else _merge_static
    return merge_on(rows_N, grads_ND)


def _merge_compact(rows_N: Tensor, grads_ND: Tensor) -> tuple[Tensor, Tensor]:
    keys_N, order_N, is_first_N = _sorted(rows_N)
    first_U = is_first_N.nonzero()[:, 0]
    return keys_N[first_U].long(), embedding_bag(order_N, grads_ND, first_U, mode="sum")


def _merge_static(rows_N: Tensor, grads_ND: Tensor) -> tuple[Tensor, Tensor]:
    keys_N, order_N, is_first_N = _sorted(rows_N)
    num_rows = len(keys_N)
    places_N = torch.arange(num_rows, device=keys_N.device)
    group_N = is_first_N.cumsum(0) - 1
    # where each group begins; groups that are not there begin, and end, at the end
    begins = places_N.new_full((num_rows + 1,), num_rows)
    begins.scatter_(0, torch.where(is_first_N, group_N, num_rows), places_N)
    sums_ND = embedding_bag(order_N, grads_ND, begins[:num_rows], mode="sum")
    return keys_N.long(), sums_ND.index_select(0, group_N)


def _sorted(rows_N: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """-> the rows sorted, the place that each had, and whether it is the first of its kind."""
    keys_N, order_N = torch.sort(rows_N, stable=True)
    is_first_N = torch.cat([torch.ones_like(keys_N[:1]), keys_N[1:] != keys_N[:-1]]).bool()
    return keys_N, order_N, is_first_N


class TableOptimizer(ABC):
    """One table and its state. `step` takes the rows of a batch and their gradients."""

    def __init__(self, table_VD: Tensor, *, lr: float, l2: float = 0.0) -> None:
        self.table_VD, self.lr, self.l2 = table_VD.detach(), lr, l2

    @torch.no_grad()
    def step(self, rows: Tensor, grads: Tensor) -> None:
        """Rows of any shape, grads [*rows.shape, D]; a row may stand there several times.

        `l2` adds l2 * w to the gradient of each row that is read: the mini-batch aware
        regularisation of Zhou et al., "Deep Interest Network", KDD 2018, §5.1, without the
        division by the row's count.
        """
        rows_U, grads_UD = merge(rows.flatten(), grads.reshape(-1, grads.shape[-1]))
        weight_UD = self.table_VD.index_select(0, rows_U)
        if self.l2:
            grads_UD = grads_UD.add(weight_UD, alpha=self.l2)
        weight_UD.sub_(self._change(rows_U, grads_UD), alpha=self.lr)
        self.table_VD.index_copy_(0, rows_U, weight_UD)

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """What it remembers of earlier steps, as it is in memory; not the table."""

    @abstractmethod
    def _change(self, rows_U: Tensor, grads_UD: Tensor) -> Tensor:
        """Updates the state of `rows_U`; returns what to subtract, in units of the rate."""


class Adagrad(TableOptimizer):
    """s += g², w -= lr g / √s, element by element. Duchi et al., JMLR 2011."""

    def __init__(self, table_VD: Tensor, *, lr: float, l2: float = 0.0) -> None:
        super().__init__(table_VD, lr=lr, l2=l2)
        self.sum_VD = torch.zeros_like(self.table_VD)

    def state(self) -> dict[str, Tensor]:
        return {"sum": self.sum_VD}

    def _change(self, rows_U: Tensor, grads_UD: Tensor) -> Tensor:
        sum_UD = self.sum_VD.index_select(0, rows_U).addcmul_(grads_UD, grads_UD)
        self.sum_VD.index_copy_(0, rows_U, sum_UD)
        return grads_UD / sum_UD.sqrt_().add_(ADAGRAD_EPS)


class RowwiseAdagrad(TableOptimizer):
    """s += mean(g²) over the row: one number of state a row in place of D."""

    def __init__(self, table_VD: Tensor, *, lr: float, l2: float = 0.0) -> None:
        super().__init__(table_VD, lr=lr, l2=l2)
        self.sum_V = self.table_VD.new_zeros(len(self.table_VD))

    def state(self) -> dict[str, Tensor]:
        return {"sum": self.sum_V}

    def _change(self, rows_U: Tensor, grads_UD: Tensor) -> Tensor:
        sum_U = self.sum_V.index_select(0, rows_U).add_(grads_UD.square().mean(1))
        self.sum_V.index_copy_(0, rows_U, sum_U)
        return grads_UD / sum_U.sqrt_().add_(ADAGRAD_EPS)[:, None]


class LazyAdam(TableOptimizer):
    """Adam whose moments of a row change only when a batch reads it (torch's SparseAdam)."""

    def __init__(self, table_VD: Tensor, *, lr: float, l2: float = 0.0) -> None:
        super().__init__(table_VD, lr=lr, l2=l2)
        self.mean_VD = torch.zeros_like(self.table_VD)
        self.square_VD = torch.zeros_like(self.table_VD)
        self.num_steps = self.table_VD.new_zeros((), dtype=torch.float64)

    def state(self) -> dict[str, Tensor]:
        return {"mean": self.mean_VD, "square": self.square_VD, "num_steps": self.num_steps}

    def _change(self, rows_U: Tensor, grads_UD: Tensor) -> Tensor:
        num_steps = self.num_steps.add_(1)
        first, second = ADAM_BETAS
        mean_UD = self.mean_VD.index_select(0, rows_U).lerp_(grads_UD, 1 - first)
        square_UD = self.square_VD.index_select(0, rows_U).lerp_(grads_UD.square(), 1 - second)
        self.mean_VD.index_copy_(0, rows_U, mean_UD)
        self.square_VD.index_copy_(0, rows_U, square_UD)
        correction = (1 - second**num_steps).sqrt() / (1 - first**num_steps)
        return mean_UD.mul_(correction).div_(square_UD.sqrt_().add_(ADAM_EPS))


KINDS: Mapping[EmbeddingOptimizer, type[TableOptimizer]] = {
    "adagrad": Adagrad,
    "rowwise_adagrad": RowwiseAdagrad,
    "adam": LazyAdam,
}
