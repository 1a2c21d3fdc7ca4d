"""Exact metrics, against scikit-learn and against rows counted by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss as sklearn_log_loss
from sklearn.metrics import roc_auc_score

from automtl.config import TaskSchema
from automtl.training.metrics import auc, evaluate, log_loss

NAN = float("nan")


@given(
    rows=st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=60).filter(
        lambda rows: len({label for label, _ in rows}) == 2
    )
)
@settings(max_examples=200, deadline=None)
def test_auc_with_ties_is_scikit_learns(rows):
    labels = np.array([label for label, _ in rows], dtype=np.float32)
    scores = np.array([score for _, score in rows], dtype=np.float32)
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def test_auc_of_alike_labels_is_nan():
    assert math.isnan(auc(np.ones(3, np.float32), np.arange(3, dtype=np.float32)))


def test_log_loss_is_scikit_learns():
    rng = np.random.default_rng(0)
    labels, p = rng.integers(0, 2, 50).astype(np.float32), rng.random(50).astype(np.float32)
    assert log_loss(labels, p) == pytest.approx(sklearn_log_loss(labels, p), rel=1e-6)


def test_metrics_say_which_space_they_are_of():
    tasks = (TaskSchema(name="click"), TaskSchema(name="buy", given="click"))
    labels = np.array([[1, 1], [1, 0], [0, NAN], [0, NAN]], dtype=np.float32)
    predictions = {
        "click": np.array([0.9, 0.8, 0.3, 0.2], dtype=np.float32),
        "buy": np.array([0.4, 0.6, 0.9, 0.9], dtype=np.float32),
        "buy.joint": np.array([0.36, 0.48, 0.27, 0.18], dtype=np.float32),
    }
    metrics = evaluate(predictions, labels, tasks)
    assert metrics["click.auc"] == 1.0
    assert metrics["buy.auc"] == 0.0  # after a click: two rows, the wrong way round
    assert metrics["buy.joint_auc"] == pytest.approx(2 / 3)  # over all impressions


def test_regression_metrics_are_in_label_units():
    tasks = (TaskSchema(name="time", kind="regression", loss="mse", mean=100.0, std=50.0),)
    labels = np.array([[10.0], [20.0], [NAN]], dtype=np.float32)
    metrics = evaluate({"time": np.array([13.0, 16.0, 0.0], np.float32)}, labels, tasks)
    assert metrics["time.mae"] == pytest.approx(3.5)
    assert metrics["time.rmse"] == pytest.approx(math.sqrt(12.5))
