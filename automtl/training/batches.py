"""Batches of encoded rows on the device that trains; no DataLoader.

Shapes: N rows, B rows of a batch.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automtl.training.memory import free_bytes

__all__ = ["Batches", "placement", "resolve_device"]

RESIDENT_SHARE = 0.25  # of an accelerator's free memory: trials that share it each hold the rows
Placement = Literal["host", "device", "streamed"]


def resolve_device(device: str) -> torch.device:
    """`auto` is the GPU where there is one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)


def placement(num_bytes: int, device: torch.device, free_bytes: int) -> Placement:
    """Where the rows lie while a trial trains.

    `host`, for the CPU: copied out of the memory map batch by batch, so that memory stays flat.
    `device`: on the accelerator as a whole, if they take at most a quarter of its free memory.
    `streamed`, otherwise: gathered by a thread one batch ahead, in pinned memory.
    """
    if device.type == "cpu":
        return "host"
    return "device" if num_bytes <= RESIDENT_SHARE * free_bytes else "streamed"


class Batches:
    """Rows of equal length side by side, handed out as tensors on `device`.

    `placed` overrules `placement`.
    """

    def __init__(
        self,
        *arrays: NDArray[np.generic],
        device: torch.device,
        placed: Placement | None = None,
    ) -> None:
        self.num_rows, self.device = len(arrays[0]), device
        self.num_bytes = sum(array.nbytes for array in arrays)
        self.placed = placed or placement(self.num_bytes, device, _free_bytes(device))
        self._arrays = arrays
        if self.placed == "device":
            self._tensors = [torch.from_numpy(np.array(array)).to(device) for array in arrays]

    def take(self, rows_B: Tensor) -> list[Tensor]:
        """The given rows of every array; `rows_B` is where the rows are, on the device or not."""
        if self.placed == "device":
            return [tensor.index_select(0, rows_B) for tensor in self._tensors]
        return self._to_device(self._gather(rows_B))

    def in_order(self, batch_size: int) -> Iterator[list[Tensor]]:
        """All rows, in order; the last batch may be smaller."""
        for start in range(0, self.num_rows, batch_size):
            part = slice(start, start + batch_size)
            if self.placed == "device":
                yield [tensor[part] for tensor in self._tensors]
            else:
                yield self._to_device([torch.from_numpy(np.array(a[part])) for a in self._arrays])

    def shuffled(
        self, batch_size: int, generator: np.random.Generator, *, skip: int = 0
    ) -> Iterator[list[Tensor]]:
        """Epoch after epoch without end, each a fresh permutation; batches of equal size.

        A batch may begin in one epoch and end in the next, so that no row is left out and every
        batch counts the same. A batch larger than the data is the whole data. The first `skip`
        batches are left out: of those no row is read.
        """
        rows = self._shuffled_rows(min(batch_size, self.num_rows), generator)
        rows = itertools.islice(rows, skip, None)
        if self.placed != "streamed":
            yield from map(self.take, rows)
            return
        with ThreadPoolExecutor(max_workers=1) as thread:
            ahead = thread.submit(self._gather, next(rows))
            while True:
                ready, ahead = ahead.result(), thread.submit(self._gather, next(rows))
                yield self._to_device(ready)

    def _shuffled_rows(self, batch_size: int, generator: np.random.Generator) -> Iterator[Tensor]:
        """The rows of each batch, where `take` wants them: moved once an epoch."""
        pending = self._permutation(generator)
        while True:
            if len(pending) < batch_size:
                pending = torch.cat([pending, self._permutation(generator)])
            yield pending[:batch_size]
            pending = pending[batch_size:]

    def _permutation(self, generator: np.random.Generator) -> Tensor:
        rows_N = torch.from_numpy(generator.permutation(self.num_rows))
        return rows_N.to(self.device) if self.placed == "device" else rows_N

    def _gather(self, rows_B: Tensor) -> list[Tensor]:
        index_B = rows_B.numpy()
        taken = [torch.from_numpy(array.take(index_B, axis=0)) for array in self._arrays]
        return [one.pin_memory() for one in taken] if self.device.type == "cuda" else taken

    def _to_device(self, tensors: list[Tensor]) -> list[Tensor]:
        if self.device.type == "cpu":
            return tensors
        return [tensor.to(self.device, non_blocking=True) for tensor in tensors]


def _free_bytes(device: torch.device) -> int:
    """Of an accelerator; on the CPU rows stay in their files, so nobody asks."""
    return 0 if device.type == "cpu" else free_bytes(device) or 0
