"""Mistakes seen in other implementations of these models, each with the test that it is not here.

That a trial's values are those of its last weights, not of its best evaluation, is held in
`training/test_fit.py`; that a row without a label leaves no trace in `training/test_step.py`.
"""

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.metrics import roc_auc_score
from support.data_spec import make_spec
from support.make import (
    CLICK_AND_CONVERSION,
    InMemoryData,
    make_features,
    make_inputs,
    make_model,
)

from automtl.config import (
    CategoricalFeature,
    FeatureSchema,
    ModelConfig,
    Table,
    TrainConfig,
    TrialConfig,
)
from automtl.data.fit import fit_encoder
from automtl.models.plan import plan_model
from automtl.training.fit import predict_rows
from automtl.training.losses import MultiTaskLoss, task_targets
from automtl.training.metrics import auc, evaluate

SMALL = {"expert_dims": (8,), "tower_dims": (4,), "embedding_dim": 4}


def tensors(features, num_rows, seed=0):
    return tuple(torch.from_numpy(part) for part in make_inputs(features, num_rows, seed))


def lively(model, seed=0):
    """The model with weights large enough for predictions to differ."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.7, generator=generator)
    return model


# ---- building --------------------------------------------------------------------------------


def test_two_models_from_one_schema_share_nothing():
    features, config = make_features(), ModelConfig(family="ple", num_levels=2)
    a, b = make_model(config, features), make_model(config, features)
    pointers = {parameter.data_ptr() for parameter in a.parameters()}
    assert pointers.isdisjoint(parameter.data_ptr() for parameter in b.parameters())


def test_experts_start_different_and_a_seed_starts_the_same():
    config = ModelConfig(family="mmoe", num_shared_experts=3, expert_dims=(4,))
    weight = make_model(config).levels[0].experts.weights[0]
    first, second, third = weight.view(weight.shape[1], 3, 4).unbind(1)
    assert not torch.allclose(first, second)
    assert not torch.allclose(second, third)
    assert torch.equal(weight, make_model(config).levels[0].experts.weights[0])
    assert not torch.equal(weight, make_model(config, seed=1).levels[0].experts.weights[0])


def test_the_last_ple_level_builds_no_shared_gate():
    config = ModelConfig(family="ple", num_levels=3, num_shared_experts=2, num_task_experts=2)
    model = make_model(config)
    assert [level.shared_gate is not None for level in model.levels] == [True, True, False]


def test_a_shared_gate_of_ple_sees_the_experts_of_all_tasks():
    config = ModelConfig(family="ple", num_levels=2, num_shared_experts=3, num_task_experts=2)
    first, _ = plan_model(config, make_features(), num_tasks=4).levels
    assert first.shared_gate.dims[-1] == 3 + 4 * 2
    assert first.task_gates.dims[-1] == 3 + 2


def test_ids_that_float32_cannot_count_have_rows_of_their_own():
    first = 2**24  # above it float32 knows every second whole number only
    features = FeatureSchema(
        tables=(Table(name="user", num_rows=first + 4),),
        categorical=(CategoricalFeature(name="user", table="user"),),
    )
    config = ModelConfig(family="shared_bottom", embedding_dim=1)
    store = make_model(config, features).embedding
    ids = torch.arange(first - 1, first + 4, dtype=torch.int32)[:, None]
    rows = store.rows(ids, torch.zeros(5, 0))[0]
    assert rows.flatten().tolist() == ids.flatten().tolist()
    assert len(store(ids, torch.zeros(5, 0))[0, :, 0].unique()) == 5


# ---- predicting ------------------------------------------------------------------------------


def test_esmm_predicts_both_factors_and_their_product():
    config = ModelConfig(family="shared_embedding", dependency="esmm", **SMALL)
    features = make_features()
    predictions = lively(make_model(config, features)).eval().predict(*tensors(features, 50))
    assert set(predictions) == {"click", "buy", "buy.joint"}
    torch.testing.assert_close(predictions["buy.joint"], predictions["click"] * predictions["buy"])
    assert (predictions["buy"] > predictions["buy.joint"]).all()


def test_a_value_never_seen_in_training_has_an_id_and_a_prediction():
    frame = pl.DataFrame(
        {"user": ["a", "b", "b"], "seen": [["a"], [], ["b"]], "x": [1.0, 2.0, 4.0], "y": [0, 1, 1]}
    )
    data = {
        "path": "rows.parquet",
        "categorical": ["user"],
        "numeric": ["x"],
        "sequence": {"seen": {"shares": "user", "max_len": 2}},
    }
    encoder = fit_encoder(frame, make_spec(data, {"click": {"label": "y"}}))
    new = pl.DataFrame({"user": ["zzz", None], "seen": [["zzz", "b"], None], "x": [1e9, None]})
    inputs = encoder.transform(new)
    assert inputs.ids_NC.tolist() == [[1, 1, 2], [0, 0, 0]]
    config = ModelConfig(family="mmoe", numeric_encoding="buckets", sequence_pooling="attention")
    model = make_model(config, encoder.features, encoder.tasks).eval()
    ids, numeric = torch.from_numpy(inputs.ids_NC), torch.from_numpy(inputs.numeric_NF)
    assert torch.isfinite(model.predict(ids, numeric)["click"]).all()


# ---- learning --------------------------------------------------------------------------------


@pytest.mark.parametrize("dependency", ["none", "esmm"])
@pytest.mark.parametrize("weighting", ["fixed", "uncertainty"])
def test_neither_the_loss_nor_its_balance_between_tasks_depends_on_the_batch_size(
    dependency, weighting
):
    """Twice the same rows are the same loss with the same gradients."""
    config = TrialConfig(
        model=ModelConfig(family="ple", num_levels=2, dependency=dependency, **SMALL),
        train=TrainConfig(weighting=weighting),
    )
    model, rows = lively(make_model(config.model)), InMemoryData(num_rows=40).rows("train")
    loss_of = MultiTaskLoss(config, CLICK_AND_CONVERSION)
    targets = torch.from_numpy(
        task_targets(rows.labels_NK, CLICK_AND_CONVERSION, dependency=dependency)
    )
    batch = (torch.from_numpy(rows.ids_NC), torch.from_numpy(rows.numeric_NF), targets)
    parameters, results = [*model.parameters(), *loss_of.parameters()], []
    for times in (1, 2):
        ids, numeric, targets = (tensor.repeat(times, 1) for tensor in batch)
        loss = loss_of(model(ids, numeric), targets, epochs=0.0)
        results.append([loss.detach(), *torch.autograd.grad(loss, parameters)])
    torch.testing.assert_close(*results, atol=1e-5, rtol=1e-4)


# ---- judging ---------------------------------------------------------------------------------


def test_auc_is_over_all_rows_at_once_and_no_mean_over_batches():
    labels, scores = np.array([0, 1, 0, 1], np.float32), np.array([1, 2, 8, 9], np.float32)
    assert [auc(labels[part], scores[part]) for part in (slice(2), slice(2, 4))] == [1.0, 1.0]
    assert auc(labels, scores) == 0.75

    model, rows = (
        lively(make_model(ModelConfig(family="mmoe", **SMALL))),
        InMemoryData().rows("valid"),
    )
    whole, by_tens = (predict_rows(model, rows, batch_size=size) for size in (10_000, 10))
    metrics = evaluate(by_tens, rows.labels_NK, CLICK_AND_CONVERSION)
    assert metrics == pytest.approx(evaluate(whole, rows.labels_NK, CLICK_AND_CONVERSION), abs=1e-6)
    clicks = rows.labels_NK[:, 0]
    assert metrics["click.auc"] == pytest.approx(roc_auc_score(clicks, whole["click"]), abs=1e-6)
    tens = zip(clicks.reshape(-1, 10), by_tens["click"].reshape(-1, 10), strict=True)
    of_batches = [auc(*pair) for pair in tens if 0 < pair[0].sum() < 10]
    assert abs(metrics["click.auc"] - np.mean(of_batches)) > 1e-4


def test_the_auc_of_a_million_rows_with_ties_is_exact():
    rng = np.random.default_rng(0)
    labels = (rng.random(1_000_000) < 0.1).astype(np.float32)
    scores = np.round(rng.random(1_000_000) + 0.1 * labels, 4).astype(np.float32)  # many ties
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
