"""Trees beside the models: on the same rows, a model a task, products along the chain."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from automtl.confirm.boosting import MAX_CATEGORIES, boosted_scores
from automtl.confirm.outside import boost
from automtl.data.cache import open_data
from automtl.spec.schema import Spec

NUM_ROWS = 4000


def spec_of(directory, **data):
    return Spec.from_dict(
        {
            "version": 1,
            "name": "trees",
            "data": {
                "path": str(directory / "rows.parquet"),
                "split": {"random": True, "valid": 0.25, "test": 0.25},
                "categorical": ["user", "tab"],
                "numeric": ["x"],
                **data,
            },
            "tasks": {
                "click": {"label": "click"},
                "buy": {"label": "buy", "given": "click"},
                "spend": {"label": "spend", "type": "regression"},
            },
            "objectives": ["click.auc"],
            "space": {"sharing": [{"family": "shared_bottom"}]},
        }
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """What is clicked depends on one of 600 users, on a tab and on a number."""
    directory = tmp_path_factory.mktemp("trees")
    rng = np.random.default_rng(0)
    user, tab, x = (
        rng.integers(0, 600, NUM_ROWS),
        rng.integers(0, 4, NUM_ROWS),
        rng.normal(size=NUM_ROWS),
    )
    logit = 3 * rng.normal(size=600)[user] + np.array([-1, 0, 1, 2])[tab] + x
    click = rng.random(NUM_ROWS) < 1 / (1 + np.exp(-logit))
    buy = click & (rng.random(NUM_ROWS) < 1 / (1 + np.exp(-x)))
    rows = {"user": user, "tab": tab, "x": x, "click": click * 1, "buy": buy * 1, "spend": 2 * x}
    pl.DataFrame(rows).write_parquet(directory / "rows.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOMTL_CACHE", str(directory / "cache"))
        yield open_data(spec_of(directory))


def test_every_task_is_predicted_and_ids_of_many_values_are_used(data):
    scores = boosted_scores(data, seed=0)
    labels_NK = np.asarray(data.rows("test").labels_NK)
    assert max(table.num_rows for table in data.features.tables) > MAX_CATEGORIES
    assert roc_auc_score(labels_NK[:, 0], scores["test"]["click"]) > 0.75
    assert np.corrcoef(labels_NK[:, 2], scores["test"]["spend"])[0, 1] > 0.95
    assert set(scores) == {"valid", "test"}


def test_the_joint_probability_is_the_product(data):
    test = boosted_scores(data, seed=0)["test"]
    np.testing.assert_array_equal(test["buy.joint"], test["click"] * test["buy"])


def test_the_same_seed_gives_the_same_trees_and_another_one_others(data):
    first, second, other = (boosted_scores(data, seed=seed)["test"]["click"] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_a_seed_is_trained_once(data, tmp_path, monkeypatch):
    steps = []
    found = boost(data, tmp_path, seeds=1, on_step=steps.append)
    assert steps == ["gradient boosting, seed 1 of 1"]
    assert boost(data, tmp_path, seeds=1, on_step=steps.append) == found
    assert len(steps) == 1
    assert 0.7 < found[0]["click.auc"] < 1
