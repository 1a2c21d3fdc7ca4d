"""What a model costs, from its configuration alone: nothing is built, torch is not imported."""

from __future__ import annotations

from automtl.config import FeatureSchema, ModelConfig, TaskSchema
from automtl.models.plan import plan_model

__all__ = ["FREE_FIELDS", "costs"]

FREE_FIELDS = ("dependency", "dropout", "embedding_dropout")  # of a ModelConfig, that cost nothing


def costs(
    config: ModelConfig, features: FeatureSchema, tasks: tuple[TaskSchema, ...]
) -> dict[str, float]:
    """The costs by their objective names (`config.CONFIGURED_COSTS`).

    `params` counts scalars; `flops` counts the multiplications and additions of one example's
    forward pass through the dense part (looking up and pooling embeddings is not counted).
    """
    plan = plan_model(config, features, num_tasks=len(tasks))
    dense = plan.dense_params + sum(task.loss == "lognormal" for task in tasks)
    return {
        "params": float(plan.embedding_params + dense),
        "params.embedding": float(plan.embedding_params),
        "params.dense": float(dense),
        "flops": float(plan.flops),
    }
