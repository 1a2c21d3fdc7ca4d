"""MLPs of a `Bank`, as plain matrix products: what `models/layers.py` says, for ONNX Runtime.

A value is here a list of parts, each [B, width]: several inputs or outputs of one shape. The
runtime prepares the weights of a product of two matrices once; it does not for stacks of them.
"""

from __future__ import annotations

from automtl.export.graph.nodes import Graph
from automtl.models.plan import Bank

__all__ = ["regroup", "run_bank"]


def run_bank(graph: Graph, bank: Bank, name: str, parts: list[str], *, activate: bool) -> list[str]:
    """The outputs of all MLPs side by side, those of the first input first, in one part or more.

    `parts` are the inputs; the tensors are called `name`.weights.0 and so on.
    """
    num_layers = len(bank.dims) - 1
    for layer in range(num_layers):
        fan_in, fan_out = bank.dims[layer], bank.dims[layer + 1]
        groups, width = bank.num_mlps, fan_out
        if layer == 0:
            groups, width = bank.num_inputs, bank.per_input * fan_out
        weights, biases = f"{name}.weights.{layer}", f"{name}.biases.{layer}"
        outputs = []
        for part, value in enumerate(regroup(graph, parts, groups)):
            weight = graph.weight(
                weights,
                (groups, fan_in, width),
                dims=(fan_in, width),
                start=part * fan_in * width,
            )
            bias = graph.weight(biases, (groups, 1, width), dims=(width,), start=part * width)
            output = graph.add("Gemm", value, weight, bias)
            is_cut = activate or layer < num_layers - 1
            outputs.append(graph.add("Relu", output) if is_cut else output)
        parts = outputs
    return parts


def regroup(graph: Graph, parts: list[str], count: int) -> list[str]:
    """The same columns in the same order, in `count` parts of one width."""
    if len(parts) > 1 and count < len(parts):
        size = len(parts) // count
        assert size * count == len(parts)
        runs = [parts[start : start + size] for start in range(0, len(parts), size)]
        return [graph.add("Concat", *run, axis=1) for run in runs]
    each = count // len(parts)
    assert each * len(parts) == count
    if each == 1:
        return parts
    return [
        piece for part in parts for piece in graph.add_many("Split", part, num_outputs=each, axis=1)
    ]
