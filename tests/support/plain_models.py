"""The papers' formulas as plain loops over rows, tasks and experts: what models are held against.

Reads the parameters of a built MultiTaskModel by what they mean (expert i of task k, …) and uses
none of its code: every MLP is applied to one row at a time.
"""

import torch
from torch import Tensor

from automtl.models.model import MultiTaskModel


def plain_logits(model: MultiTaskModel, ids: Tensor, numeric: Tensor) -> Tensor:
    """The logits [B, K] of `model`, row by row."""
    rows = [
        [_plain_row(model, ids[b], numeric[b], task) for task in range(len(model.tasks))]
        for b in range(len(ids))
    ]
    return torch.stack([torch.stack(row) for row in rows])


def plain_gates(model: MultiTaskModel, ids: Tensor, numeric: Tensor) -> list[dict]:
    """For each row the weights of each gate, by (level, task), or (level, "shared"): a number an
    expert that the gate sees, the shared experts first, then the tasks' own."""
    rows = []
    for b in range(len(ids)):
        gates: dict = {}
        _plain_row(model, ids[b], numeric[b], task=0, gates=gates)
        rows.append(gates)
    return rows


def _plain_row(
    model: MultiTaskModel, ids: Tensor, numeric: Tensor, task: int, gates: dict | None = None
) -> Tensor:
    """The logit of one task; leaves the gates' weights in `gates`."""
    gates = {} if gates is None else gates
    config, num_tasks = model.config, len(model.tasks)
    if config.family == "single_task":
        bottom = _task_experts(model.levels[0], task)[0]
        return _tower(model, task)(bottom(_input(model, ids, numeric, copy=task)))[0]

    x = _input(model, ids, numeric, copy=0)
    beside = [x[start:stop] for start, stop in _chosen(model)]  # what gates read too
    own, shared = [x] * num_tasks, x
    num_levels = config.num_levels if config.family == "ple" else 1
    for number in range(num_levels):
        level = model.levels[number]
        shared_experts = [f(shared) for f in _shared_experts(level)]
        task_experts = [[f(own[k]) for f in _task_experts(level, k)] for k in range(num_tasks)]
        mixed = []
        for k in range(num_tasks):
            seen = shared_experts + task_experts[k]
            weights = _weights(_task_gate(level, k), torch.cat([*beside, own[k]]), len(seen))
            gates[number, k] = weights
            mixed.append(_mix(weights, seen))
        if number < num_levels - 1:
            everything = shared_experts + [f for experts in task_experts for f in experts]
            gate = _expert(level.shared_gate, 0, 0)
            weights = _weights(gate, torch.cat([*beside, shared]), len(everything))
            gates[number, "shared"] = weights
            shared = _mix(weights, everything)
        own = mixed
    return _tower(model, task)(own[task])[0]


def _input(model: MultiTaskModel, ids: Tensor, numeric: Tensor, *, copy: int) -> Tensor:
    """The parts of the input in their order: by width of table, then coded numbers, scalars."""
    config, features = model.config, model.features
    dropped = set(config.drop_features)
    numbers = [
        (column, feature)
        for column, feature in enumerate(features.numeric)
        if feature.name not in dropped
    ]
    cuttable = [pair for pair in numbers if len(pair[1].edges) > 2]
    ways = {"standard": [], "buckets": cuttable, "piecewise_linear": cuttable}
    encoded = ways[config.numeric_encoding]
    bucketed = encoded if config.numeric_encoding == "buckets" else []

    sizes = {table.name: table.num_rows for table in features.tables}
    singles = [
        (feature.table, int(ids[column]))
        for column, feature in enumerate(features.categorical)
        if feature.name not in dropped
    ]
    for column, feature in bucketed:
        inner = feature.edges[1:-1]
        sizes[feature.name] = len(inner) + 1
        singles.append((feature.name, sum(float(numeric[column]) >= edge for edge in inner)))
    sequences, column = [], len(features.categorical)
    for feature in features.sequence:
        if feature.name not in dropped:
            items = [int(i) for i in ids[column : column + feature.max_len] if i > 0]
            sequences.append((feature.table, items))
        column += feature.max_len

    tables = list(dict.fromkeys([*(t for t, _ in singles), *(t for t, _ in sequences)]))
    width_of = {t: config.embedding_dims.get(t, config.embedding_dim) for t in tables}
    units = [_mlp(bank, copy) for bank in model.embedding.attention]
    parts = []
    for number, width in enumerate(dict.fromkeys(width_of.values())):
        weight, start, rows = model.embedding.weights[number], {}, 0
        for table in tables:
            if width_of[table] == width:
                start[table] = rows
                rows += sizes[table]
        weight = weight[copy * rows : (copy + 1) * rows]
        parts += [weight[start[table] + item] for table, item in singles if table in start]
        for table, items in sequences:
            if table in start:
                vectors = [weight[start[table] + item] for item in items]
                targets = [weight[start[t] + item] for t, item in singles if t == table]
                parts.append(_pool(config.sequence_pooling, vectors, targets, units, width))
    if config.numeric_encoding == "piecewise_linear":
        parts += _piecewise_linear(model.embedding.code, config, cuttable, numeric, copy)
    scalars = [numeric[column : column + 1] for column, f in numbers if (column, f) not in encoded]
    return torch.cat([*parts, *scalars])


