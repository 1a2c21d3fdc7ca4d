"""Steps on a GPU: they wait for nothing, and recorded they are what they are one by one."""

import pytest
import torch
from support.gpu import NEEDS_GPU
from support.make import make_features, make_inputs, make_model

from automtl.config import FAMILIES, ModelConfig, TaskSchema, TrainConfig, TrialConfig
from automtl.training.captured import CapturedStepper
from automtl.training.losses import MultiTaskLoss
from automtl.training.step import Stepper

pytestmark = NEEDS_GPU

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
    "sequence_pooling": "attention",
    "gate_features": ("c1", "x0"),
}
NUM_STEPS = 8  # more than are made before the recording
RECIPES = [
    {"embedding_optimizer": "adagrad", "weighting": "uncertainty", "weight_decay": 0.1},
    {"embedding_optimizer": "rowwise_adagrad", "embedding_l2": 0.1},
    {"embedding_optimizer": "adam", "weighting": "decay", "loss_decay": {"buy": 0.5}},
]


def make_config(family, dependency, *, dropout=0.0, numeric_encoding="buckets", **train):
    return TrialConfig(
        model=ModelConfig(
            family=family,
            dependency=dependency,
            num_levels=2 if family == "ple" else 1,
            numeric_encoding=numeric_encoding,
            dropout=dropout,
            embedding_dropout=dropout,
            **EVERY_OPTION,
        ),
        train=TrainConfig(**train),
    )


def make_stepper(config, kind, device="cuda"):
    model = make_model(config.model, make_features(), TASKS).to(device)
    loss = MultiTaskLoss(config, TASKS, log_scale=model.log_scale).to(device)
    stepper = kind(config.train, model, loss)
    stepper.model.train()
    return stepper


def make_batch(seed, device="cuda", num_rows=40):
    ids, numeric = (torch.from_numpy(part) for part in make_inputs(make_features(), num_rows, seed))
    generator = torch.Generator().manual_seed(seed)
    click, buy = torch.randint(0, 2, (2, num_rows), generator=generator)
    spend = torch.randn(num_rows, generator=generator)
    targets = torch.stack(
        [click, torch.where(click > 0, buy, NAN), torch.where(click * buy > 0, spend, NAN)], 1
    )
    weights = torch.rand(num_rows, 1, generator=generator).expand(-1, len(TASKS)).contiguous()
    return [part.to(device) for part in (ids, numeric, targets, weights)]


def losses_of(stepper, device="cuda"):
    """The losses of NUM_STEPS steps, each on a batch of its own."""
    torch.manual_seed(3)
    return [
        float(stepper.step(*make_batch(number, device), epochs=number / 4))
        for number in range(NUM_STEPS)
    ]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dependency", ["none", "esmm"])
@pytest.mark.parametrize("numeric_encoding", ["buckets", "piecewise_linear"])
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe["embedding_optimizer"])
@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
def test_a_step_waits_for_nothing(family, dependency, numeric_encoding, recipe):
    config = make_config(
        family, dependency, dropout=0.1, numeric_encoding=numeric_encoding, **recipe
    )
    stepper, batch = make_stepper(config, Stepper), make_batch(0)
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
    config = make_config(family, dependency, dropout=0.2, **recipe)
    plain, recorded = make_stepper(config, Stepper), make_stepper(config, CapturedStepper)
    assert losses_of(recorded) == losses_of(plain)
    state = recorded.state()
    assert all(torch.equal(tensor, state[name]) for name, tensor in plain.state().items())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe["embedding_optimizer"])
def test_a_gpu_learns_what_a_cpu_learns(family, recipe):
    config = make_config(family, "esmm", **recipe)
    on_gpu = losses_of(make_stepper(config, CapturedStepper))
    on_cpu = losses_of(make_stepper(config, Stepper, "cpu"), "cpu")
    assert on_gpu == pytest.approx(on_cpu, rel=1e-4)


def test_a_loss_stays_until_the_next_step():
    stepper = make_stepper(make_config("mmoe", "none"), CapturedStepper)
    for number in range(NUM_STEPS - 1):
        stepper.step(*make_batch(number), epochs=0.0)
    loss = stepper.step(*make_batch(NUM_STEPS), epochs=0.0)
    before = float(loss)
    stepper.model.eval()
    stepper.model.predict(*make_batch(0)[:2])
    assert float(loss) == before
