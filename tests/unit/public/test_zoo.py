"""Any architecture of the space as a plain module that any optimiser trains."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

import automtl
from automtl.config import FAMILIES
from automtl.errors import SchemaError

SCHEMA = automtl.schema(
    categorical={"user": 50, "item": 20},
    numeric=["price"],
    sequence={"history": ("item", 3), "words": (9, 2)},
    dense={"image": 4},
    tasks=["click", "buy"],
    given={"buy": "click"},
)


def inputs(num_rows=64):
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, 9, (num_rows, 7), generator=generator)
    return ids, torch.randn(num_rows, 5, generator=generator)


def test_ple_in_three_lines():
    schema = automtl.schema(categorical={"user": 1000, "item": 500}, tasks=["click", "buy"])
    model = automtl.build_model("ple", schema)
    logits = model(torch.tensor([[3, 7], [4, 7]]), torch.empty(2, 0))
    assert logits.shape == (2, 2)
    assert isinstance(model, torch.nn.Module)


@pytest.mark.parametrize(
    ("family", "optimiser"),
    [*((one, torch.optim.Adam) for one in FAMILIES), ("ple", torch.optim.SGD)],
)
def test_any_optimiser_of_torch_trains_it(family, optimiser):
    model = automtl.build_model(family, SCHEMA, expert_dims=(16,), tower_dims=(8,), embedding_dim=4)
    ids, numeric = inputs()
    labels = torch.stack([ids[:, 0] % 2, ids[:, 1] % 2], 1).float()
    steps = optimiser(model.parameters(), lr=0.02)
    losses = []
    for _ in range(12):
        loss = binary_cross_entropy_with_logits(model(ids, numeric), labels)
        steps.zero_grad()
        loss.backward()
        steps.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert all(one.grad is not None for one in model.parameters())


def test_predictions_have_names():
    predictions = automtl.build_model("mmoe", SCHEMA).eval().predict(*inputs())
    assert set(predictions) == {"click", "buy", "buy.joint"}


def test_the_seed_decides_and_the_global_generator_does_not():
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    first, again, other = (automtl.build_model("cgc", SCHEMA, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(torch.rand(1), expected)
    pairs = list(zip(first.parameters(), again.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(one, same) for one, same, _ in pairs)
    assert not all(torch.equal(one, differs) for one, _, differs in pairs)


def test_a_config_says_everything():
    config = automtl.ModelConfig(family="ple", num_levels=3, num_task_experts=2)
    model = automtl.build_model(config, SCHEMA, dropout=0.1)
    assert len(model.levels) == 3
    assert model.config.dropout == 0.1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"tasks": []}, "tasks is no list of names"),
        ({"tasks": "click"}, "tasks is no list of names"),
        ({"categorical": {}}, "there is no feature"),
        ({"numeric": ["user"]}, "user is named twice"),
        ({"categorical": {"user": 0}}, "user is 0; write 1 or more"),
        ({"sequence": {"history": ("itme", 3)}}, "history shares itme, which is no categorical"),
        ({"given": {"buy": "view"}}, "view is no task; tasks: click, buy"),
        ({"given": {"click": "buy"}}, "click is given buy; name buy before click"),
        ({"regression": ["click"], "given": {"buy": "click"}}, "name a binary task"),
    ],
)
def test_what_does_not_fit_is_said(wrong, said):
    good = {"categorical": {"user": 5}, "tasks": ["click", "buy"]}
    with pytest.raises(SchemaError, match=said):
        automtl.schema(**{**good, **wrong})


def test_an_unknown_family_or_knob_names_those_there_are():
    with pytest.raises(SchemaError, match="'mmeo' is no family; did you mean mmoe"):
        automtl.build_model("mmeo", SCHEMA)
    with pytest.raises(SchemaError, match="'num_level' is no knob; did you mean num_levels"):
        automtl.build_model("ple", SCHEMA, num_level=2)
