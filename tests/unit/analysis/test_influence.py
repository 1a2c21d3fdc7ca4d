"""Row influences against pair counts, leave-one-out loops and the metrics of the search."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from support.plain_auc import plain_placements

from automtl.analysis.influence import influence
from automtl.config import METRICS, TaskSchema
from automtl.training.metrics import evaluate

BINARY, REGRESSION = METRICS["binary"], METRICS["regression"]
few_values = st.integers(0, 4)  # many ties
rows_with_both_classes = st.lists(st.tuples(st.booleans(), few_values), max_size=20).map(
    lambda rows: (
        np.array([0, 1, *(int(label) for label, _ in rows)]),
        np.array([2, 2, *(score for _, score in rows)], dtype=float),
    )
)


def made(metric: str, *, seed: int = 0, num_rows: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Labels [J] and the scores [3, J] of three seeds."""
    rng = np.random.default_rng(seed)
    if metric in REGRESSION:
        labels = rng.gamma(2.0, size=num_rows)
        return labels, labels + rng.normal(size=(3, num_rows))
    labels = (np.arange(num_rows) % 3 == 0).astype(float)
    return labels, 1 / (1 + np.exp(-labels - rng.normal(size=(3, num_rows))))


@given(rows_with_both_classes)
def test_a_rows_part_in_an_auc_is_its_placement_less_the_auc(rows) -> None:
    labels, scores = rows
    found = influence("auc", labels_J=labels, scores_SJ=[scores])
    auc = roc_auc_score(labels, scores)
    assert found.values_S == pytest.approx([auc])
    for placements in plain_placements(labels, scores):
        for row, value in placements.items():
            assert found.rows_SJ[0, row] == pytest.approx((value - auc) / len(placements))


@pytest.mark.parametrize("metric", ["logloss", "mae"])
def test_a_rows_part_in_a_mean_is_what_the_mean_loses_without_it(metric: str) -> None:
    """Exactly (J - 1) / J of it."""
    labels, scores = made(metric)
    found = influence(metric, labels_J=labels, scores_SJ=scores)
    for row in range(len(labels)):
        without = influence(
            metric, labels_J=np.delete(labels, row), scores_SJ=np.delete(scores, row, axis=1)
        )
        lost_S = (found.values_S - without.values_S) * (len(labels) - 1) / len(labels)
        assert found.rows_SJ[:, row] == pytest.approx(lost_S)


def test_a_rows_part_in_an_rmse_is_nearly_what_the_rmse_loses_without_it() -> None:
    labels, scores = made("rmse", num_rows=2000)
    found = influence("rmse", labels_J=labels, scores_SJ=scores)
    for row in range(20):
        without = influence(
            "rmse", labels_J=np.delete(labels, row), scores_SJ=np.delete(scores, row, axis=1)
        )
        assert found.rows_SJ[:, row] == pytest.approx(found.values_S - without.values_S, rel=0.02)


@pytest.mark.parametrize("metric", [*BINARY, *REGRESSION])
def test_the_values_are_those_that_the_search_reports(metric: str) -> None:
    labels, scores = made(metric)
    labels, scores = labels.astype(np.float32), scores.astype(np.float32)
    scores[0, :2] = 0.0, 1.0  # certain, and wrong: log losses must stay finite
    kind = "binary" if metric in BINARY else "regression"
    found = influence(metric, labels_J=labels, scores_SJ=scores)
    for value, scores_J in zip(found.values_S, scores, strict=True):
        reported = evaluate({"a": scores_J}, labels[:, None], (TaskSchema(name="a", kind=kind),))
        assert value == pytest.approx(reported[f"a.{metric.removeprefix('joint_')}"], rel=1e-9)


@pytest.mark.parametrize("metric", [*BINARY, *REGRESSION])
def test_parts_add_up_to_nothing_on_every_side(metric: str) -> None:
    found = influence(metric, **dict(zip(("labels_J", "scores_SJ"), made(metric), strict=True)))
    for side in set(found.sides_J):
        assert found.rows_SJ[:, found.sides_J == side].sum(axis=1) == pytest.approx(0, abs=1e-12)
    assert np.abs(found.rows_SJ).max() > 0


@given(rows_with_both_classes)
def test_an_auc_knows_only_the_order_and_turns_with_it(rows) -> None:
    labels, scores = rows
    as_is = influence("auc", labels_J=labels, scores_SJ=[scores])
    bent = influence("auc", labels_J=labels, scores_SJ=[np.exp(3 * scores)])
    np.testing.assert_array_equal(bent.rows_SJ, as_is.rows_SJ)
    for turned in (
        influence("auc", labels_J=1 - labels, scores_SJ=[scores]),
        influence("auc", labels_J=labels, scores_SJ=[-scores]),
    ):
        assert turned.values_S == pytest.approx(1 - as_is.values_S)
        np.testing.assert_allclose(turned.rows_SJ, -as_is.rows_SJ, atol=1e-12)
    both = influence("auc", labels_J=1 - labels, scores_SJ=[-scores])
    np.testing.assert_allclose(both.rows_SJ, as_is.rows_SJ, atol=1e-12)


def test_an_rmse_of_nothing_is_moved_by_nobody() -> None:
    found = influence("rmse", labels_J=[1.0, 2.0], scores_SJ=[[1.0, 2.0]])
    assert found.values_S == [0.0]
    np.testing.assert_array_equal(found.rows_SJ, [[0.0, 0.0]])


@pytest.mark.parametrize(
    ("metric", "labels"),
    [("auc", [1, 1, 1]), ("joint_auc", [0, 0]), ("auc", []), ("logloss", []), ("mae", [])],
)
def test_what_is_not_defined_is_none(metric: str, labels: list[int]) -> None:
    assert influence(metric, labels_J=labels, scores_SJ=[[0.5] * len(labels)]) is None


def test_a_log_loss_of_one_class_is_defined() -> None:
    found = influence("logloss", labels_J=[1, 1], scores_SJ=[[0.5, 0.25]])
    assert found.values_S == pytest.approx([1.5 * math.log(2)])


@pytest.mark.parametrize(
    ("metric", "labels", "scores", "message"),
    [
        ("f1", [0, 1], [[0.1, 0.2]], "f1: no metric of labels and scores; the names are auc, log"),
        ("params", [0, 1], [[0.1, 0.2]], "params: no metric"),
        ("auc", [0, 1, 2], [[0.1, 0.2, 0.3]], "auc: labels must be 0 or 1"),
        ("logloss", [0, np.nan], [[0.1, 0.2]], "logloss: labels must be 0 or 1"),
        ("mae", [0, np.nan], [[0.1, 0.2]], "mae: labels must be finite"),
        ("auc", [0, 1], [[0.1, np.nan]], "auc: scores must be finite"),
        ("auc", [0, 1], [[0.1, 0.2, 0.3]], r"auc: labels \(2,\) and scores \(3,\) must match"),
        ("auc", [0, 1], [0.1, 0.2], "one row of them a seed"),
        ("auc", [0, 1], np.zeros((0, 2)), "one row of them a seed"),
    ],
)
def test_bad_input_is_refused(metric, labels, scores, message) -> None:
    with pytest.raises(ValueError, match=message):
        influence(metric, labels_J=labels, scores_SJ=scores)
