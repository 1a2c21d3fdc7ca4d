import math

import numpy as np
import pytest
from support.searched import make_searched
from support.study import make_spec, make_study

from automtl.analysis.importance import importance_frame
from automtl.analysis.knobs import best_frame, best_share, judged, marginals_frame, too_few
from automtl.spec.schema import Spec

SPACE = {
    "sharing": [
        {"family": "shared_bottom"},
        {"family": "mmoe", "num_shared_experts": {"int": [2, 8]}},
    ],
    "dependency": {"choice": ["none", "esmm"]},
    "embedding_dim": {"choice": [16, 8, 32]},
    "dropout": {"choice": [0, 0.1]},
    "lr": {"float": [1e-4, 1e-2], "log": True},
}


def make_spec_of(space):
    return Spec.from_dict(make_spec().to_dict() | {"space": space})


def results(config, rng):
    """click.auc follows lr alone; long_view.auc the experts of an mmoe; params the dimension."""
    experts = config.model.num_shared_experts if config.model.family == "mmoe" else 5
    return {
        "click.auc": 0.7 - 0.01 * abs(math.log10(config.train.lr / 1e-3)),
        "long_view.auc": 0.6 + 0.001 * experts,
        "params": 1e5 * config.model.embedding_dim + rng.integers(1000),
    }


@pytest.fixture(scope="module")
def study():
    return make_searched(make_spec_of(SPACE), results, 160, stopped=0.2)


@pytest.fixture(scope="module")
def importance(study):
    return importance_frame(study)


def most_important(importance, objective):
    rows = importance[importance["objective"] == objective]
    return rows.loc[rows["importance"].idxmax()]


@pytest.mark.parametrize(("objective", "knob"), [("click.auc", "lr"), ("params", "embedding_dim")])
def test_the_knob_that_decides_is_the_most_important_for_what_is_maximised_and_minimised(
    importance, objective, knob
):
    found = most_important(importance, objective)
    assert found["knob"] == knob
    assert found["importance"] > 0.5
    assert found["importance"] > 2 * found["chance"]


def test_a_knob_of_some_trials_is_judged_among_them(study, importance):
    rows = importance[importance["knob"] == "mmoe.num_shared_experts"]
    mmoes = [record for record in judged(study) if record.config.model.family == "mmoe"]
    assert set(rows["condition"]) == {"family = mmoe"}
    assert set(rows["num_trials"]) == {len(mmoes)}
    row = rows[rows["objective"] == "long_view.auc"].iloc[0]
    assert row["importance"] > max(0.5, row["chance"])


def test_shares_of_the_knobs_of_all_trials_add_up(study, importance):
    common = importance[importance["condition"] == ""]
    assert set(common["num_trials"]) == {len(judged(study))}
    for _, rows in common.groupby("objective"):
        assert rows["importance"].sum() == pytest.approx(1)


def test_a_knob_without_effect_is_within_chance(importance):
    rows = importance[importance["knob"].isin(["dropout", "dependency"])]
    assert (rows["importance"] < 2 * rows["chance"]).all()


def test_with_few_trials_there_is_no_importance_and_a_reason():
    few = make_searched(make_spec_of(SPACE), results, 12)
    assert len(importance_frame(few)) == 0
    assert "complete trials of the space cannot tell" in too_few(few)
    assert "this takes 20 at least" in too_few(few)


def test_a_family_with_few_trials_has_no_row_though_the_common_knobs_have():
    found = importance_frame(make_searched(make_spec_of(SPACE), results, 30))
    assert "lr" in set(found["knob"])
    assert "mmoe.num_shared_experts" not in set(found["knob"])


def test_trials_outside_of_the_space_are_not_judged():
    study = make_study(30)
    families = {record.config.model.family for record in judged(study)}
    assert families == {"shared_bottom", "mmoe", "ple"}
    assert too_few(make_study(80)) == ""


@pytest.mark.parametrize(("num_trials", "share"), [(20, 0.25), (50, 0.1), (500, 0.1), (3, 1)])
def test_the_best_are_a_tenth_but_five_at_least(num_trials, share):
    assert best_share(num_trials) == pytest.approx(share)


def test_a_choice_has_a_row_an_option_numbers_by_size_and_its_quartiles(study):
    frame = marginals_frame(study)
    rows = frame[(frame["knob"] == "embedding_dim") & (frame["objective"] == "params")]
    assert rows["label"].tolist() == ["8", "16", "32"]
    for row in rows.itertuples():
        values = sorted(
            record.values["params"]
            for record in judged(study)
            if record.params["embedding_dim"] == int(row.label)
        )
        assert row.num_trials == len(values)
        assert (row.low, row.median, row.high) == pytest.approx(
            tuple(np.percentile(values, [25, 50, 75]))
        )


def test_a_range_is_cut_into_parts_of_equal_counts(study):
    frame = marginals_frame(study)
    rows = frame[(frame["knob"] == "lr") & (frame["objective"] == "click.auc")]
    assert set(rows["scale"]) == {"log"}
    assert rows["value"].is_monotonic_increasing
    assert rows["num_trials"].max() - rows["num_trials"].min() <= 1
    assert rows["num_trials"].sum() == len(judged(study))


def test_the_best_share_what_made_them_good(study):
    frame = best_frame(study)
    rows = frame[(frame["knob"] == "lr") & (frame["objective"] == "click.auc")].set_index("group")
    assert 3e-4 < rows.loc["best", "low"] < rows.loc["best", "high"] < 3e-3
    assert rows.loc["all", "low"] < 3e-4
    dims = frame[
        (frame["knob"] == "embedding_dim")
        & (frame["objective"] == "params")
        & (frame["group"] == "best")
    ]
    assert dims["label"].tolist() == ["8"]
    assert dims["share"].tolist() == [1.0]


def test_the_best_are_counted_by_who_has_the_knob(study):
    frame = best_frame(study)
    rows = frame[(frame["knob"] == "mmoe.num_shared_experts") & (frame["group"] == "all")]
    mmoes = sum(record.config.model.family == "mmoe" for record in judged(study))
    assert set(rows["num_trials"]) == {mmoes}
