"""The loss against values worked out by hand and against the probabilities written out."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from automtl.config import ModelConfig, TaskSchema, TrainConfig, TrialConfig
from automtl.models.dependency import joint_labels, joint_log_probs
from automtl.training.losses import MultiTaskLoss, task_targets

NAN = float("nan")
CHAIN = (
    TaskSchema(name="click"),
    TaskSchema(name="cart", given="click"),
    TaskSchema(name="buy", given="cart"),
)
PAIR = CHAIN[:2]


def make_loss(tasks=PAIR, dependency="none", **train):
    config = TrialConfig(
        model=ModelConfig(family="mmoe", dependency=dependency), train=TrainConfig(**train)
    )
    return MultiTaskLoss(config, tasks)


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def test_each_task_is_averaged_over_its_observed_rows():
    logits = torch.tensor([[0.5, 1.0], [-0.5, 2.0], [1.5, 3.0]])
    targets = torch.tensor([[1.0, 1.0], [0.0, NAN], [1.0, 0.0]])
    click = -(math.log(sigmoid(0.5)) + math.log(1 - sigmoid(-0.5)) + math.log(sigmoid(1.5))) / 3
    cart = -(math.log(sigmoid(1.0)) + math.log(1 - sigmoid(3.0))) / 2
    loss = make_loss(loss_weights={"cart": 2.0})
    assert float(loss(logits, targets, epochs=0.0)) == pytest.approx(click + 2 * cart)


def test_a_row_without_a_label_leaves_no_trace():
    targets = torch.tensor([[1.0, NAN], [0.0, 1.0]])
    grads = []
    for hidden in (0.3, -40.0):
        logits = torch.tensor([[0.2, hidden], [0.1, 0.4]], requires_grad=True)
        loss = make_loss()(logits, targets, epochs=0.0)
        grads.append(torch.autograd.grad(loss, logits)[0])
        assert grads[-1][0, 1] == 0
    assert torch.equal(*grads)


def test_a_batch_without_any_label_contributes_zero_not_nan():
    logits = torch.zeros(3, 2, requires_grad=True)
    targets = torch.tensor([[1.0, NAN]] * 3)
    loss = make_loss()(logits, targets, epochs=0.0)
    assert float(loss.detach()) == pytest.approx(math.log(2))
    assert torch.autograd.grad(loss, logits)[0][:, 1].abs().sum() == 0


def test_the_balance_of_tasks_does_not_depend_on_the_batch_size():
    logits, targets = torch.randn(4, 2), torch.tensor([[1.0, 1.0], [0.0, NAN]] * 2)
    once = make_loss()(logits, targets, epochs=0.0)
    twice = make_loss()(logits.repeat(2, 1), targets.repeat(2, 1), epochs=0.0)
    torch.testing.assert_close(once, twice)


def test_decay_multiplies_the_weight_by_gamma_to_the_epochs():
    logits, targets = torch.zeros(1, 2), torch.tensor([[1.0, 1.0]])
    loss = make_loss(weighting="decay", loss_weights={"cart": 3.0}, loss_decay={"cart": 0.5})
    expected = math.log(2) * (1 + 3.0 * 0.5**1.5)
    assert float(loss(logits, targets, epochs=1.5)) == pytest.approx(expected)


def test_uncertainty_weighting_is_kendalls():
    tasks = (TaskSchema(name="click"), TaskSchema(name="spend", kind="regression", loss="mse"))
    loss = make_loss(tasks, weighting="uncertainty")
    with torch.no_grad():
        loss.log_variance_K.copy_(torch.tensor([0.4, -0.2]))
    logits, targets = torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 3.0]])
    click = math.exp(-0.4) * math.log(2) + 0.2
    spend = 0.5 * math.exp(0.2) * 4.0 - 0.1
    assert float(loss(logits, targets, epochs=0.0).detach()) == pytest.approx(click + spend)


@given(
    logits=st.lists(st.tuples(*[st.floats(-6, 6)] * 3), min_size=1, max_size=6),
    seed=st.integers(0, 100),
)
@settings(max_examples=60, deadline=None)
def test_esmm_is_cross_entropy_of_the_products_of_probabilities(logits, seed):
    rng = np.random.default_rng(seed)
    click, cart, buy = (rng.integers(0, 2, len(logits)).astype(float) for _ in range(3))
    masked = np.stack(
        [click, np.where(click == 1, cart, NAN), np.where(click * cart == 1, buy, NAN)], 1
    ).astype(np.float32)
    targets = task_targets(masked, CHAIN, dependency="esmm")
    total = 0.0
    for depth, labels in enumerate((click, click * cart, click * cart * buy), start=1):
        losses = []
        for row, label in zip(logits, labels, strict=True):
            p = math.prod(sigmoid(value) for value in row[:depth])
            losses.append(-(label * math.log(p) + (1 - label) * math.log(1 - p)))
        total += sum(losses) / len(losses)
    ours = make_loss(CHAIN, "esmm")(torch.tensor(logits), torch.from_numpy(targets), epochs=0.0)
    assert float(ours) == pytest.approx(total, rel=1e-4)


def test_joint_probabilities_stay_finite_at_extreme_logits():
    logits = torch.tensor([[200.0, 200.0], [-200.0, 200.0], [200.0, -200.0], [-200.0, -200.0]])
    logits.requires_grad_()
    log_p, log_not = joint_log_probs(logits, (-1, 0))
    (log_p.sum() + log_not.sum()).backward()
    assert torch.isfinite(log_p).all()
    assert torch.isfinite(log_not).all()
    assert torch.isfinite(logits.grad).all()


def test_joint_labels_know_that_no_click_means_no_conversion():
    labels = np.array([[0, NAN, NAN], [1, 0, NAN], [1, 1, 1], [NAN, NAN, NAN], [1, NAN, NAN]])
    joint = joint_labels(labels.astype(np.float32), CHAIN)
    expected = [[0, 0, 0], [1, 0, 0], [1, 1, 1], [NAN, NAN, NAN], [1, NAN, NAN]]
    np.testing.assert_array_equal(joint, np.array(expected, dtype=np.float32))


def test_regression_targets_are_standardised():
    tasks = (
        TaskSchema(name="time", kind="regression", loss="huber", mean=10.0, std=2.0),
        TaskSchema(name="spend", kind="regression", loss="lognormal", mean=1.0, std=0.5),
    )
    labels = np.array([[14.0, math.e**2], [NAN, math.e]], dtype=np.float32)
    targets = task_targets(labels, tasks, dependency="none")
    np.testing.assert_allclose(targets, [[2.0, 2.0], [NAN, 0.0]], atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(
        st.tuples(
            st.tuples(*[st.floats(-4, 4)] * 3),  # logits
            st.tuples(*[st.sampled_from([0.0, 1.0, NAN])] * 2, st.sampled_from([-1.0, 0.5, NAN])),
            st.tuples(*[st.sampled_from([0.0, 0.25, 1.0, 30.0])] * 3),  # weights
        ),
        min_size=1,
        max_size=8,
    ),
    dependency=st.sampled_from(["none", "esmm"]),
)
def test_weights_make_the_loss_a_weighted_mean_over_observed_rows(rows, dependency):
    tasks = (*PAIR, TaskSchema(name="spend", kind="regression", loss="mse"))
    expected = []
    for task in range(3):
        total, weighted = 0.0, 0.0
        for logits, targets, weights in rows:
            if math.isnan(targets[task]):
                continue
            if task == 2:
                loss = (logits[2] - targets[2]) ** 2
            else:
                is_joint = task == 1 and dependency == "esmm"
                p = sigmoid(logits[task]) * (sigmoid(logits[0]) if is_joint else 1)
                loss = -math.log(p if targets[task] == 1 else 1 - p)
            total += weights[task]
            weighted += weights[task] * loss
        expected.append(weighted / total if total else 0.0)
    logits, targets, weights = (torch.tensor(part) for part in zip(*rows, strict=True))
    loss = make_loss(tasks, dependency, loss_weights={"cart": 2.0})
    got = loss.per_task(logits, targets, weights)
    torch.testing.assert_close(got, torch.tensor(expected), rtol=1e-4, atol=1e-5)
    whole = expected[0] + 2 * expected[1] + expected[2]
    assert float(loss(logits, targets, weights, epochs=0.0)) == pytest.approx(whole, rel=1e-4)


def test_equal_weights_change_nothing_whatever_they_are():
    logits, targets = torch.randn(5, 2), torch.tensor([[1.0, NAN], [0.0, 1.0], [1.0, 0.0]] * 2)[:5]
    without = make_loss()(logits, targets, epochs=0.0)
    for weight in (1.0, 1e-3, 1e9):
        weighted = make_loss()(logits, targets, torch.full((5, 2), weight), epochs=0.0)
        torch.testing.assert_close(weighted, without)
