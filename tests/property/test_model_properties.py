"""Each family equals the papers' formulas as plain loops, and the ladder's identities hold."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.make import make_features, make_inputs, make_model
from support.plain_models import plain_gates, plain_logits

from automtl.config import FAMILIES, ModelConfig, TaskSchema
from automtl.models.cost import costs
from automtl.models.layers import MLPBank
from automtl.models.plan import Bank

dims = st.lists(st.integers(1, 4), min_size=1, max_size=2).map(tuple)
hidden_dims = st.lists(st.integers(1, 4), max_size=1).map(tuple)
task_lists = st.integers(1, 3).map(
    lambda n: tuple(TaskSchema(name=f"t{k}", given=f"t{k - 1}" if k else None) for k in range(n))
)


@st.composite
def configs(draw, families=FAMILIES):
    family = draw(st.sampled_from(families))
    return ModelConfig(
        family=family,
        embedding_dim=draw(st.integers(1, 3)),
        num_levels=draw(st.integers(1, 3)) if family == "ple" else 1,
        num_shared_experts=draw(st.integers(1, 3)),
        num_task_experts=draw(st.integers(1, 2)),
        num_gates=draw(st.sampled_from([1, "per_task"])) if family == "mmoe" else "per_task",
        expert_dims=draw(dims),
        tower_dims=draw(hidden_dims),
        gate_dims=draw(hidden_dims),
        embedding_dims=draw(st.sampled_from([{}, {"c0": 2}, {"c1": 4}])),
        sequence_pooling=draw(st.sampled_from(["mean", "sum", "attention"])),
        numeric_encoding=draw(st.sampled_from(["standard", "buckets", "piecewise_linear"])),
        drop_features=draw(st.sampled_from([(), ("c0",), ("x1", "history"), ("x0", "c1")])),
        gate_features=draw(st.sampled_from([(), ("c1",), ("x1", "c0")])),
    )


def tensors(features, num_rows, seed):
    ids, numeric = make_inputs(features, num_rows, seed)
    return torch.from_numpy(ids), torch.from_numpy(numeric)


@given(config=configs(), tasks=task_lists, seed=st.integers(0, 10), num_rows=st.integers(1, 4))
@settings(max_examples=120, deadline=None)
def test_outputs_and_gradients_equal_the_plain_loops(config, tasks, seed, num_rows):
    features = make_features()
    model = make_model(config, features, tasks, seed).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():  # away from zero, where ReLU has no derivative
        for parameter in model.parameters():
            parameter.normal_(generator=generator)
    ids, numeric = tensors(features, num_rows, seed)
    numeric = numeric.double()

    ours, plain = model(ids, numeric), plain_logits(model, ids, numeric)
    torch.testing.assert_close(ours, plain, atol=1e-5, rtol=1e-5)

    weights = torch.randn(ours.shape, generator=generator)
    parameters = list(model.parameters())
    ours_grads = torch.autograd.grad((ours * weights).sum(), parameters, allow_unused=True)
    plain_grads = torch.autograd.grad((plain * weights).sum(), parameters, allow_unused=True)
    for a, b in zip(ours_grads, plain_grads, strict=True):
        assert a is not None
        torch.testing.assert_close(a, torch.zeros_like(a) if b is None else b, atol=1e-5, rtol=1e-5)


@given(config=configs(), tasks=task_lists, seed=st.integers(0, 10))
@settings(max_examples=80, deadline=None)
def test_the_gates_equal_the_plain_loops_and_are_zero_for_experts_that_a_task_does_not_see(
    config, tasks, seed
):
    features = make_features()
    model = make_model(config, features, tasks, seed).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(seed))
    ids, numeric = tensors(features, 3, seed)
    numeric = numeric.double()
    found, plain = model.gates(ids, numeric), plain_gates(model, ids, numeric)
    for number, (level, rows) in enumerate(zip(model.levels, found, strict=True)):
        rows = iter(rows)
        num_own = level.num_task
        everything = level.num_shared + len(tasks) * num_own
        if level.task_gates is not None:
            for k, weights_BN in enumerate(next(rows)):  # one gate is the first task's, too
                first = level.num_shared + k * num_own
                seen = [*range(level.num_shared), *range(first, first + num_own)]
                expected = torch.zeros(len(ids), everything, dtype=torch.float64)
                for b in range(len(ids)):
                    expected[b, seen] = torch.stack(plain[b][number, k])
                torch.testing.assert_close(weights_BN, expected, atol=1e-6, rtol=1e-6)
        if level.shared_gate is not None:
            (weights_BN,) = next(rows)
            expected = torch.stack([torch.stack(row[number, "shared"]) for row in plain])
            torch.testing.assert_close(weights_BN, expected, atol=1e-6, rtol=1e-6)
        assert next(rows, None) is None


@given(config=configs(), tasks=task_lists)
@settings(max_examples=60, deadline=None)
def test_the_counted_parameters_are_the_built_ones(config, tasks):
    features = make_features()
    model = make_model(config, features, tasks)
    counted = costs(config, features, tasks)
    assert counted["params"] == sum(parameter.numel() for parameter in model.parameters())
    assert counted["params.embedding"] == sum(w.numel() for w in model.embedding.weights)
    assert counted["params"] == counted["params.embedding"] + counted["params.dense"]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_parameter_receives_gradient(family):
    config = ModelConfig(
        family=family,
        num_levels=3 if family == "ple" else 1,
        num_shared_experts=2,
        num_task_experts=2,
        expert_dims=(8, 8),
        gate_dims=(8,),
    )
    features = make_features()
    model = make_model(config, features)
    with torch.no_grad():
        for weight in model.embedding.weights:
            weight.normal_(generator=torch.Generator().manual_seed(0))
    model(*tensors(features, 200, 0)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


SAME = {
    "mmoe with one expert is shared_bottom": (
        ModelConfig(family="mmoe", num_shared_experts=1),
        ModelConfig(family="shared_bottom"),
    ),
    "cgc without task experts is mmoe": (
        ModelConfig(family="cgc", num_shared_experts=3, num_task_experts=0),
        ModelConfig(family="mmoe", num_shared_experts=3),
    ),
    "ple with one level is cgc": (
        ModelConfig(family="ple", num_levels=1, num_shared_experts=2, num_task_experts=2),
        ModelConfig(family="cgc", num_shared_experts=2, num_task_experts=2),
    ),
    "mmoe with one gate is omoe": (
        ModelConfig(family="mmoe", num_shared_experts=3, num_gates=1),
        ModelConfig(family="omoe", num_shared_experts=3),
    ),
}


@pytest.mark.parametrize("identity", SAME)
def test_identities_of_the_ladder(identity):
    left, right = SAME[identity]
    features = make_features()
    a, b = make_model(left, features), make_model(right, features)
    b.load_state_dict(a.state_dict())
    inputs = tensors(features, 50, 1)
    torch.testing.assert_close(a(*inputs), b(*inputs))


def permute_tasks(bank: MLPBank, order: list[int], *, first: int = 0, per_task: int = 1) -> None:
    """Reorder the MLPs `first + k * per_task + j` of a bank so that task k comes from order[k]."""
    number = list(range(first))
    number += [first + k * per_task + j for k in order for j in range(per_task)]
    shape: Bank = bank.bank
    with torch.no_grad():
        for depth, parameter in enumerate([*bank.weights, *bank.biases]):
            is_first_layer = depth % len(bank.weights) == 0
            if is_first_layer and shape.per_input > 1:
                groups, rows, columns = parameter.shape
                width = columns // shape.per_input
                view = parameter.view(groups, rows, shape.per_input, width).transpose(1, 2)
                flat = view.reshape(shape.num_mlps, rows, width)[number]
                back = flat.view(groups, shape.per_input, rows, width).transpose(1, 2)
                parameter.copy_(back.reshape(parameter.shape))
            else:
                parameter.copy_(parameter[number].clone())


@pytest.mark.parametrize("family", [f for f in FAMILIES if f != "single_task"])
def test_permuting_the_tasks_permutes_the_outputs(family):
    config = ModelConfig(
        family=family,
        num_levels=2 if family == "ple" else 1,
        num_shared_experts=2,
        num_task_experts=2,
        expert_dims=(5, 4),
    )
    tasks = tuple(TaskSchema(name=name) for name in "abc")
    features, order = make_features(), [2, 0, 1]
    model, permuted = (make_model(config, features, tasks) for _ in range(2))
    permute_tasks(permuted.towers, order)
    for level in permuted.levels:
        num_task = level.num_task
        if num_task and level.experts is not None:
            permute_tasks(level.experts, order, first=level.num_shared, per_task=num_task)
        elif num_task:
            permute_tasks(level.task_experts, order, per_task=num_task)
        if level.task_gates is not None and level.task_gates.bank.num_mlps > 1:
            permute_tasks(level.task_gates, order)
        if level.shared_gate is not None:  # its outputs follow the order of the experts
            shared = list(range(level.num_shared))
            columns = shared + [
                level.num_shared + k * num_task + j for k in order for j in range(num_task)
            ]
            with torch.no_grad():
                for parameter in (level.shared_gate.weights[-1], level.shared_gate.biases[-1]):
                    parameter.copy_(parameter[..., columns].clone())
    inputs = tensors(features, 20, 3)
    torch.testing.assert_close(permuted(*inputs), model(*inputs)[:, order], atol=1e-5, rtol=1e-5)


def test_an_empty_sequence_is_the_zero_vector():
    features = make_features(num_tables=1, num_numeric=0, max_len=2)
    model = make_model(ModelConfig(family="shared_bottom", embedding_dim=3), features)
    x = model.embedding(torch.tensor([[1, 0, 0], [1, 2, 0]]), torch.zeros(2, 0))
    assert np.array_equal(x[0, 0, 3:6].detach().numpy(), np.zeros(3))
    torch.testing.assert_close(x[0, 1, 3:6], model.embedding.weights[0][2])
