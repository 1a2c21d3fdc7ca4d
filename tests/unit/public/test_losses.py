"""The zoo's loss against its formulas, row by row."""

import math

import pytest
import torch

import automtl
from automtl.errors import SchemaError

NAN = float("nan")
SCHEMA = automtl.schema(
    categorical={"user": 20, "item": 9},
    tasks=["click", "buy", "spend"],
    given={"buy": "click", "spend": "buy"},
    regression=["spend"],
)
# what stands where a condition does not hold, or is unknown, says nothing
LABELS = torch.tensor(
    [[0, 0, 7.0], [1, 0, NAN], [1, 1, 0.5], [1, 1, -1.5], [NAN, 1, 2.0], [0, 1, 1.0], [1, NAN, 3.0]]
)
IDS = torch.tensor([[row, row % 4] for row in range(len(LABELS))])


def built(dependency):
    model = automtl.build_model(
        "ple", SCHEMA, dependency=dependency, expert_dims=(8,), tower_dims=(), embedding_dim=4
    )
    return model, model(IDS, torch.empty(len(IDS), 0))


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def bce(p, label):
    return -(label * math.log(p) + (1 - label) * math.log(1 - p))


def mean(values):
    return sum(values) / len(values)


def plain(logits, labels, dependency):
    click, buy, spend = [], [], []
    for (a, b, value), (clicked, bought, spent) in zip(logits, labels, strict=True):
        if clicked in (0, 1):
            click.append(bce(sigmoid(a), clicked))
        if dependency == "esmm" and clicked == 0:
            buy.append(bce(sigmoid(a) * sigmoid(b), 0))
        if clicked == 1 and bought in (0, 1):
            p = sigmoid(a) * sigmoid(b) if dependency == "esmm" else sigmoid(b)
            buy.append(bce(p, bought))
            if bought == 1:
                spend.append((value - spent) ** 2)
    return [mean(click), mean(buy), mean(spend)]


@pytest.mark.parametrize("dependency", ["none", "esmm"])
def test_losses_are_their_formulas(dependency):
    model, logits = built(dependency)
    found = automtl.task_losses(model, logits, LABELS)
    expected = plain(logits.tolist(), LABELS.tolist(), dependency)
    assert found.tolist() == pytest.approx(expected, rel=1e-5)
    found.sum().backward()
    assert all(torch.isfinite(one.grad).all() for one in model.parameters())


def test_weights_count_rows():
    model, logits = built("esmm")
    weights = torch.ones_like(LABELS)
    same = automtl.task_losses(model, logits, LABELS, weights)
    torch.testing.assert_close(same, automtl.task_losses(model, logits, LABELS))
    weights[3:] = 0
    found = automtl.task_losses(model, logits, LABELS, weights)
    torch.testing.assert_close(found, automtl.task_losses(model, logits[:3], LABELS[:3]))


def test_labels_stay_as_they_are_and_without_any_there_is_no_loss():
    model, logits = built("none")
    before = LABELS.clone()
    automtl.task_losses(model, logits, LABELS)
    torch.testing.assert_close(LABELS, before, equal_nan=True, rtol=0, atol=0)
    none = torch.full_like(LABELS, NAN)
    assert automtl.task_losses(model, logits, none).tolist() == [0, 0, 0]


def test_other_shapes_are_refused():
    model, logits = built("none")
    with pytest.raises(SchemaError, match=r"labels are \[7\], logits \[7, 3\]; give a row a row"):
        automtl.task_losses(model, logits, LABELS[:, 0])
