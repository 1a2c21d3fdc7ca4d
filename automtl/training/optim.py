"""One optimiser a table of embeddings (a batch's rows only), one for the dense part.

Adagrad on the embeddings is the default: on click data an id seen rarely needs large steps and one
seen often small ones, and one epoch is all there is.
"""

from __future__ import annotations

from torch import Tensor, nn

from automtl.config import TrainConfig
from automtl.models.model import MultiTaskModel
from automtl.training.adamw import AdamW, Group
from automtl.training.tables import TableOptimizer, build_table_optimizer

__all__ = ["build_dense_optimizer", "build_table_optimizers", "dense_parameters"]

LOSS_LR = 1e-2  # of the learned log-variances of uncertainty weighting, which have few steps


def build_table_optimizers(config: TrainConfig, model: MultiTaskModel) -> list[TableOptimizer]:
    """One for each parameter of the embedding store, in its order."""
    return [
        build_table_optimizer(
            config.embedding_optimizer, table, lr=config.embedding_lr, l2=config.embedding_l2
        )
        for table in model.embedding.weights
    ]


def build_dense_optimizer(config: TrainConfig, model: MultiTaskModel, loss: nn.Module) -> AdamW:
    """AdamW on all but the tables, and on learned loss weights; weight decay on matrices only."""
    dense = dense_parameters(model)
    if config.weight_decay:
        matrices = [parameter for parameter in dense if _is_matrix(parameter)]
        others = [parameter for parameter in dense if not _is_matrix(parameter)]
        groups = [
            Group(parameters=others, lr=config.lr),
            Group(parameters=matrices, lr=config.lr, weight_decay=config.weight_decay),
        ]
    else:  # one group: a step of the optimiser costs by the group
        groups = [Group(parameters=dense, lr=config.lr)]
    if learned := list(loss.parameters()):
        groups.append(Group(parameters=learned, lr=LOSS_LR))
    return AdamW(groups)


def dense_parameters(model: MultiTaskModel) -> list[Tensor]:
    """All parameters but the embedding tables."""
    tables = {id(table) for table in model.embedding.weights}
    return [parameter for parameter in model.parameters() if id(parameter) not in tables]


def _is_matrix(parameter: Tensor) -> bool:
    return parameter.ndim == 3 and parameter.shape[1] > 1  # biases are [M, 1, O]
