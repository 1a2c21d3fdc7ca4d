"""A trial from its config to its evaluations, on rows in memory."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from support.make import InMemoryData, InMemoryRows

from automtl.config import FAMILIES, ModelConfig, TaskSchema, TrainConfig, TrialConfig
from automtl.errors import TrialFailedError
from automtl.records import evaluation_epochs
from automtl.training.fit import Trainer, predict_rows
from automtl.training.step import Stepper

SMALL = {"expert_dims": (16,), "tower_dims": (8,), "embedding_dim": 4}


class ShortData(InMemoryData):
    """Few train rows, and enough to judge by."""

    def __init__(self, num_train):
        super().__init__()
        self.num_train = num_train

    def rows(self, split):
        rows = super().rows(split)
        if split != "train":
            return rows
        parts = (rows.ids_NC, rows.numeric_NF, rows.labels_NK)
        return InMemoryRows(*(part[: self.num_train] for part in parts))


class AlikeData(InMemoryData):
    """Everybody clicks, but in training."""

    def rows(self, split):
        rows = super().rows(split)
        if split != "train":
            rows.labels_NK[:, 0] = 1.0
        return rows


def make_config(family="shared_bottom", dependency="none", model=None, **train):
    return TrialConfig(
        model=ModelConfig(family=family, dependency=dependency, **SMALL, **(model or {})),
        train=TrainConfig(**({"batch_size": 100, "lr": 1e-2} | train)),
    )


def run(config, data=None, **options):
    trainer = Trainer(config, data or InMemoryData(), **({"seed": 0, "device": "cpu"} | options))
    return trainer, list(trainer.run())


def test_evaluations_come_at_the_rungs_on_the_way_and_at_the_end():
    assert evaluation_epochs(1.0, (0.1, 0.3, 2.0)) == (0.1, 0.3, 1.0)
    assert evaluation_epochs(0.3, (0.1, 0.1 * 3)) == (0.1, 0.3), "its end is no rung"
    assert evaluation_epochs(1.0, ()) == (1.0,)
    _, evaluations = run(make_config(epochs=0.9), rungs=(0.1, 0.3))
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
@pytest.mark.parametrize("embedding_optimizer", ["adagrad", "rowwise_adagrad", "adam"])
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


def test_a_batch_larger_than_the_data_is_the_whole_data_and_noted():
    _, evaluations = run(make_config(batch_size=10_000), InMemoryData(num_rows=50))
    assert evaluations[-1].examples == 50
    assert evaluations[-1].notes == (
        "batch_size 10000 is more than the 50 train rows: every batch is all of them",
    )


def test_one_train_row_is_enough():
    _, evaluations = run(make_config(epochs=5), ShortData(num_train=1))
    assert evaluations[-1].examples == 5
    assert 0 <= evaluations[-1].metrics["click.auc"] <= 1


def test_where_all_validation_labels_are_alike_there_is_no_auc():
    """Data like this is refused when it is read (`data.labels.check_labels`)."""
    _, evaluations = run(make_config(), AlikeData())
    metrics = evaluations[-1].metrics
    assert math.isnan(metrics["click.auc"])
    assert math.isfinite(metrics["click.logloss"])
    assert math.isfinite(metrics["params"])


# ---- out of memory ---------------------------------------------------------------------------


def fail_steps(patch, num_failures):
    """The next steps find no memory."""
    step, left = Stepper.step, iter(range(num_failures))

    def failing(self, *batch, epochs):
        if next(left, None) is not None:
            raise torch.OutOfMemoryError("no memory left")
        return step(self, *batch, epochs=epochs)

    patch.setattr(Stepper, "step", failing)


def test_out_of_memory_a_trial_starts_again_with_half_the_batch(monkeypatch):
    _, asked = run(make_config(batch_size=100), rungs=(0.2, 0.5))
    fail_steps(monkeypatch, 1)
    trainer, short = run(make_config(batch_size=200), rungs=(0.2, 0.5))
    assert [(e.examples, e.metrics) for e in short] == [(e.examples, e.metrics) for e in asked]
    note = "out of memory at batch_size 200: trained with 100"
    assert [e.notes for e in short] == [(note,)] * 3
    assert trainer.evaluate("valid") == short[-1].metrics


def test_half_of_a_batch_that_is_all_the_data_is_half_the_data(monkeypatch):
    fail_steps(monkeypatch, 1)
    _, evaluations = run(make_config(batch_size=10_000), InMemoryData(num_rows=50))
    assert evaluations[-1].examples == 50
    assert evaluations[-1].notes == (
        "batch_size 10000 is more than the 50 train rows: every batch is all of them",
        "out of memory at batch_size 50: trained with 25",
    )


@pytest.mark.parametrize(("batch_size", "tried"), [(200, 100), (1, 1)])
def test_a_trial_that_half_the_batch_does_not_help_fails_with_the_numbers(
    batch_size, tried, monkeypatch
):
    fail_steps(monkeypatch, 2)
    message = rf"out of memory on cpu at batch_size {tried}, after .* GB; a smaller batch_size, "
    with pytest.raises(TrialFailedError, match=message):
        run(make_config(batch_size=batch_size))


def test_a_trial_that_has_been_evaluated_does_not_start_again(monkeypatch):
    trainer = Trainer(make_config(), InMemoryData(), seed=0, device="cpu", rungs=(0.5,))
    evaluations = trainer.run()
    next(evaluations)
    fail_steps(monkeypatch, 1)
    with pytest.raises(TrialFailedError, match="out of memory on cpu at batch_size 100"):
        next(evaluations)


class WeightedData(InMemoryData):
    """Rows whose first number is above 0 do not count for `click`."""

    def rows(self, split):
        rows = super().rows(split)
        weights = np.ones_like(rows.labels_NK)
        weights[rows.numeric_NF[:, 0] > 0, 0] = 0.0
        return dataclasses.replace(rows, weights_NK=weights)


class SpoiltData(WeightedData):
    """Where rows do not count, their labels are wrong."""

    def rows(self, split):
        rows = super().rows(split)
        if split == "train":
            is_out = rows.weights_NK[:, 0] == 0
            rows.labels_NK[is_out, 0] = 1 - rows.labels_NK[is_out, 0]
        return rows


def test_rows_of_weight_zero_teach_their_task_nothing():
    tasks = (TaskSchema(name="click"),)
    _, clean = run(make_config(epochs=0.5), WeightedData(tasks=tasks))
    _, spoilt = run(make_config(epochs=0.5), SpoiltData(tasks=tasks))
    _, unweighted = run(make_config(epochs=0.5), InMemoryData(tasks=tasks))
    assert clean[-1].metrics == spoilt[-1].metrics
    assert clean[-1].metrics["click.auc"] != unweighted[-1].metrics["click.auc"]
