"""Steps on a GPU, recorded once and started by one call.

A step is several hundred small kernels. Started one by one from Python they leave a GPU idle most
of the time; a CUDA graph starts them all at once (`benchmarks/training.py --device cuda`, variant
`eager`, is what they take otherwise).
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from automtl.training.step import Stepper

__all__ = ["CapturedStepper"]

NUM_EAGER = 3  # libraries choose and load their kernels then, which must not be recorded


class CapturedStepper(Stepper):
    """As a Stepper on a GPU, step for step; every batch has the shape of the first.

    The loss that a step returns is overwritten by the next one.
    """

    _num_eager = 0
    _graph: torch.cuda.CUDAGraph | None = None

    def step(
        self,
        ids_BC: Tensor,
        numeric_BF: Tensor,
        targets_BK: Tensor,
        weights_BK: Tensor | None = None,
        *,
        epochs: float | Tensor,
    ) -> Tensor:
        batch = [ids_BC, numeric_BF, targets_BK]
        batch += [] if weights_BK is None else [weights_BK]
        if self._num_eager < NUM_EAGER:
            self._num_eager += 1
            return self._step_aside(batch, epochs)
        if self._graph is None:
            self._record(batch)
        assert self._graph is not None
        for place, tensor in zip(self._batch, batch, strict=True):
            place.copy_(tensor)
        self._epochs.fill_(epochs)
        self._graph.replay()
        return self._loss

    def _step_aside(self, batch: list[Tensor], epochs: float | Tensor) -> Tensor:
        """An ordinary step, where the recording will be made."""
        here, aside = torch.cuda.current_stream(), _stream_of(batch[0].device)
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            loss = super().step(*batch, epochs=epochs)
        here.wait_stream(aside)
        return loss

    def _record(self, batch: list[Tensor]) -> None:
        """Nothing is computed meanwhile. The thread that gathers batches goes on, whatever it asks
        of the device."""
        self._batch = [torch.empty_like(tensor) for tensor in batch]
        self._epochs = torch.zeros((), device=batch[0].device)
        graph = torch.cuda.CUDAGraph()
        stream = _stream_of(batch[0].device)
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            self._loss = super().step(*self._batch, epochs=self._epochs)
        self._graph = graph


@cache
def _stream_of(device: torch.device) -> torch.cuda.Stream:
    """One for all recordings of a process, as each stream that multiplies matrices keeps workspaces
    of tens of megabytes. It is not the default one, which cannot be recorded."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
