"""One step: that it is an ordinary step of autograd, and that it needs no value to go on."""

import copy

import pytest
import torch
from support.make import make_features, make_inputs, make_model
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from automtl.config import FAMILIES, ModelConfig, TaskSchema, TrainConfig, TrialConfig
from automtl.training.losses import MultiTaskLoss
from automtl.training.optim import dense_parameters
from automtl.training.step import Stepper

NAN = float("nan")
TASKS = (
    TaskSchema(name="click"),
    TaskSchema(name="buy", given="click"),
    TaskSchema(name="spend", kind="regression", loss="lognormal", given="buy"),
)
SIZES = {"num_shared_experts": 2, "num_task_experts": 2, "expert_dims": (8, 6), "tower_dims": (4,)}
EVERY_OPTION = SIZES | {
    "gate_dims": (5,),
    "embedding_dim": 4,
    "embedding_dims": {"c1": 3},
    "embedding_dropout": 0.1,
    "dropout": 0.1,
    "sequence_pooling": "attention",
    "gate_features": ("c1", "x0"),
}


def make_config(family, dependency="none", *, train=None, **model):
    levels = 2 if family == "ple" else 1
    return TrialConfig(
        model=ModelConfig(
            family=family, dependency=dependency, num_levels=levels, **(SIZES | model)
        ),
        train=TrainConfig(**(train or {})),
    )


def make_stepper(config, *, device="cpu", seed=0):
    model = make_model(config.model, make_features(), TASKS, seed).to(device)
    loss = MultiTaskLoss(config, TASKS, log_scale=model.log_scale).to(device)
    return Stepper(config.train, model, loss)


def make_batch(num_rows=40, seed=0):
    """Ids, numbers and targets; a click is needed for a purchase, and that for money spent."""
    ids, numeric = (torch.from_numpy(part) for part in make_inputs(make_features(), num_rows, seed))
    generator = torch.Generator().manual_seed(seed)
    click, buy = torch.randint(0, 2, (2, num_rows), generator=generator)
    spend = torch.randn(num_rows, generator=generator)
    targets = torch.stack(
        [click, torch.where(click > 0, buy, NAN), torch.where(click * buy > 0, spend, NAN)], 1
    )
    return ids, numeric, targets


def step_without_values(family, dependency, numeric_encoding, **train):
    """Steps of the meta device, whose tensors have a shape only: whoever asks for a value fails."""
    train = {"weighting": "uncertainty", "weight_decay": 0.1, "embedding_l2": 0.1} | train
    options = EVERY_OPTION | {"numeric_encoding": numeric_encoding}
    stepper = make_stepper(make_config(family, dependency, train=train, **options), device="meta")
    stepper.model.train()
    batch = [tensor.to("meta") for tensor in make_batch()]
    losses = [stepper.step(*batch, epochs=float(number)) for number in range(2)]
    assert {loss.device.type for loss in losses} == {"meta"}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dependency", ["none", "esmm"])
@pytest.mark.parametrize("numeric_encoding", ["buckets", "piecewise_linear"])
def test_a_step_waits_for_no_value_and_makes_no_tensor_elsewhere(
    family, dependency, numeric_encoding
):
    step_without_values(family, dependency, numeric_encoding)


@pytest.mark.parametrize("embedding_optimizer", ["rowwise_adagrad", "adam"])
@pytest.mark.parametrize("weighting", ["fixed", "decay"])
def test_nor_does_a_step_of_another_recipe(embedding_optimizer, weighting):
    step_without_values(
        "ple", "esmm", "buckets", embedding_optimizer=embedding_optimizer, weighting=weighting
    )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dependency", ["none", "esmm"])
