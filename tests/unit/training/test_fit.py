"""A trial from its config to its evaluations, on rows in memory."""

import math

import numpy as np
import pytest
import torch
from support.make import InMemoryData

from automtl.config import FAMILIES, ModelConfig, TaskSchema, TrainConfig, TrialConfig
from automtl.errors import TrialFailedError
from automtl.training.batches import Batches
from automtl.training.fit import Trainer, evaluation_epochs, predict_rows

SMALL = {"expert_dims": (16,), "tower_dims": (8,), "embedding_dim": 4}


def make_config(family="shared_bottom", dependency="none", model=None, **train):
    return TrialConfig(
        model=ModelConfig(family=family, dependency=dependency, **SMALL, **(model or {})),
        train=TrainConfig(**({"batch_size": 100, "lr": 1e-2} | train)),
    )


def run(config, data=None, **options):
    trainer = Trainer(config, data or InMemoryData(), **({"seed": 0, "device": "cpu"} | options))
    return trainer, list(trainer.run())


def test_evaluations_come_at_thirds_of_thirds():
    assert evaluation_epochs(1.0, 3) == pytest.approx((1 / 9, 1 / 3, 1.0))
    _, evaluations = run(make_config(epochs=0.9))
    assert [e.epochs for e in evaluations] == pytest.approx([0.1, 0.3, 0.9])
    assert [e.examples for e in evaluations] == [200, 600, 1800]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dependency", ["none", "esmm"])
def test_every_family_learns_under_both_dependencies(family, dependency):
    model = {"num_levels": 2} if family == "ple" else {}
    config = make_config(family, dependency, model={**model, "num_shared_experts": 2}, epochs=3)
    trainer, evaluations = run(config)
    metrics = evaluations[-1].metrics
    assert metrics["click.auc"] > 0.85
    assert metrics["buy.auc"] > 0.75
    assert metrics["params"] == sum(p.numel() for p in trainer.model.parameters())


@pytest.mark.parametrize("weighting", ["fixed", "decay", "uncertainty"])
@pytest.mark.parametrize("embedding_optimizer", ["adagrad", "adam"])
def test_the_same_seed_gives_the_same_numbers(weighting, embedding_optimizer):
    config = make_config(
        "mmoe",
        weighting=weighting,
        embedding_optimizer=embedding_optimizer,
        model={"dropout": 0.2, "num_shared_experts": 2},
    )
    (_, first), (_, again), (_, other) = (run(config, seed=seed) for seed in (1, 1, 2))
    assert [e.metrics for e in first] == [e.metrics for e in again]
    assert first[-1].metrics != other[-1].metrics


def test_training_leaves_the_global_generator_alone():
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    run(make_config(model={"dropout": 0.5}))
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("loss", ["mse", "huber", "lognormal"])
def test_regression_predicts_in_the_labels_units(loss):
    probe = InMemoryData(tasks=(TaskSchema(name="time", kind="regression", loss="mse"),))
    labels = probe.rows("train").labels_NK
    values = np.log(labels) if loss == "lognormal" else labels
    task = TaskSchema(
        name="time",
        kind="regression",
        loss=loss,
        mean=float(values.mean()),
        std=float(values.std()),
    )
    _, evaluations = run(make_config(epochs=5), InMemoryData(tasks=(task,)))
    assert evaluations[-1].metrics["time.rmse"] < 0.5 * float(labels.std())


def test_a_loss_that_is_not_finite_fails_the_trial():
    with pytest.raises(TrialFailedError, match=r"the loss is nan at step \d+; a lower lr"):
        run(make_config(lr=math.inf))


def test_the_last_evaluation_is_of_the_weights_that_are_left():
    data = InMemoryData()
    trainer, evaluations = run(make_config(), data)
    assert trainer.evaluate("valid") == evaluations[-1].metrics
    predictions = predict_rows(trainer.model, data.rows("valid"), batch_size=33)
    whole = predict_rows(trainer.model, data.rows("valid"))
    for name, values in predictions.items():
        np.testing.assert_allclose(values, whole[name], atol=1e-6)


def test_a_batch_larger_than_the_data_is_the_whole_data():
    _, evaluations = run(make_config(batch_size=10_000), InMemoryData(num_rows=50))
    assert evaluations[-1].examples == 50


def test_an_epoch_shows_every_row_once():
    rows = np.arange(10)
    stream = Batches(rows, device=torch.device("cpu")).shuffled(4, np.random.default_rng(0))
    seen = torch.cat([next(stream)[0] for _ in range(5)])
    assert sorted(seen[:10].tolist()) == sorted(seen[10:].tolist()) == rows.tolist()
