import dataclasses
import json
import math

import pytest
from support.confirmed import confirmation, model
from support.inside import make_gate, make_inside
from support.study import StudyOfRecords, make_spec, make_study

from automtl.analysis.inside import (
    calibration_frame,
    experts_frame,
    gates_frame,
    is_complete,
    outputs_frame,
    read_inside,
    wanted,
    write_inside,
)


@pytest.mark.parametrize(
    ("means", "effective"), [((1.0, 0.0), 1), ((0.5, 0.5), 2), ((0.25,) * 4, 4)]
)
def test_effective_experts_are_as_many_as_share_the_weight(means, effective):
    assert make_gate(*means).effective == pytest.approx(effective)


def test_a_gate_that_gives_one_expert_nearly_all_has_collapsed():
    assert make_gate(0.97, 0.03).verdict == "collapsed"
    assert make_gate(0.8, 0.2).verdict == ""


def test_a_gate_that_gives_all_rows_the_same_is_constant():
    assert make_gate(0.6, 0.4, stds=[0.005, 0.005]).verdict == "constant"
    assert make_gate(0.6, 0.4, stds=[0.05, 0.05]).verdict == ""


def test_the_weight_of_shared_experts_is_told_apart_from_that_of_a_tasks_own():
    gate = make_gate(0.2, 0.3, 0.5, owners=["", "", "click"])
    assert gate.shared_share == pytest.approx(0.5)
    frame = gates_frame([make_inside(gates=[gate])])
    assert frame["expert"].tolist() == ["shared 1", "shared 2", "click·1"]
    assert frame["owner"].tolist() == ["", "", "click"]


def test_gates_are_called_by_what_they_mix_for():
    both = ("click", "long_view")
    gates = [make_gate(0.5, 0.5, tasks=tasks) for tasks in (("click",), both, ())]
    frame = gates_frame([make_inside(gates=gates)])
    assert frame["gate"].unique().tolist() == ["click", "all tasks", "next level"]


def test_an_expert_is_dead_only_if_no_gate_uses_it():
    gates = [
        make_gate(0.01, 0.99, tasks=("click",)),
        make_gate(0.5, 0.5, tasks=("long_view",)),
        make_gate(0.005, 0.995, tasks=("click",), level=2),
        make_gate(0.02, 0.98, tasks=("long_view",), level=2),
    ]
    frame = experts_frame([make_inside(gates=gates)])
    dead = frame[frame["is_dead"]]
    assert dead[["level", "expert", "most", "gate"]].to_numpy().tolist() == [
        [2, "shared 1", 0.02, "long_view"]
    ]
    assert len(frame) == 4


def test_outputs_are_the_bins_taken_together():
    inside = make_inside()
    frame = outputs_frame([inside]).set_index("output")
    labels = [number % 2 for number in range(40)]
    predictions = [(0.1 + 0.8 * number / 40) * 1.1 for number in range(40)]
    assert frame.loc["click", "num_rows"] == 40
    assert frame.loc["click", "observed"] == pytest.approx(sum(labels) / 40)
    assert frame.loc["click", "predicted"] == pytest.approx(sum(predictions) / 40)
    assert frame.loc["click", "ratio"] == pytest.approx(sum(predictions) / sum(labels))


def test_there_is_a_row_a_trial_output_and_bin():
    frame = calibration_frame([make_inside("t0001"), make_inside("t0002")])
    assert len(frame) == 2 * (4 + 2)
    assert (frame["low"] <= frame["observed"]).all()
    assert (frame["observed"] <= frame["high"]).all()


def test_nothing_measured_gives_empty_frames():
    for frame in (gates_frame, experts_frame, calibration_frame, outputs_frame):
        assert len(frame([])) == 0


def test_what_was_written_is_read_again(tmp_path):
    study = make_study(8, run_dir=tmp_path)
    record = study.trials()[3]
    assert read_inside(study, record) is None
    write_inside(study, record, make_inside(record.id))
    assert read_inside(study, record) == make_inside(record.id)
    assert [path.name for path in (tmp_path / "inside").iterdir()] == ["t0003.json"]


