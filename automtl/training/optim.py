"""Two optimisers: one for the embedding tables (a batch's rows only), one for the rest.

Adagrad on the embeddings is the default: on click data an id seen rarely needs large steps and one
seen often small ones, and one epoch is all there is.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import Adagrad, AdamW, Optimizer, SparseAdam

from automtl.config import TrainConfig
from automtl.models.model import MultiTaskModel

__all__ = ["build_optimizers", "step"]

LOSS_LR = 1e-2  # of the learned log-variances of uncertainty weighting, which have few steps


def build_optimizers(
    config: TrainConfig, model: MultiTaskModel, loss: nn.Module
) -> tuple[Optimizer, ...]:
    """(embeddings, dense part and learned loss weights). Weight decay is on dense matrices only."""
    # torch warns until a choice is made; our indices come from the encoder and are in range
    torch.sparse.check_sparse_tensor_invariants.disable()  # type: ignore[no-untyped-call]
    table = model.embedding.weight
    embedding: Optimizer
    if config.embedding_optimizer == "adagrad":
        embedding = Adagrad([table], lr=config.embedding_lr)
    else:
        embedding = SparseAdam([table], lr=config.embedding_lr)
    dense = [parameter for parameter in model.parameters() if parameter is not table]
    matrices = [parameter for parameter in dense if _is_matrix(parameter)]
    others = [parameter for parameter in dense if not _is_matrix(parameter)]
    groups: list[dict[str, object]] = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    learned = list(loss.parameters())
    if learned:
        groups.append({"params": learned, "lr": LOSS_LR, "weight_decay": 0.0})
    return embedding, AdamW(groups, lr=config.lr, fused=True)


def _is_matrix(parameter: nn.Parameter) -> bool:
    return parameter.ndim == 3 and parameter.shape[1] > 1  # biases are [M, 1, O]


def step(optimizers: tuple[Optimizer, ...], loss: torch.Tensor) -> None:
    """One step of all optimisers on `loss`."""
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    for optimizer in optimizers:
        optimizer.step()
