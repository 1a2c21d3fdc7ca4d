"""Steps on a GPU: they wait for nothing, and recorded they are what they are one by one."""

import pytest
import torch
from support.gpu import NEEDS_GPU
from support.make import make_features, make_model
from unit.training.test_step import EVERY_OPTION, TASKS, make_batch, make_config

from automtl.config import FAMILIES
from automtl.training.captured import CapturedStepper
from automtl.training.losses import MultiTaskLoss
from automtl.training.step import Stepper

pytestmark = NEEDS_GPU

NUM_STEPS = 8  # more than are made before the recording
RECIPES = [
    {"embedding_optimizer": "adagrad", "weighting": "uncertainty", "weight_decay": 0.1},
    {"embedding_optimizer": "rowwise_adagrad", "embedding_l2": 0.1},
    {"embedding_optimizer": "adam", "weighting": "decay", "loss_decay": {"buy": 0.5}},
]


def options(*, dropout=0.0, numeric_encoding="buckets"):
    changed = {"dropout": dropout, "embedding_dropout": dropout}
    return EVERY_OPTION | changed | {"numeric_encoding": numeric_encoding}


def make_stepper(config, kind, device="cuda"):
    model = make_model(config.model, make_features(), TASKS).to(device)
    loss = MultiTaskLoss(config, TASKS, log_scale=model.log_scale).to(device)
    stepper = kind(config.train, model, loss)
    stepper.model.train()
    return stepper


def weighted_batch(seed, device="cuda"):
    batch = make_batch(seed=seed)
    weights = torch.rand(batch[2].shape, generator=torch.Generator().manual_seed(seed))
    return [part.to(device) for part in (*batch, weights)]


def losses_of(stepper, device="cuda"):
    """The losses of NUM_STEPS steps, each on a batch of its own."""
    torch.manual_seed(3)
    return [
        float(stepper.step(*weighted_batch(number, device), epochs=number / 4))
        for number in range(NUM_STEPS)
    ]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dependency", ["none", "esmm"])
@pytest.mark.parametrize("numeric_encoding", ["buckets", "piecewise_linear"])
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe["embedding_optimizer"])
@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
def test_a_step_waits_for_nothing(family, dependency, numeric_encoding, recipe):
    model = options(dropout=0.1, numeric_encoding=numeric_encoding)
    config = make_config(family, dependency, train=recipe, **model)
    stepper, batch = make_stepper(config, Stepper), weighted_batch(0)
    stepper.step(*batch, epochs=0.0)
    torch.cuda.set_sync_debug_mode("error")
    try:
        stepper.step(*batch, epochs=0.5)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dependency", ["none", "esmm"])
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe["embedding_optimizer"])
def test_recorded_steps_are_the_same_steps(family, dependency, recipe):
    config = make_config(family, dependency, train=recipe, **options(dropout=0.2))
    plain, recorded = make_stepper(config, Stepper), make_stepper(config, CapturedStepper)
    assert losses_of(recorded) == losses_of(plain)
    state = recorded.state()
    assert all(torch.equal(tensor, state[name]) for name, tensor in plain.state().items())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe["embedding_optimizer"])
def test_a_gpu_learns_what_a_cpu_learns(family, recipe):
    config = make_config(family, "esmm", train=recipe, **options())
    on_gpu = losses_of(make_stepper(config, CapturedStepper))
    on_cpu = losses_of(make_stepper(config, Stepper, "cpu"), "cpu")
    assert on_gpu == pytest.approx(on_cpu, rel=1e-4)


def test_a_loss_stays_until_the_next_step():
    stepper = make_stepper(make_config("mmoe", **options()), CapturedStepper)
    for number in range(NUM_STEPS - 1):
        stepper.step(*weighted_batch(number), epochs=0.0)
    loss = stepper.step(*weighted_batch(NUM_STEPS), epochs=0.0)
    before = float(loss)
    stepper.model.eval()
    stepper.model.predict(*weighted_batch(0)[:2])
    assert float(loss) == before