def test_a_step_is_an_ordinary_step_of_autograd(family, dependency):
    config = make_config(
        family,
        dependency,
        embedding_dims={"c1": 3},
        numeric_encoding="buckets",
        sequence_pooling="attention",
        train={"weighting": "decay", "loss_decay": {"buy": 0.5}, "weight_decay": 0.1},
    )
    ours, ordinary = make_stepper(config), make_stepper(config)
    model, loss_of = ordinary.model, ordinary.loss
    matrices = [p for p in dense_parameters(model) if p.ndim == 3 and p.shape[1] > 1]
    others = [p for p in dense_parameters(model) if all(p is not m for m in matrices)]
    adamw = torch.optim.AdamW(
        [{"params": matrices}, {"params": others, "weight_decay": 0.0}],
        lr=config.train.lr,
        weight_decay=config.train.weight_decay,
    )
    adagrad = torch.optim.Adagrad(model.embedding.weights, lr=config.train.embedding_lr)
    for number in range(3):
        ids, numeric, targets = make_batch(seed=number)
        loss = loss_of(model(ids, numeric), targets, epochs=float(number))
        model.zero_grad()
        loss.backward()
        adamw.step()
        adagrad.step()
        got = ours.step(ids, numeric, targets, epochs=float(number))
        torch.testing.assert_close(got, loss.detach(), atol=1e-5, rtol=1e-5)
    expected = dict(model.named_parameters())
    for name, parameter in ours.model.named_parameters():
        torch.testing.assert_close(
            parameter, expected[name], atol=1e-5, rtol=1e-5, msg=lambda text, at=name: at + text
        )


@pytest.mark.parametrize("dependency", ["none", "esmm"])
def test_a_row_without_a_label_leaves_no_trace(dependency):
    """Neither in the loss nor in any gradient nor in the tables, whatever its features are."""
    config = make_config("ple", dependency, numeric_encoding="piecewise_linear")
    ids, numeric, targets = make_batch()
    targets[7] = NAN
    other_ids, other_numeric = ids.clone(), numeric.clone()
    other_ids[7], other_numeric[7] = ids[8], 3.0
    steppers = [make_stepper(config) for _ in range(2)]
    pairs = ((ids, numeric), (other_ids, other_numeric))
    losses = [
        stepper.step(*inputs, targets, epochs=0.0)
        for stepper, inputs in zip(steppers, pairs, strict=True)
    ]
    assert torch.equal(*losses)
    left, right = (stepper.model for stepper in steppers)
    for a, b in zip(dense_parameters(left), dense_parameters(right), strict=True):
        assert torch.equal(a.grad, b.grad)
    for a, b in zip(left.parameters(), right.parameters(), strict=True):
        assert torch.equal(a, b)


class Trunk(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x_GBE):
        return self.model.trunk(x_GBE)


@pytest.mark.parametrize("family", ["mmoe", "ple"])
def test_trunks_with_stacked_parameters_are_the_trunks_one_by_one(family):
    """So that several models of one shape could be trained as one."""
    config = make_config(family, gate_features=("c1",), gate_dims=(5,)).model
    trunks = [Trunk(make_model(config, seed=seed)) for seed in range(3)]
    shape = trunks[0].model.embedding
    generator = torch.Generator().manual_seed(0)
    x_MGBE = torch.randn(3, shape.num_copies, 20, shape.width, generator=generator)
    stacked, buffers = stack_module_state(trunks)
    plain = copy.deepcopy(trunks[0]).to("meta")

    outputs_MBK = vmap(lambda *state: functional_call(plain, state[:2], (state[2],)))(
        stacked, buffers, x_MGBE
    )
    outputs_MBK.square().sum().backward()
    for number, (trunk, x_GBE) in enumerate(zip(trunks, x_MGBE, strict=True)):
        outputs_BK = trunk(x_GBE)
        torch.testing.assert_close(outputs_MBK[number], outputs_BK)
        outputs_BK.square().sum().backward()
        for name, parameter in trunk.named_parameters():
            if parameter.grad is not None:  # the tables are not part of the trunk
                torch.testing.assert_close(stacked[name].grad[number], parameter.grad)
