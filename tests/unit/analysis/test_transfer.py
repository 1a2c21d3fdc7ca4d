import math
from statistics import median

import pytest
from support.searched import make_searched
from support.study import StudyOfRecords, make_record, make_spec, make_study

from automtl.analysis.transfer import (
    NOISE_SHARE,
    OUTCOMES,
    family_gains_frame,
    loss_weights_frame,
    seesaw_frame,
    transfer_frame,
)
from automtl.spec.schema import Spec


def study_of(*pairs):
    """A reference at 0.7 and 0.6, and an mmoe a pair of differences."""
    spec = make_spec()
    level = {"click.auc": 0.7, "long_view.auc": 0.6, "params": 1e6}
    rows = [level] + [
        level | {"click.auc": 0.7 + click, "long_view.auc": 0.6 + view} for click, view in pairs
    ]
    records = [
        make_record(
            number,
            family="mmoe" if number else "single_task",
            role="search" if number else "reference",
            metrics=row,
            values=dict(row),
        )
        for number, row in enumerate(rows)
    ]
    return StudyOfRecords(records, spec)


def test_every_complete_trial_but_the_reference_has_its_gain_in_each_objective_of_a_task():
    study = make_study(20, num_failed=2, num_pruned=2)
    frame = transfer_frame(study)
    for record in study.trials():
        gains = dict(
            frame[frame["number"] == record.number][["objective", "gain"]].itertuples(index=False)
        )
        is_told = record.state == "complete" and record.number != study.reference().number
        assert gains == (study.gains(record) if is_told else {})
    assert set(frame["objective"]) == {"click.auc", "long_view.auc"}


def test_one_seed_gives_no_intervals():
    frame = transfer_frame(make_study(20))
    assert frame["low"].isna().all()
    assert frame["high"].isna().all()
    assert family_gains_frame(frame)["low"].isna().all()


def test_a_family_has_its_median_and_its_best():
    study = make_study(40)
    frame = family_gains_frame(transfer_frame(study))
    for row in frame.itertuples():
        own = {
            record.id: study.gains(record)[row.objective]
            for record in study.trials()
            if record.config.model.family == row.family
            and record.state == "complete"
            and record.number != study.reference().number
        }
        assert row.num_trials == len(own)
        assert row.median == pytest.approx(median(own.values()))
        assert row.best == max(own.values()) == own[row.best_trial]


@pytest.mark.parametrize(
    ("click", "view", "outcome"),
    [
        (0.01, 0.01, "both up"),
        (0.01, -0.01, "first up, second down"),
        (-0.01, 0.01, "second up, first down"),
        (-0.01, -0.01, "both down"),
        (0.001, -0.01, "within noise"),
        (0.01, -0.001, "within noise"),
    ],
)
def test_a_trial_goes_up_or_down_beyond_the_noise(click, view, outcome):
    assert NOISE_SHARE * 0.7 > 0.001
    study = study_of((click, view))
    frame = seesaw_frame(study, transfer_frame(study))
    assert frame["outcome"].tolist() == list(OUTCOMES)
    assert frame[frame["num_trials"] == 1]["outcome"].tolist() == [outcome]


def test_a_smaller_noise_tells_more_apart():
    study = study_of((0.001, -0.001))
    frame = seesaw_frame(study, transfer_frame(study), noise_share=0.0001)
    assert frame[frame["num_trials"] == 1]["outcome"].tolist() == ["first up, second down"]


def test_outcomes_of_a_family_add_up_to_its_trials():
    study = make_study(60)
    trials = transfer_frame(study)
    frame = seesaw_frame(study, trials)
    for family, rows in frame.groupby("family"):
        assert rows["num_trials"].sum() == trials[trials["family"] == family]["number"].nunique()
        assert rows["share"].sum() == pytest.approx(1)


def test_a_task_is_judged_by_its_first_objective():
    spec = make_spec(objectives=["click.auc", "click.logloss", "long_view.auc"])
    study = make_study(20, spec=spec)
    frame = seesaw_frame(study, transfer_frame(study))
    assert set(zip(frame["first"], frame["second"], strict=True)) == {
        ("click.auc", "long_view.auc")
    }


@pytest.mark.parametrize(
    "study", [StudyOfRecords([], make_spec()), study_of()], ids=["no trial", "the reference alone"]
)
def test_without_two_trials_to_compare_nothing_is_gained(study):
    transfer = transfer_frame(study)
    assert len(transfer) == 0
    for frame in (seesaw_frame(study, transfer), loss_weights_frame(study, transfer)):
        assert len(frame) == 0
    assert len(family_gains_frame(transfer)) == 0


def test_loss_weights_are_those_that_were_searched_and_learned_ones_have_none():
    plain = make_spec().to_dict()
    plain["space"]["weighting"] = {"choice": ["fixed", "uncertainty"]}
    plain["space"]["loss_weights"] = {"long_view": {"float": [0.1, 10], "log": True}}

    def metrics(config, rng):
        weight = math.log10(config.train.loss_weights.get("long_view", 1.0))
        return {"click.auc": 0.7 - 0.01 * weight, "long_view.auc": 0.6, "params": 1e6}

    study = make_searched(Spec.from_dict(plain), metrics, 60, stopped=0.2)
    frame = loss_weights_frame(study, transfer_frame(study))
    by_number = {record.number: record for record in study.trials()}
    assert {by_number[number].config.train.weighting for number in frame["number"]} == {"fixed"}
    assert {by_number[number].state for number in frame["number"]} == {"complete"}
    for row in frame.itertuples():
        assert row.weight == by_number[row.number].config.train.loss_weights["long_view"]
        assert row.gain == study.gains(by_number[row.number])[row.objective]
    assert set(frame["objective"]) == {"click.auc", "long_view.auc"}
