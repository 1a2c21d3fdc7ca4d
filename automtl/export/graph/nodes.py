"""An ONNX graph, node by node. Weights are not in it: it says where in the weights' file they lie.

Messages are filled field by field, without the library's helpers, so that every version of the
library makes the same graph of the same model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto

from automtl.export.tensors import Span

__all__ = ["BATCH", "Graph"]

BATCH = "batch"  # the name of the axis whose size is free
TYPES = {
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.int32): TensorProto.INT32,
    np.dtype(np.int64): TensorProto.INT64,
}


class Graph:
    """Values are told by their names. `spans` are the tensors of the file `weights_file`, which
    lies beside the graph. `scope` begins the names of what is added next.
    """

    def __init__(self, spans: Mapping[str, Span], *, weights_file: str) -> None:
        self.proto = GraphProto(name="automtl")
        self.scope = ""
        self._spans, self._file = spans, weights_file
        self._used: set[str] = set()
        self._weights: set[str] = set()
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    @property
    def unused(self) -> list[str]:
        """The tensors of the file that nothing reads."""
        return sorted(self._spans.keys() - self._used)

    def input(self, name: str, kind: type[np.generic], width: int) -> str:
        """An input of the graph, [batch, width]."""
        self.proto.input.append(_value(name, kind, [BATCH, width]))
        return name

    def output(self, name: str) -> None:
        """Makes the value `name` an output, [batch] of float32."""
        self.proto.output.append(_value(name, np.float32, [BATCH]))

    def add(self, op: str, *inputs: str, name: str = "", **attributes: int) -> str:
        """A node with one output; `name` is the output's."""
        node = self._node(op, inputs, attributes)
        output = str(name or node.name)
        node.output.append(output)
        return output

    def add_many(self, op: str, *inputs: str, num_outputs: int, **attributes: int) -> list[str]:
        """A node with several outputs."""
        node = self._node(op, inputs, attributes)
        node.output.extend(f"{node.name}:{place}" for place in range(num_outputs))
        return list(node.output)

    def _node(self, op: str, inputs: Sequence[str], attributes: Mapping[str, int]) -> NodeProto:
        name = f"{self.scope}{op}_{len(self.proto.node)}"
        node: NodeProto = self.proto.node.add(op_type=op, name=name)
        node.input.extend(inputs)
        for key, value in attributes.items():
            node.attribute.add(name=key, type=AttributeProto.INT, i=value)
        return node

    def constant(self, values: NDArray[np.generic]) -> str:
        """A small array that is part of the graph; equal ones are kept once."""
        content = values.astype(values.dtype.newbyteorder("<")).tobytes()
        key = (values.dtype.name, values.shape, content)
        if key not in self._constants:
            name = f"constant_{len(self._constants)}"
            tensor = TensorProto(name=name, data_type=TYPES[values.dtype], raw_data=content)
            tensor.dims.extend(values.shape)
            self.proto.initializer.append(tensor)
            self._constants[key] = name
        return self._constants[key]

    def ints(self, *values: int) -> str:
        """Shapes, axes and indices."""
        return self.constant(np.array(values, dtype=np.int64))

    def weight(
        self, name: str, shape: tuple[int, ...], *, dims: tuple[int, ...], start: int = 0
    ) -> str:
        """An array of `dims` in the tensor `name` of `shape`, from its number `start` on.

        Raises LookupError without such a tensor, ValueError for one of another shape.
        """
        if name not in self._spans:
            raise LookupError(f"{name} is missing")
        span = self._spans[name]
        if span.shape != shape:
            raise ValueError(f"{name} is {span.shape}, not {shape}")
        self._used.add(name)
        num_bytes = 4 * math.prod(dims)
        assert 4 * start + num_bytes <= span.num_bytes
        tensor = TensorProto(
            name=name if num_bytes == span.num_bytes else f"{name}[{start}]",
            data_type=TensorProto.FLOAT,
            data_location=TensorProto.EXTERNAL,
        )
        tensor.dims.extend(dims)
        for key, value in (
            ("location", self._file),
            ("offset", str(span.start + 4 * start)),
            ("length", str(num_bytes)),
        ):
            tensor.external_data.add(key=key, value=value)
        if tensor.name not in self._weights:
            self._weights.add(tensor.name)
            self.proto.initializer.append(tensor)
        return tensor.name


def _value(name: str, kind: type[np.generic], dims: Sequence[int | str]) -> ValueInfoProto:
    value = ValueInfoProto(name=name)
    value.type.tensor_type.elem_type = TYPES[np.dtype(kind)]
    for dim in dims:
        size = value.type.tensor_type.shape.dim.add()
        if isinstance(dim, str):
            size.dim_param = dim
        else:
            size.dim_value = dim
    return value
