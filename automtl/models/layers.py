"""MLPBank: many small MLPs as a few large matrix products.

Shapes: G inputs, n MLPs an input, M = G * n MLPs, B rows, I input width, O output width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from automtl.models.plan import Bank

__all__ = ["MLPBank"]


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
        """[G, B, I] -> [M, B, O], MLPs of the first input first."""
        num_inputs, per_input = self.bank.num_inputs, self.bank.per_input
        num_rows, last = x_GBI.shape[1], len(self.weights) - 1
        hidden = x_GBI
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if weight.shape[0] == 1:
                hidden = torch.addmm(bias[0], hidden[0], weight[0])[None]
            else:
                hidden = torch.baddbmm(bias, hidden, weight)
            if layer < last or self.activate:
                hidden = torch.relu(hidden)
                if self.dropout:
                    hidden = nn.functional.dropout(hidden, self.dropout, self.training)
            if layer == 0 and per_input > 1:
                split = hidden.view(num_inputs, num_rows, per_input, -1)
                hidden = split.transpose(1, 2).reshape(self.bank.num_mlps, num_rows, -1)
        return hidden
