"""Generated rows have the rates, the truth and the relatedness that they claim."""

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from sklearn.metrics import roc_auc_score
from support.data_spec import make_spec

from automtl.data.synthetic import best_auc, generate, impressions, regression_pair


@pytest.fixture(scope="module")
def log():
    return impressions(30_000, 0)


def test_impressions_have_the_stated_rates_and_a_conversion_only_after_a_click(log):
    clicked = log.filter(pl.col("click") == 1)
    assert log["click"].mean() == pytest.approx(0.2, abs=0.01)
    assert clicked["conversion"].mean() == pytest.approx(0.1, abs=0.015)
    assert log.filter(pl.col("click") == 0)["conversion"].sum() == 0
    other = impressions(30_000, 0, click_rate=0.5, conversion_rate=0.3, num_users=10, num_items=5)
    assert other["click"].mean() == pytest.approx(0.5, abs=0.01)
    assert (other["user_id"].n_unique(), other["item_id"].n_unique()) == (10, 5)


def test_labels_are_drawn_from_the_truth_columns(log):
    """In each tenth of the rows by true probability, as many positives as it says."""
    for label, truth, rows in (
        ("click", "p_click", log),
        ("conversion", "p_conversion", log.filter(pl.col("click") == 1)),
    ):
        tenths = rows.sort(truth).with_columns(tenth=pl.int_range(pl.len()) * 10 // pl.len())
        by_tenth = tenths.group_by("tenth").agg(pl.col(label, truth).mean(), num=pl.len())
        error = (by_tenth[label] - by_tenth[truth]).abs()
        standard_error = (by_tenth[truth] * (1 - by_tenth[truth]) / by_tenth["num"]).sqrt()
        assert (error < 4 * standard_error).all()


def test_both_tasks_can_be_predicted_and_share_part_of_what_drives_them(log):
    best = best_auc(log)
    assert all(0.7 < value < 0.95 for value in best.values())
    clicked = log.filter(pl.col("click") == 1)
    assert best == pytest.approx(
        {
            "click.auc": roc_auc_score(log["click"], log["p_click"]),
            "conversion.auc": roc_auc_score(clicked["conversion"], clicked["p_conversion"]),
            "conversion.joint_auc": roc_auc_score(
                log["conversion"], log["p_click"] * log["p_conversion"]
            ),
        }
    )
    logits = [np.log(log[name] / (1 - log[name])) for name in ("p_click", "p_conversion")]
    assert np.corrcoef(logits)[0, 1] == pytest.approx(0.8 * 0.7, abs=0.15)


def test_the_seed_decides_and_eighty_ten_ten_is_the_split(log):
    assert_frame_equal(log, impressions(30_000, 0))
    assert not log.equals(impressions(30_000, 1))
    assert dict(log["split"].value_counts().iter_rows()) == {
        "train": 24_000,
        "valid": 3_000,
        "test": 3_000,
    }
    assert log.select(pl.col("split", "context").n_unique()).row(0) == (3, 8)


@pytest.mark.parametrize("correlation", [-1.0, 0.0, 0.5, 1.0])
def test_the_two_regressions_are_as_related_as_asked_for(correlation):
    frame = regression_pair(4000, 3, correlation=correlation, num_features=32)
    features = frame.select(pl.exclude("y1", "y2", "split")).to_numpy()
    assert features.shape == (4000, 32)
    # with waves left over as noise, least squares finds the direction of each task's weights
    w1, w2 = (np.linalg.lstsq(features, frame[name].to_numpy())[0] for name in ("y1", "y2"))
    cosine = w1 @ w2 / np.linalg.norm(w1) / np.linalg.norm(w2)
    assert cosine == pytest.approx(correlation, abs=0.1)


def test_at_correlation_1_the_two_regressions_differ_by_their_noise_alone():
    frame = regression_pair(4000, 3, correlation=1.0, num_features=32)
    assert (frame["y1"] - frame["y2"]).var() == pytest.approx(2 * 0.01, rel=0.1)


def test_a_spec_asks_for_them_by_name():
    tasks = {"a": {"label": "y1", "type": "regression"}}
    asked = {"name": "regression_pair", "num_rows": 50, "seed": 2, "correlation": 0.25}
    spec = make_spec({"generate": asked, "numeric": ["x0"]}, tasks)
    assert_frame_equal(generate(spec.data.generate), regression_pair(50, 2, correlation=0.25))
    asked = {"name": "impressions", "num_rows": 1}
    spec = make_spec({"generate": asked, "numeric": ["x0"]}, {"click": {"label": "click"}})
    assert_frame_equal(generate(spec.data.generate), impressions(1, 0))
