import dataclasses

from support.study import StudyOfRecords, make_spec, make_study

from automtl.analysis.families import families_frame, rungs_frame
from automtl.analysis.frames import trials_frame
from automtl.config import FAMILIES


def test_a_family_is_counted_by_what_became_of_its_trials():
    study = make_study(30, num_failed=3, num_pruned=4, num_running=2)
    frame = families_frame(study, trials_frame(study)).set_index("family")
    assert frame.index.tolist() == [one for one in FAMILIES if one in frame.index]
    for family in frame.index:
        own = [one for one in study.trials() if one.config.model.family == family]
        assert frame.loc[family, "started"] == len(own)
        for state in ("complete", "pruned", "failed"):
            assert frame.loc[family, state] == sum(one.state == state for one in own)
        assert frame.loc[family, "on_front"] == sum(one in study.front() for one in own)


def test_the_best_of_a_family_is_the_best_of_its_complete_trials_by_direction():
    study = make_study(30)
    frame = families_frame(study, trials_frame(study)).set_index("family")
    for family in frame.index:
        own = [
            record.values
            for record in study.trials()
            if record.config.model.family == family and record.values
        ]
        assert frame.loc[family, "best.click.auc"] == max(values["click.auc"] for values in own)
        assert frame.loc[family, "best.params"] == min(values["params"] for values in own)


def test_trials_are_counted_where_they_ended_and_running_ones_nowhere():
    study = make_study(14, num_failed=1, num_pruned=3, num_running=2)
    frame = rungs_frame(study)
    places = frame.groupby("place")["num_trials"].sum().to_dict()
    assert places == {"trained to the end": 14, "after 0.111 epochs": 3, "failed": 1}
    assert frame["family"].drop_duplicates().tolist() == list(FAMILIES)


def test_a_trial_that_was_measured_but_not_trained_was_stopped_before_training():
    study = make_study(3, num_failed=0, num_pruned=1)
    records = [*study.trials()]
    records[-1] = dataclasses.replace(records[-1], evaluations=())
    places = rungs_frame(StudyOfRecords(records, study.spec))["place"].tolist()
    assert "before training" in places


def test_a_study_without_trials_has_empty_frames():
    study = StudyOfRecords([], make_spec())
    assert len(families_frame(study, trials_frame(study))) == 0
    assert len(rungs_frame(study)) == 0
