"""Batches straight from the memory-mapped rows; on a GPU the rows live on the device.

Shapes: N rows, B rows of a batch, C id columns, F numeric columns, K tasks.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Batches", "resolve_device"]


def resolve_device(device: str) -> torch.device:
    """`auto` is the GPU where there is one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)


class Batches:
    """Rows of equal length side by side, handed out as tensors on `device`.

    On the CPU a batch is copied out of the map when it is asked for, so memory stays flat. On a
    GPU all arrays are moved there once.
    """

    def __init__(self, *arrays: NDArray[np.generic], device: torch.device) -> None:
        self.num_rows = len(arrays[0])
        self._arrays = arrays
        self._on_device = (
            None
            if device.type == "cpu"
            else [torch.from_numpy(np.array(array)).to(device) for array in arrays]
        )

    def take(self, rows_B: NDArray[np.int64]) -> list[Tensor]:
        """The given rows of every array."""
        if self._on_device is None:
            return [torch.from_numpy(array.take(rows_B, axis=0)) for array in self._arrays]
        index = torch.from_numpy(rows_B).to(self._on_device[0].device)
        return [tensor.index_select(0, index) for tensor in self._on_device]

    def in_order(self, batch_size: int) -> Iterator[list[Tensor]]:
        """All rows, in order; the last batch may be smaller."""
        for start in range(0, self.num_rows, batch_size):
            stop = min(start + batch_size, self.num_rows)
            if self._on_device is None:
                yield [torch.from_numpy(np.array(array[start:stop])) for array in self._arrays]
            else:
                yield [tensor[start:stop] for tensor in self._on_device]

    def shuffled(self, batch_size: int, generator: np.random.Generator) -> Iterator[list[Tensor]]:
        """Epoch after epoch without end, each a fresh permutation; batches of equal size.

        A batch may begin in one epoch and end in the next, so that no row is left out and every
        batch counts the same. A batch larger than the data is the whole data.
        """
        batch_size = min(batch_size, self.num_rows)
        pending = generator.permutation(self.num_rows)
        while True:
            if len(pending) < batch_size:
                pending = np.concatenate([pending, generator.permutation(self.num_rows)])
            yield self.take(pending[:batch_size])
            pending = pending[batch_size:]
