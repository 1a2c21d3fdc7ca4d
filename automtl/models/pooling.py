"""A sequence of vectors -> one vector: their mean, their sum, or weighed against a target.

Shapes: G copies, B rows, L items, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from automtl.models.layers import MLPBank

__all__ = ["attention_pool", "mean_pool", "sum_pool"]


def sum_pool(items_GBLD: Tensor, present_BL: Tensor) -> Tensor:
    """-> [G, B, D]; the zero vector where no item is present."""
    return torch.einsum("gbld,bl->gbd", items_GBLD, present_BL)


def mean_pool(items_GBLD: Tensor, present_BL: Tensor) -> Tensor:
    """-> [G, B, D]; the zero vector where no item is present."""
    share_BL = present_BL / present_BL.sum(1, keepdim=True).clamp(min=1.0)
    return sum_pool(items_GBLD, share_BL)


def attention_pool(
    items_GBLD: Tensor, present_BL: Tensor, target_GBD: Tensor, unit: MLPBank
) -> Tensor:
    """-> [G, B, D]: Σ_l a(item_l, target) item_l, the weights not normalised.

    The unit `a` scores an item beside the target, their difference and their product. Zhou et al.,
    "Deep Interest Network", KDD 2018, §4.3, with ReLU in the unit.
    """
    target_GBLD = target_GBD[:, :, None].expand_as(items_GBLD)
    difference_GBLD, product_GBLD = target_GBLD - items_GBLD, target_GBLD * items_GBLD
    pairs_GBLX = torch.cat([items_GBLD, target_GBLD, difference_GBLD, product_GBLD], dim=3)
    scores_GR = unit(pairs_GBLX.flatten(1, 2))[..., 0]
    weights_GBL = scores_GR.unflatten(1, present_BL.shape) * present_BL
    return torch.einsum("gbld,gbl->gbd", items_GBLD, weights_GBL)
