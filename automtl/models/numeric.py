"""Numbers as bins: which bin a number is in, and how far it has come through each of them.

Shapes: B rows, F numbers, T bins of the number with most, G copies, D width of a vector.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["PiecewiseLinear", "bucket_ids", "edge_matrix"]


def edge_matrix(edges: Sequence[Sequence[float]]) -> Tensor:
    """Edges of several numbers as [F, T]; a number with fewer has its last places at infinity."""
    longest = max((len(one) for one in edges), default=0)
    rows = [[*one, *[math.inf] * (longest - len(one))] for one in edges]
    return torch.tensor(rows, dtype=torch.float32).view(len(edges), longest)


def bucket_ids(numeric_BF: Tensor, edges_FT: Tensor) -> Tensor:
    """The bucket of each number, int32 [B, F]: how many inner edges are at or below it."""
    return (numeric_BF[..., None] >= edges_FT).sum(-1, dtype=torch.int32)


class PiecewiseLinear(nn.Module):
    """Each number -> a vector, linear within each bin and continuous across them.

    e_t = 1 beyond bin t, 0 before it, (x - b_t) / (b_{t+1} - b_t) within it; the first bin has no
    lower end and the last no upper one. The vector is Σ_t e_t w_t + c. Gorishniy et al., "On
    Embeddings for Numerical Features in Tabular Deep Learning", NeurIPS 2022, eq. 1 (quantile bins
    and a linear layer: their Q-L).
    """

    low_FT: Tensor
    scale_FT: Tensor
    floor_FT: Tensor
    ceiling_FT: Tensor
    place_FT: Tensor

    def __init__(
        self,
        edges: Sequence[Sequence[float]],
        *,
        width: int,
        num_copies: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        sizes = torch.tensor([len(one) - 1 for one in edges])
        num_bins = int(sizes.sum())
        bound_T1 = sizes.repeat_interleave(sizes).rsqrt()[:, None]
        weight_GTD = torch.empty(num_copies, num_bins, width).uniform_(-1, 1, generator=generator)
        self.weight = nn.Parameter(weight_GTD * bound_T1)
        self.bias = nn.Parameter(torch.zeros(num_copies, 1, len(edges), width))

        edges_FT = edge_matrix(edges)
        bins_T = torch.arange(edges_FT.shape[1] - 1)
        is_bin_FT = bins_T < sizes[:, None]
        low_FT, high_FT = edges_FT[:, :-1], edges_FT[:, 1:]
        starts_F1 = (sizes.cumsum(0) - sizes)[:, None]
        for name, value in (
            ("low_FT", torch.where(is_bin_FT, low_FT, 0.0)),
            ("scale_FT", torch.where(is_bin_FT, 1 / (high_FT - low_FT), 0.0)),
            ("floor_FT", torch.where(bins_T == 0, -math.inf, 0.0).expand_as(low_FT).clone()),
            ("ceiling_FT", torch.where(bins_T == sizes[:, None] - 1, math.inf, 1.0)),
            # the row of `weight` of each bin; beyond a number's last bin a row of zeros behind it
            ("place_FT", torch.where(is_bin_FT, starts_F1 + bins_T, num_bins)),
        ):
            self.register_buffer(name, value, persistent=False)

    def forward(self, numeric_BF: Tensor) -> Tensor:
        """[B, F] -> [G, B, F * D]."""
        code_BFT = (numeric_BF[..., None] - self.low_FT) * self.scale_FT
        code_BFT = torch.minimum(torch.maximum(code_BFT, self.floor_FT), self.ceiling_FT)
        weight_GTD = nn.functional.pad(self.weight, (0, 0, 0, 1))
        weight_GFTD = weight_GTD[:, self.place_FT]
        vectors_GBFD = torch.einsum("bft,gftd->gbfd", code_BFT, weight_GFTD) + self.bias
        return vectors_GBFD.flatten(2)
