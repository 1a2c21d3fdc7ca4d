"""How long a model takes to score one batch: an objective that is measured, not counted.

Shapes: N rows, B rows of the batch.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automtl.data.cache import Rows
from automtl.models.model import MultiTaskModel
from automtl.training.precision import Used, autocast

__all__ = ["NUM_FASTEST", "NUM_RUNS", "NUM_WARM_UPS", "latency_ms"]

NUM_WARM_UPS = 5  # not counted: memory is fetched, kernels are chosen
NUM_RUNS = 40
NUM_FASTEST = 5


def latency_ms(
    model: MultiTaskModel,
    rows: Rows,
    *,
    batch_size: int,
    precision: Used = "fp32",
) -> float:
    """Milliseconds that `model` takes to score one batch of `batch_size` rows.

    The rule: NUM_RUNS calls of `model.predict` in a row, after NUM_WARM_UPS that do not count; the
    median of the NUM_FASTEST fastest. The median of all would measure the neighbours: at a load of
    seven a core it was six times as much, and this was fooled twice in twelve (docs/search.md).
    It is measured on the device where the model is, with the threads that torch has there.
    The batch are the first of `rows`, again from the start where there are fewer, and lies on the
    device already: encoding and copying are not counted. A call ends when the device has finished.
    The weights do not matter, so the model need not be trained.
    """
    rows_B = np.arange(batch_size) % len(rows)
    ids_BC, numeric_BF = (
        _on_device(part, rows_B, model) for part in (rows.ids_NC, rows.numeric_NF)
    )
    model.eval()
    with autocast(precision, model.device):
        taken_s = [_time(model, ids_BC, numeric_BF) for _ in range(NUM_WARM_UPS + NUM_RUNS)]
    return 1e3 * statistics.median(sorted(taken_s[NUM_WARM_UPS:])[:NUM_FASTEST])


def _time(model: MultiTaskModel, ids_BC: Tensor, numeric_BF: Tensor) -> float:
    _wait(model.device)
    started = time.perf_counter()
    model.predict(ids_BC, numeric_BF)
    _wait(model.device)
    return time.perf_counter() - started


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _on_device(
    array: NDArray[np.generic], rows_B: NDArray[np.int64], model: MultiTaskModel
) -> Tensor:
    return torch.from_numpy(array[rows_B]).to(model.device)
