"""Ids and numbers -> the trunk's input: what `models/embedding.py` says, for ONNX Runtime.

Shapes: B rows, c columns of a lookup, D its width, L items of a sequence, T bins of all numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from onnx import TensorProto

from automtl.config import ModelConfig
from automtl.export.graph.banks import run_bank
from automtl.export.graph.nodes import Graph
from automtl.models.inputs import Lookup, Pool
from automtl.models.plan import ModelPlan

__all__ = ["add_inputs"]

INT32, INT64, FLOAT = TensorProto.INT32, TensorProto.INT64, TensorProto.FLOAT


def add_inputs(
    graph: Graph, plan: ModelPlan, config: ModelConfig, ids: str, numbers: str
) -> list[str]:
    """ids [B, C] and numbers [B, F] -> the input of the trunk [B, E], a part for each copy."""
    inputs, copies = plan.inputs, range(plan.num_copies)
    keys = _with_buckets(graph, plan, ids, numbers)
    columns: list[list[str]] = [[] for _ in copies]
    units = iter(range(len(plan.attention)))
    for number, lookup in enumerate(inputs.lookups):
        graph.scope = f"embedding.{number}."
        tables = [
            graph.weight(
                f"embedding.weights.{number}",
                (plan.num_copies * lookup.num_rows, lookup.width),
                dims=(lookup.num_rows, lookup.width),
                start=copy * lookup.num_rows * lookup.width,
            )
            for copy in copies
        ]
        num_singles = len(lookup.singles)
        singles = [""] * plan.num_copies
        if num_singles:
            rows = _rows(graph, lookup, keys, 0, num_singles)
            singles = [graph.add("Gather", table, rows) for table in tables]
            flat = graph.ints(0, num_singles * lookup.width)
            for copy in copies:
                columns[copy].append(graph.add("Reshape", singles[copy], flat))
        for pool in lookup.pools:
            rows = _rows(graph, lookup, keys, pool.start, pool.length)
            items = [graph.add("Gather", table, rows) for table in tables]
            present = _present(graph, lookup, pool, ids)
            if pool.target is None:
                weights = present if config.sequence_pooling == "sum" else _shares(graph, present)
                pooled = [_weigh(graph, weights, one, lookup.width) for one in items]
            else:
                pooled = _attend(graph, plan, lookup, pool, singles, items, present, next(units))
            for copy in copies:
                columns[copy].append(pooled[copy])
    graph.scope = "embedding."
    if inputs.coded:
        for copy, code in enumerate(_codes(graph, plan, numbers)):
            columns[copy].append(code)
    if inputs.scalars:
        scalars = graph.add("Gather", numbers, graph.ints(*inputs.scalars), axis=1)
        for parts in columns:
            parts.append(scalars)
    return [
        graph.add("Concat", *parts, axis=1) if len(parts) > 1 else parts[0] for parts in columns
    ]


def _with_buckets(graph: Graph, plan: ModelPlan, ids: str, numbers: str) -> str:
    """The ids, and behind them the bucket of each number that is cut: inner edges at or below it.

    The buckets of all numbers are counted at once: edges of number f are those of its row.
    """
    if not plan.inputs.bucketed:
        return ids
    graph.scope = "embedding.buckets."
    edges = plan.inputs.bucket_edges
    longest = max(len(one) for one in edges)
    padded = [[*one, *[math.inf] * (longest - len(one))] for one in edges]
    edges_FT = graph.constant(np.array(padded, dtype=np.float32))
    cut_BF = graph.add("Gather", numbers, graph.ints(*plan.inputs.bucketed), axis=1)
    cut_BF1 = graph.add("Unsqueeze", cut_BF, graph.ints(2))
    above_BFT = graph.add("Cast", graph.add("GreaterOrEqual", cut_BF1, edges_FT), to=INT32)
    buckets_BF = graph.add("ReduceSum", above_BFT, graph.ints(2), keepdims=0)
    return graph.add("Concat", ids, buckets_BF, axis=1)


def _rows(graph: Graph, lookup: Lookup, keys: str, start: int, count: int) -> str:
    """The rows of one copy of the table that some columns of a lookup read, [B, c]."""
    places = slice(start, start + count)
    picked_Bc = graph.add("Gather", keys, graph.ints(*lookup.sources[places]), axis=1)
    kind: type[np.int32 | np.int64] = np.int32
    if lookup.num_rows >= 2**31:
        picked_Bc, kind = graph.add("Cast", picked_Bc, to=INT64), np.int64
    starts_c = np.array(lookup.starts[places], dtype=kind)
    return graph.add("Add", picked_Bc, graph.constant(starts_c)) if starts_c.any() else picked_Bc


def _present(graph: Graph, lookup: Lookup, pool: Pool, ids: str) -> str:
    """1 for every item, 0 for padding, [B, L]."""
    own = lookup.sources[pool.start : pool.start + pool.length]
    items_BL = graph.add("Gather", ids, graph.ints(*own), axis=1)
    zero = graph.constant(np.zeros((), dtype=np.int32))
    return graph.add("Cast", graph.add("Greater", items_BL, zero), to=FLOAT)


def _shares(graph: Graph, present_BL: str) -> str:
    count_B1 = graph.add("ReduceSum", present_BL, graph.ints(1), keepdims=1)
    one = graph.constant(np.ones((), dtype=np.float32))
    return graph.add("Div", present_BL, graph.add("Max", count_B1, one))


def _weigh(graph: Graph, weights_BL: str, items_BLD: str, width: int) -> str:
    """[B, D]: the weighted sum of the items."""
    weights_B1L = graph.add("Unsqueeze", weights_BL, graph.ints(1))
    pooled_B1D = graph.add("MatMul", weights_B1L, items_BLD)
    return graph.add("Reshape", pooled_B1D, graph.ints(0, width))


def _attend(
    graph: Graph,
    plan: ModelPlan,
    lookup: Lookup,
    pool: Pool,
    singles: list[str],
    items: list[str],
    present_BL: str,
    number: int,
) -> list[str]:
    """The items weighed against the target by attention unit `number`, [B, D] for each copy."""
    assert pool.target is not None
    again = graph.ints(*[pool.target] * pool.length)
    pairs = []
    for singles_BsD, items_BLD in zip(singles, items, strict=True):
        target_BLD = graph.add("Gather", singles_BsD, again, axis=1)
        difference_BLD = graph.add("Sub", target_BLD, items_BLD)
        product_BLD = graph.add("Mul", target_BLD, items_BLD)
        pair_BLX = graph.add("Concat", items_BLD, target_BLD, difference_BLD, product_BLD, axis=2)
        pairs.append(graph.add("Reshape", pair_BLX, graph.ints(-1, 4 * lookup.width)))
    name = f"embedding.attention.{number}"
    scores = run_bank(graph, plan.attention[number], name, pairs, activate=False)
    pooled = []
    for score_R1, items_BLD in zip(scores, items, strict=True):
        score_BL = graph.add("Reshape", score_R1, graph.add("Shape", present_BL))
        weights_BL = graph.add("Mul", score_BL, present_BL)
        pooled.append(_weigh(graph, weights_BL, items_BLD, lookup.width))
    return pooled


def _codes(graph: Graph, plan: ModelPlan, numbers: str) -> Iterator[str]:
    """[B, numbers * D] for each copy: the piecewise-linear code of each number times its vectors.

    The bins of all numbers stand side by side (T of them); `models/numeric.py` has the formula.
    """
    inputs = plan.inputs
    bins = [list(pairwise(edges)) for edges in inputs.code_edges]
    sizes = [len(one) for one in bins]
    of_bin_T = np.repeat(np.array(inputs.coded, dtype=np.int64), sizes)
    low_T, high_T = np.array([pair for one in bins for pair in one], dtype=np.float32).T
    starts = np.cumsum([0, *sizes])
    floor_T, ceiling_T = np.zeros_like(low_T), np.ones_like(low_T)
    floor_T[starts[:-1]], ceiling_T[starts[1:] - 1] = -math.inf, math.inf
    code_BT = graph.add("Gather", numbers, graph.constant(of_bin_T), axis=1)
    code_BT = graph.add("Sub", code_BT, graph.constant(low_T))
    code_BT = graph.add("Mul", code_BT, graph.constant(1 / (high_T - low_T)))
    code_BT = graph.add("Max", code_BT, graph.constant(floor_T))
    code_BT = graph.add("Min", code_BT, graph.constant(ceiling_T))
    codes = [code_BT]
    if len(sizes) > 1:
        codes = graph.add_many("Split", code_BT, graph.ints(*sizes), num_outputs=len(sizes), axis=1)
    width = inputs.code_width
    shape = (plan.num_copies, sum(sizes), width)
    bias_shape = (plan.num_copies, 1, len(sizes), width)
    for copy in range(plan.num_copies):
        vectors = []
        for number, code_Bt in enumerate(codes):
            first = copy * sum(sizes) + int(starts[number])
            weight = graph.weight(
                "embedding.code.weight",
                shape,
                dims=(sizes[number], width),
                start=first * width,
            )
            bias = graph.weight(
                "embedding.code.bias",
                bias_shape,
                dims=(width,),
                start=(copy * len(sizes) + number) * width,
            )
            vectors.append(graph.add("Gemm", code_Bt, weight, bias))
        yield graph.add("Concat", *vectors, axis=1) if len(vectors) > 1 else vectors[0]
