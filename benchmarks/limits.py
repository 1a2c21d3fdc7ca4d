"""How fast the dense part could be: alone, and as its bare matrix products.

Written against the inside of `automtl.models`: a model's `embedding` and `trunk`, and the shapes
that `plan_model` lists.

Shapes: G inputs or MLPs side by side, B rows, I input width, O output width, E embedded width.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from peers import measure
from torch import Tensor

from automtl.models.layers import GEMM_WIDTH
from automtl.models.plan import Bank, plan_model
from automtl.training.fit import Trainer
from automtl.training.losses import MultiTaskLoss, task_targets
from automtl.training.optim import build_dense_optimizer

NUM_STEPS, NUM_WARMUP = 40, 5


def dense_part(trainer: Trainer) -> dict[str, Any]:
    """Trunk forward, loss, backward to the embedded inputs, and the dense optimiser's step; the
    embedded inputs [G, B, E] are ready and want a gradient."""
    config, data, model = trainer.config, trainer.data, trainer.model
    rows, batch = data.rows("train"), slice(config.train.batch_size)
    with torch.no_grad():
        ids_BC, numeric_BF = (
            torch.from_numpy(array[batch]).to(trainer.device)
            for array in (rows.ids_NC, rows.numeric_NF)
        )
        x_GBE = model.embedding(ids_BC, numeric_BF)
    x_GBE.requires_grad_()
    targets_NK = task_targets(rows.labels_NK[batch], data.tasks, dependency=config.model.dependency)
    targets_BK = torch.from_numpy(targets_NK).to(trainer.device)
    loss = MultiTaskLoss(config, data.tasks).to(trainer.device)
    optimizer = build_dense_optimizer(config.train, model, loss)

    def one_step() -> None:
        x_GBE.grad = None
        optimizer.zero_grad()
        loss(model.trunk(x_GBE), targets_BK, epochs=0.0).backward()
        optimizer.step()

    return {"train_per_s": len(ids_BC) / median_s(one_step, trainer.device)}


def gemms(trainer: Trainer) -> dict[str, Any]:
    """Nothing but the matrix products of one step's forward and backward pass, into buffers that
    are there: no bias, activation, gate mixing, loss or optimiser."""
    config, data = trainer.config, trainer.data
    plan = plan_model(config.model, data.features, num_tasks=len(data.tasks))
    banks = [*(bank for level in plan.levels for bank in level.banks), plan.towers]
    num_rows = config.train.batch_size
    shapes = [shape for bank in banks for shape in gemm_shapes(bank)]
    products = [
        product for shape in shapes for product in products_of(*shape, num_rows, trainer.device)
    ]

    def one_step() -> None:
        for left, right, out in products:
            torch.matmul(left, right, out=out)

    step_s = median_s(one_step, trainer.device)
    flops = sum(3 * 2 * num_rows * groups * fan_in * fan_out for groups, fan_in, fan_out in shapes)
    return {"train_per_s": num_rows / step_s, "gflops": flops / step_s / 1e9}


def gemm_shapes(bank: Bank) -> list[tuple[int, int, int]]:
    """(G, I, O) of each layer: the first one of all MLPs that read the same input is one product,
    of an input as wide as the model makes it; deeper ones are a product for each MLP."""
    (width, first_out), *deeper = zip(bank.dims, bank.dims[1:], strict=False)
    padded = -(-width // GEMM_WIDTH) * GEMM_WIDTH
    return [
        (bank.num_inputs, padded, bank.per_input * first_out),
        *((bank.num_mlps, fan_in, fan_out) for fan_in, fan_out in deeper),
    ]


def products_of(
    groups: int, fan_in: int, fan_out: int, num_rows: int, device: torch.device
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """(left, right, out) of y = x w, dw = xᵀ dy, dx = dy wᵀ; plain matrices where G is 1."""
    side_by_side = (groups,) if groups > 1 else ()
    x = torch.randn(*side_by_side, num_rows, fan_in, device=device)
    w = torch.randn(*side_by_side, fan_in, fan_out, device=device)
    dy = torch.randn(*side_by_side, num_rows, fan_out, device=device)
    return [
        (x, w, torch.empty_like(dy)),
        (x.mT, dy, torch.empty_like(w)),
        (dy, w.mT, torch.empty_like(x)),
    ]


def median_s(one_step: Callable[[], None], device: torch.device) -> float:
    """Seconds of a step, after warm-up; on a GPU of a recorded one."""
    if device.type == "cuda":
        one_step = recorded(one_step)
    seconds = []
    for _ in range(NUM_WARMUP + NUM_STEPS):
        started = time.perf_counter()
        one_step()
        measure.wait_for(device.type)
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds[NUM_WARMUP:]))


def recorded(one_step: Callable[[], None]) -> Callable[[], None]:
    """The same, as one CUDA graph."""
    aside = torch.cuda.Stream()
    with torch.cuda.stream(aside):
        for _ in range(NUM_WARMUP):
            one_step()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=aside):
        one_step()
    return graph.replay
