"""One optimiser a table of embeddings (a batch's rows only), one for the dense part.

Adagrad on the embeddings is the default: on click data an id seen rarely needs large steps and one
seen often small ones, and one epoch is all there is.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from automtl.config import TrainConfig
from automtl.models.model import MultiTaskModel
from automtl.training.tables import TableOptimizer, build_table_optimizer

__all__ = ["build_dense_optimizer", "build_table_optimizers", "dense_parameters"]

LOSS_LR = 1e-2  # of the learned log-variances of uncertainty weighting, which have few steps
FUSED_ON = ("cpu", "cuda")


def build_table_optimizers(config: TrainConfig, model: MultiTaskModel) -> list[TableOptimizer]:
    """One for each parameter of the embedding store, in its order."""
    return [
        build_table_optimizer(
            config.embedding_optimizer, table, lr=config.embedding_lr, l2=config.embedding_l2
        )
        for table in model.embedding.weights
    ]


def build_dense_optimizer(config: TrainConfig, model: MultiTaskModel, loss: nn.Module) -> Optimizer:
    """AdamW on all but the tables, and on learned loss weights; weight decay on matrices only."""
    dense = dense_parameters(model)
    matrices = [parameter for parameter in dense if _is_matrix(parameter)]
    others = [parameter for parameter in dense if not _is_matrix(parameter)]
    groups: list[dict[str, object]] = [{"params": others, "weight_decay": 0.0}]
    if config.weight_decay:
        groups.append({"params": matrices, "weight_decay": config.weight_decay})
    else:  # one group: a step of the optimiser costs by the group
        others += matrices
    learned = list(loss.parameters())
    if learned:
        groups.append({"params": learned, "lr": LOSS_LR, "weight_decay": 0.0})
    fused = matrices[0].device.type in FUSED_ON
    return AdamW(groups, lr=config.lr, fused=fused, foreach=not fused)


def dense_parameters(model: MultiTaskModel) -> list[Tensor]:
    """All parameters but the embedding tables."""
    tables = {id(table) for table in model.embedding.weights}
    return [parameter for parameter in model.parameters() if id(parameter) not in tables]


def _is_matrix(parameter: Tensor) -> bool:
    return parameter.ndim == 3 and parameter.shape[1] > 1  # biases are [M, 1, O]