def _pool(pooling, vectors, targets, units, width):
    """The mean, the sum, or Σ a(v, target) v; no item is the zero vector."""
    unit = units.pop(0) if pooling == "attention" and targets else None
    if not vectors:
        return torch.zeros(width, dtype=torch.float64)
    if unit is not None:
        (q,) = targets
        return sum(unit(torch.cat([v, q, q - v, q * v]))[0] * v for v in vectors)
    return sum(vectors) if pooling == "sum" else sum(vectors) / len(vectors)


def _piecewise_linear(code, config, cuttable, numeric, copy):
    """Gorishniy et al. 2022, eq. 1: the code of a number, through a linear layer of its own."""
    parts, first = [], 0
    for place, (column, feature) in enumerate(cuttable):
        x, edges = float(numeric[column]), feature.edges
        num_bins = len(edges) - 1
        vector = code.bias[copy, 0, place]
        for t in range(num_bins):
            if x < edges[t] and t > 0:
                e = 0.0
            elif x >= edges[t + 1] and t < num_bins - 1:
                e = 1.0
            else:
                e = (x - edges[t]) / (edges[t + 1] - edges[t])
            vector = vector + e * code.weight[copy, first + t]
        first += num_bins
        parts.append(vector)
    return parts


def _chosen(model):
    """Where the chosen features of the gates stand in the input."""
    slices = model.embedding.plan.slices
    return [slices[name] for name in model.config.gate_features if name in slices]


def _mlp(bank, number):
    """MLP `number` of a bank as a function of one row."""
    per_input = bank.bank.per_input
    group, place = divmod(number, per_input)
    layers = []
    for depth, (weight, bias) in enumerate(zip(bank.weights, bank.biases, strict=True)):
        if depth == 0:
            width = bank.bank.dims[1]
            columns = slice(place * width, (place + 1) * width)
            layers.append((weight[group][:, columns], bias[group][0, columns]))
        else:
            layers.append((weight[number], bias[number][0]))

    def apply(x):
        for depth, (weight, bias) in enumerate(layers):
            x = torch.stack([x @ weight[:, o] + bias[o] for o in range(weight.shape[1])])
            if depth < len(layers) - 1 or bank.activate:
                x = torch.clamp(x, min=0)
        return x

    return apply


def _expert(bank, group, place):
    return _mlp(bank, group * bank.bank.per_input + place)


def _shared_experts(level):
    bank = level.experts if level.experts is not None else level.shared_experts
    return [_mlp(bank, number) for number in range(level.num_shared)]


def _task_experts(level, task):
    first = task * level.num_task
    if level.experts is not None:
        bank, first = level.experts, level.num_shared + first
    else:
        bank = level.task_experts
    return [_mlp(bank, first + number) for number in range(level.num_task)]


def _task_gate(level, task):
    if level.task_gates is None:
        return None
    num_gates = level.task_gates.bank.num_mlps
    return _mlp(level.task_gates, task if num_gates > 1 else 0)


def _weights(gate, x, num_seen):
    """A softmax; all the weight where there is one expert and so no gate."""
    if gate is None:
        assert num_seen == 1
        return [torch.ones(())]
    scores = gate(x)
    exponentials = [torch.exp(score - scores.max()) for score in scores]
    assert len(exponentials) == num_seen
    return [e / sum(exponentials) for e in exponentials]


def _mix(weights, seen):
    return sum(weight * expert for weight, expert in zip(weights, seen, strict=True))


def _tower(model, task):
    return _mlp(model.towers, task)