def test_what_was_measured_counts_for_the_weights_that_stand_for_the_trial(tmp_path):
    """A confirmation trains a trial anew, and more seeds may have another median."""
    found = confirmation(model(3, {"click.auc": (0.7, 0.71, 0.72)}, runs=(4, 5, 6), kept=5))
    study, confirmed = (make_study(8, run_dir=tmp_path, confirmation=one) for one in (None, found))
    record = study.trials()[3]
    write_inside(study, record, make_inside(record.id))
    assert read_inside(confirmed, record) is None
    write_inside(confirmed, record, make_inside(record.id, run=4))
    assert read_inside(confirmed, record) is None
    write_inside(confirmed, record, make_inside(record.id, run=5))
    assert read_inside(confirmed, record).run == 5
    assert read_inside(study, record) is None


def test_a_trial_that_was_not_confirmed_is_its_own_run(tmp_path):
    found = confirmation(model(3, {"click.auc": (0.7, 0.71, 0.72)}, runs=(4, 5, 6), kept=5))
    study = make_study(8, run_dir=tmp_path, confirmation=found)
    record = study.trials()[2]
    write_inside(study, record, make_inside(record.id))
    assert read_inside(study, record) is not None


def test_a_look_is_not_complete_while_confirmed_weights_were_not_measured(tmp_path):
    plain = make_study(24, run_dir=tmp_path)
    for record in wanted(plain):
        write_inside(plain, record, make_inside(record.id))
    assert is_complete(plain)
    gone = [dataclasses.replace(one, has_weights=False) for one in plain.trials()]
    reference = plain.reference()
    level = dict.fromkeys(("click.auc", "long_view.auc"), (0.7, 0.71, 0.72))
    found = confirmation(model(reference.number, level, runs=(0, 1, 2), kept=1))
    study = StudyOfRecords(gone, plain.spec, run_dir=tmp_path, confirmation=found)
    assert not is_complete(study)
    write_inside(study, reference, make_inside(reference.id, run=1))
    assert is_complete(study)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"format": 0}', '{"format": 2}', "half of a li"]
)
def test_a_file_that_is_damaged_or_of_another_format_is_as_if_it_were_not_there(tmp_path, content):
    study = make_study(8, run_dir=tmp_path)
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "t0003.json").write_text(content)
    assert read_inside(study, study.trials()[3]) is None


def test_files_hold_plain_json_without_nan(tmp_path):
    study = make_study(8, run_dir=tmp_path)
    broken = dataclasses.replace(make_gate(0.5, 0.5), effective_per_row=math.nan)
    with pytest.raises(ValueError, match="JSON"):
        write_inside(study, study.trials()[3], make_inside(gates=[broken]))
    assert list((tmp_path / "inside").iterdir()) == []
    write_inside(study, study.trials()[3], make_inside())
    assert json.loads((tmp_path / "inside" / "t0003.json").read_text())["format"] == 2


def test_looked_into_are_the_suggested_trial_the_reference_and_one_that_has_gates():
    study = make_study(24)
    families = {record.config.model.family for record in wanted(study)}
    assert [record.number for record in wanted(study)][:2] == [
        study.knee().number,
        study.reference().number,
    ]
    assert families & {"omoe", "mmoe", "cgc", "ple"}
    assert len(wanted(study)) in (2, 3)


def test_a_study_without_a_result_has_nobody_to_look_into():
    study = StudyOfRecords([], make_spec())
    assert wanted(study) == ()
    assert is_complete(study)


def test_a_look_is_complete_when_all_with_weights_were_measured(tmp_path):
    study = make_study(24, run_dir=tmp_path)
    *others, last = wanted(study)
    for record in others:
        write_inside(study, record, make_inside(record.id))
        assert not is_complete(study)
    gone = [
        dataclasses.replace(one, has_weights=one.number != last.number) for one in study.trials()
    ]
    assert is_complete(StudyOfRecords(gone, study.spec, run_dir=tmp_path))
    write_inside(study, last, make_inside(last.id))
    assert is_complete(study)
