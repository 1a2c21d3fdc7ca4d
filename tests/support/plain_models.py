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


def _plain_row(model: MultiTaskModel, ids: Tensor, numeric: Tensor, task: int) -> Tensor:
    config, num_tasks = model.config, len(model.tasks)
    if config.family == "single_task":
        bottom = _task_experts(model.levels[0], task)[0]
        return _tower(model, task)(bottom(_input(model, ids, numeric, copy=task)))[0]

    x = _input(model, ids, numeric, copy=0)
    own, shared = [x] * num_tasks, x
    num_levels = config.num_levels if config.family == "ple" else 1
    for number in range(num_levels):
        level = model.levels[number]
        shared_experts = [f(shared) for f in _shared_experts(level)]
        task_experts = [[f(own[k]) for f in _task_experts(level, k)] for k in range(num_tasks)]
        mixed = []
        for k in range(num_tasks):
            seen = shared_experts + task_experts[k]
            mixed.append(_mix(_task_gate(level, k), own[k], seen))
        if number < num_levels - 1:
            everything = shared_experts + [f for experts in task_experts for f in experts]
            shared = _mix(_expert(level.shared_gate, 0, 0), shared, everything)
        own = mixed
    return _tower(model, task)(own[task])[0]


def _input(model: MultiTaskModel, ids: Tensor, numeric: Tensor, *, copy: int) -> Tensor:
    features, weight = model.features, model.embedding.weight
    starts, total = {}, 0
    for table in features.tables:
        starts[table.name] = total
        total += table.num_rows
    base = copy * total
    parts = [
        weight[base + starts[feature.table] + int(ids[column])]
        for column, feature in enumerate(features.categorical)
    ]
    column = len(features.categorical)
    for feature in features.sequence:
        items = [int(i) for i in ids[column : column + feature.max_len] if i > 0]
        vectors = [weight[base + starts[feature.table] + item] for item in items]
        parts.append(sum(vectors) / len(vectors) if vectors else torch.zeros(weight.shape[1]))
        column += feature.max_len
    return torch.cat([*parts, numeric])


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


def _mix(gate, x, seen):
    if gate is None:
        assert len(seen) == 1
        return seen[0]
    scores = gate(x)
    exponentials = [torch.exp(score - scores.max()) for score in scores]
    assert len(exponentials) == len(seen)
    weights = [e / sum(exponentials) for e in exponentials]
    return sum(weight * expert for weight, expert in zip(weights, seen, strict=True))


def _tower(model, task):
    return _mlp(model.towers, task)
