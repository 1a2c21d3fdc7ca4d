import pandas as pd
import pytest
from support.study import StudyOfRecords, make_spec, make_study

from automtl.analysis.frames import evaluations_frame, hypervolume_frame, trials_frame


def test_a_row_a_trial_and_values_of_complete_ones_only():
    study = make_study(20, num_failed=2, num_running=1)
    frame = trials_frame(study)
    assert frame["number"].tolist() == list(range(23))
    done = frame["state"] == "complete"
    assert frame.loc[done, "click.auc"].notna().all()
    assert frame.loc[~done, "click.auc"].isna().all()
    assert frame.loc[frame["state"] == "failed", "reason"].str.contains("NaN").all()


def test_the_study_decides_who_is_marked():
    study = make_study(20)
    frame = trials_frame(study).set_index("number")
    assert set(frame.index[frame["on_front"]]) == {record.number for record in study.front()}
    assert frame.index[frame["is_knee"]].tolist() == [study.knee().number]
    assert frame.index[frame["is_reference"]].tolist() == [study.reference().number]


def test_gains_are_against_the_reference():
    study = make_study(20)
    frame = trials_frame(study).set_index("number")
    reference = frame.loc[study.reference().number]
    gains = frame["click.auc"] - reference["click.auc"]
    pd.testing.assert_series_equal(frame["gain.click.auc"], gains, check_names=False)
    assert reference["gain.long_view.auc"] == 0


def test_evaluations_are_long():
    frame = evaluations_frame(make_study(3, num_failed=1))
    assert set(frame["metric"]) >= {"click.auc", "params"}
    curve = frame[(frame["trial"] == "t0001") & (frame["metric"] == "click.auc")]
    assert curve["epochs"].tolist() == pytest.approx([1 / 9, 1 / 3, 1])


def test_the_hypervolume_never_falls_and_marks_what_moved_the_front():
    frame = hypervolume_frame(make_study(20))
    assert frame["finished"].tolist() == list(range(1, len(frame) + 1))
    assert frame["hypervolume"].is_monotonic_increasing
    assert (frame["improved"] == (frame["hypervolume"].diff() > 0))[1:].all()


def test_a_study_without_trials_has_empty_frames():
    study = StudyOfRecords([], make_spec())
    assert len(trials_frame(study)) == 0
    assert len(evaluations_frame(study)) == 0
    assert len(hypervolume_frame(study)) == 0
