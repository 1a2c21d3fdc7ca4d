"""MLPBank: many small MLPs as a few large matrix products.

Shapes: G inputs, n MLPs an input, M = G * n MLPs, B rows, I input width, O output width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from automtl.models.plan import Bank

__all__ = ["GEMM_WIDTH", "MLPBank"]

# matrix products whose inner width is a multiple of this are up to 1.7 times as fast
GEMM_WIDTH = 16


class MLPBank(nn.Module):
    """The MLPs of a `Bank`: ReLU between layers, and after the last one too if `activate`.

    The first layer of all MLPs that read the same input is one matrix product; deeper layers are
    one batched product. Every MLP has its own initial weights, He-uniform as in nn.Linear + ReLU.
    """

    def __init__(
        self, bank: Bank, *, activate: bool, dropout: float = 0.0, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.bank = bank
        self.activate = activate
        self.dropout = dropout
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        num_layers = len(bank.dims) - 1
        for layer in range(num_layers):
            fan_in, fan_out = bank.dims[layer], bank.dims[layer + 1]
            is_linear_head = layer == num_layers - 1 and not activate
            bound = math.sqrt((3.0 if is_linear_head else 6.0) / fan_in)
            groups, columns = (
                (bank.num_inputs, bank.per_input * fan_out)
                if layer == 0
                else (bank.num_mlps, fan_out)
            )
            weight = torch.empty(groups, fan_in, columns).uniform_(
                -bound, bound, generator=generator
            )
            self.weights.append(nn.Parameter(weight))
            self.biases.append(nn.Parameter(torch.zeros(groups, 1, columns)))

    def forward(self, x_GBI: Tensor) -> Tensor:
        """[G, B, I] -> [M, B, O], MLPs of the first input first.

        An input wider than the bank's own width ends in zeros, which the weights are padded for.
        """
        num_inputs, per_input, last = (
            self.bank.num_inputs,
            self.bank.per_input,
            len(self.weights) - 1,
        )
        hidden = x_GBI
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if missing := hidden.shape[2] - weight.shape[1]:
                weight = nn.functional.pad(weight, (0, 0, 0, missing))
            hidden = _affine(hidden, weight, bias)
            if layer < last or self.activate:
                hidden = hidden.relu_()  # in place: a product's backward does not need its result
                if self.dropout:
                    hidden = nn.functional.dropout(hidden, self.dropout, self.training)
            hidden = _apart(hidden, num_inputs, per_input if layer == 0 else 1)
        return hidden


def _affine(x_GBI: Tensor, weight_GIO: Tensor, bias_G1O: Tensor) -> Tensor:
    """-> [G, B, O], or [B, O] for G = 1, whose product is a plain one."""
    if weight_GIO.shape[0] > 1:
        return torch.baddbmm(bias_G1O, x_GBI, weight_GIO)
    return torch.addmm(bias_G1O.squeeze(0), x_GBI.squeeze(0), weight_GIO.squeeze(0))


def _apart(joined: Tensor, num_inputs: int, per_input: int) -> Tensor:
    """[B, n * O] or [G, B, n * O] -> [G * n, B, O], a view where there is one input."""
    if joined.ndim == 2:
        return joined.view(len(joined), per_input, -1).transpose(0, 1)
    if per_input == 1:
        return joined
    num_rows = joined.shape[1]
    return joined.view(num_inputs, num_rows, per_input, -1).transpose(1, 2).flatten(0, 1)
