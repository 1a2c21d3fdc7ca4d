"""What a model costs, from its configuration alone: nothing is built, torch is not imported."""

from __future__ import annotations

from automtl.config import FeatureSchema, ModelConfig, TaskSchema
from automtl.models.plan import plan_model

__all__ = ["costs"]


def costs(
    config: ModelConfig, features: FeatureSchema, tasks: tuple[TaskSchema, ...]
) -> dict[str, float]:
    """The costs by their objective names (`config.MODEL_COSTS`).

    `params` counts scalars; `flops` counts the multiplications and additions of one example's
    forward pass through the dense part (looking up and pooling embeddings is not counted).
    """
    plan = plan_model(config, features, num_tasks=len(tasks))
    embedding = plan.num_embedding_copies * plan.embedding_rows * plan.embedding_dim
    scales = sum(task.loss == "lognormal" for task in tasks)
    dense = sum(bank.num_params for bank in plan.banks) + scales
    return {
        "params": float(embedding + dense),
        "params.embedding": float(embedding),
        "params.dense": float(dense),
        "flops": float(sum(bank.flops for bank in plan.banks)),
    }
