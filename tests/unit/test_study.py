"""A study on disk: what is kept, who is on the front, and what a kill leaves."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from support.fake_job import FakeData, fake_metrics, fake_spec

from automtl.config import Evaluation, ModelConfig, TrainConfig, TrialConfig
from automtl.errors import RunError
from automtl.records import NewTrial
from automtl.spec.load import load_spec
from automtl.study import Study, TrialRecord
from automtl.study_writer import StudyWriter, create_study, writing

SPEC = fake_spec(constraints=["params <= 1e6", "buy.auc >= 0.1"])


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "fake"


@pytest.fixture
def study(run_dir: Path) -> Iterator[StudyWriter]:
    with writing(create_study(run_dir, SPEC, FakeData())) as study:
        yield study


def start(study: StudyWriter, *, lr: float = 1e-3, **given: Any) -> TrialRecord:
    config = TrialConfig(model=ModelConfig(family="mmoe"), train=TrainConfig(lr=lr))
    plain = {"role": "search", "params": {}, "distributions": {}, "config": config, "seed": 7}
    return study.start(NewTrial(**(plain | given)))


def evaluation(config: TrialConfig, epochs: float = 1.0, **metrics: float) -> Evaluation:
    return Evaluation(
        epochs=epochs, examples=900, wall_s=0.5, metrics=fake_metrics(config, epochs) | metrics
    )


def trained(
    study: StudyWriter, *, click: float, buy: float, params: float, **given: Any
) -> TrialRecord:
    """A complete trial with these values."""
    record = start(study, **given)
    seen = {"click.auc": click, "buy.auc": buy, "params": params}
    study.add_evaluation(record.number, evaluation(record.config, **seen))
    study.complete(record.number)
    return study.get(record.number)


def ids(records: Any) -> list[str]:
    return [record.id for record in records]


# ---- on disk -------------------------------------------------------------------------------


def test_a_new_study_is_there_as_a_whole(run_dir: Path) -> None:
    create_study(run_dir, SPEC, FakeData())
    assert {path.name for path in run_dir.iterdir()} == {
        "journal.log",
        "lock",
        "spec.yaml",
        "study.json",
        "weights",
    }
    assert [path.name for path in run_dir.parent.iterdir()] == ["fake"], "nothing is left aside"
    assert load_spec(run_dir / "spec.yaml").to_dict() == SPEC.to_dict()


def test_the_lock_names_what_the_search_depends_on(run_dir: Path) -> None:
    meta = create_study(run_dir, SPEC, FakeData()).meta
    assert meta["name"] == "fake"
    assert meta["data"]["fingerprint"] == "rows"
    assert meta["seed"] == 0
    assert {"python", "automtl", "optuna", "torch", "ray"} <= meta["versions"].keys()


def test_a_run_is_never_overwritten(run_dir: Path) -> None:
    create_study(run_dir, SPEC, FakeData())
    with pytest.raises(RunError, match=r"already holds a search.*--out.*--resume"):
        create_study(run_dir, SPEC, FakeData())


def test_a_place_that_cannot_be_looked_at_is_named(tmp_path: Path) -> None:
    place, told = tmp_path / ("x" * 300), r"xxx: cannot be looked at \(File name too long\); "
    with pytest.raises(RunError, match=told):
        create_study(place, SPEC, FakeData())
    with pytest.raises(RunError, match=told):
        Study.open(place)


def test_a_run_that_is_not_ours_to_write_can_be_read(run_dir: Path) -> None:
    study = create_study(run_dir, SPEC, FakeData())
    (run_dir / "lock").unlink()  # a copy may lack it; rights may be missing: root has them all
    assert not study.is_active()
    assert study.summary()["started"] == 0
    with (
        pytest.raises(RunError, match=r"fake/lock: cannot be written \(No such .*\); .*--out"),
        writing(study),
    ):
        pass


def test_other_files_are_never_overwritten(run_dir: Path) -> None:
    run_dir.mkdir(parents=True)
    (run_dir / "notes.txt").touch()
    with pytest.raises(RunError, match="is not empty"):
        create_study(run_dir, SPEC, FakeData())
    (run_dir / "notes.txt").unlink()
    create_study(run_dir, SPEC, FakeData())  # an empty directory is as good as none


def test_a_file_is_no_run_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="this is a file"):
        create_study(tmp_path / "file", SPEC, FakeData())
    with pytest.raises(RunError, match="cannot write in"):
        create_study(tmp_path / "file" / "run", SPEC, FakeData())


def test_a_study_that_cannot_be_written_leaves_nothing(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("automtl.study_writer.create_journal", full)
    with pytest.raises(RunError, match="No space left"):
        create_study(run_dir, SPEC, FakeData())
    assert list(run_dir.parent.iterdir()) == []


def test_opening_what_is_no_study(run_dir: Path) -> None:
    with pytest.raises(RunError, match="no such run"):
        Study.open(run_dir)
    run_dir.mkdir(parents=True)
    with pytest.raises(RunError, match="not a run"):
        Study.open(run_dir)
    (run_dir / "study.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        Study.open(run_dir)
    (run_dir / "study.json").write_text('{"format": 99, "versions": {"automtl": "9.9"}}')
    with pytest.raises(RunError, match=r"format 99.*use automtl 9\.9"):
        Study.open(run_dir)


def test_a_trial_reads_back_as_it_was_written(study: StudyWriter) -> None:
    record = start(
        study, role="baseline", planned="baseline:mmoe", in_space=True, seed=123, lr=0.00123
    )
    assert (record.number, record.id, record.state) == (0, "t0000", "running")
    seen = [evaluation(record.config, epochs) for epochs in (1 / 9, 1 / 3, 1.0)]
    for each in seen:
        study.add_evaluation(0, each)
    study.complete(0)
    read = Study.open(study.run_dir).get(0)
    assert read == study.get(0)
    assert (read.state, read.role, read.planned) == ("complete", "baseline", "baseline:mmoe")
    assert (read.config, read.seed, read.origin) == (record.config, 123, 0)
    assert read.evaluations == tuple(seen)
    assert read.metrics == seen[-1].metrics
    assert read.values == {
        name: seen[-1].metrics[name] for name in ("click.auc", "buy.auc", "params")
    }
    assert read.started is not None
    assert read.finished is not None
    assert read.finished >= read.started


def test_a_reader_sees_what_a_writer_adds(study: StudyWriter) -> None:
    reader = Study.open(study.run_dir)
    assert reader.trials() == ()
    trained(study, click=0.7, buy=0.6, params=1e4)
    assert ids(reader.trials()) == ids(reader.front()) == ["t0000"]


def test_optuna_reads_the_journal_in_native_units(study: StudyWriter) -> None:
    trained(study, click=0.7, buy=0.6, params=1e4)
    path = str(study.run_dir / "journal.log")
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(path))
    read = optuna.load_study(study_name="fake", storage=storage)
    assert [direction.name for direction in read.directions] == ["MAXIMIZE", "MAXIMIZE", "MINIMIZE"]
    assert read.metric_names == ["click.auc", "buy.auc", "params"]
    assert [trial.values for trial in read.trials] == [[0.7, 0.6, 1e4]]


def test_trials_that_others_add_through_optuna_are_not_ours(study: StudyWriter) -> None:
    trained(study, click=0.7, buy=0.6, params=1e4)
    path = str(study.run_dir / "journal.log")
    lock = optuna.storages.journal.JournalFileOpenLock(path)
    backend = optuna.storages.journal.JournalFileBackend(path, lock_obj=lock)
    other = optuna.load_study(study_name="fake", storage=optuna.storages.JournalStorage(backend))
    other.enqueue_trial({"lr": 0.1})
    assert ids(study.trials()) == ["t0000"]
    with pytest.raises(RunError, match="no trial 1"):
        study.get(1)


# ---- ends of a trial -----------------------------------------------------------------------


def test_a_value_that_is_not_finite_fails_the_trial(study: StudyWriter) -> None:
    record = start(study)
    study.add_evaluation(0, evaluation(record.config, **{"buy.auc": math.nan}))
    study.complete(0)
    failed = study.get(0)
    assert (failed.state, failed.values) == ("failed", None)
    assert failed.reason == "buy.auc is nan after 1 epochs"
    assert math.isnan(failed.metrics["buy.auc"]), "and is read back as it was"


def test_a_trial_is_complete_at_full_fidelity_only(study: StudyWriter) -> None:
    record = start(study)
    study.add_evaluation(0, evaluation(record.config, epochs=1 / 3))
    study.complete(0)
    assert (study.get(0).state, study.get(0).reason) == (
        "failed",
        "ended after 0.333333 of 1 epochs",
    )


def test_a_failure_keeps_its_reason_and_traceback(study: StudyWriter) -> None:
    start(study)
    study.fail(0, "out of\nmemory", "Traceback ...")
    assert study.get(0).state == "failed"
    assert study.get(0).reason == "out of memory"
    assert study.get(0).traceback == "Traceback ..."


def test_a_stopped_trial_has_no_values(study: StudyWriter) -> None:
    start(study)
    study.prune(0, "stopped at a rung")
    assert (study.get(0).state, study.get(0).values) == ("pruned", None)


def test_constraints_on_metrics_are_known_at_the_end(study: StudyWriter) -> None:
    good = trained(study, click=0.7, buy=0.6, params=1e4)
    bad = trained(study, click=0.9, buy=0.05, params=1e4)
    assert (good.feasible, bad.feasible) == (True, False)
    assert ids(study.front()) == [good.id]


def test_constraints_on_costs_are_known_at_the_start(study: StudyWriter) -> None:
    (limit, _) = study.constraints
    record = start(study, violations={limit: 5.0})
    assert not record.feasible
    assert study.trials() == (record,)


# ---- the front and its neighbours ----------------------------------------------------------


def test_only_who_earned_it_is_on_the_front(study: StudyWriter) -> None:
    trained(study, click=0.70, buy=0.68, params=1e4)
    trained(study, click=0.60, buy=0.70, params=1e4)
    trained(study, click=0.80, buy=0.50, params=1e4)
    trained(study, click=0.69, buy=0.59, params=2e4)  # dominated
    trained(study, click=0.99, buy=0.99, params=1e4, in_space=False)
    start(study)  # running
    study.prune(start(study).number, "stopped at a rung")
    study.fail(start(study).number, "died")
    assert ids(study.front()) == ["t0002", "t0000", "t0001"], "best click.auc first"
    knee = study.knee()
    assert knee is not None
    assert knee.id == "t0000"


def test_an_empty_study_has_no_front_and_no_knee(study: StudyWriter) -> None:
    assert study.front() == ()
    assert study.knee() is None
    assert study.reference() is None
    assert study.hypervolume_trace() == []
    assert study.summary()["best"] == {}


def test_the_reference_has_the_best_mean_rank_over_tasks(study: StudyWriter) -> None:
    trained(study, click=0.70, buy=0.60, params=1e4, role="reference", in_space=False)
    best = trained(study, click=0.71, buy=0.65, params=9e5, role="reference", in_space=False)
    trained(study, click=0.72, buy=0.50, params=1e4, role="reference", in_space=False)
    trained(study, click=0.99, buy=0.99, params=1e4)
    study.fail(start(study, role="reference").number, "died")
    assert study.reference() == best


def test_gains_are_positive_where_a_trial_is_better(run_dir: Path) -> None:
    study = create_study(run_dir, fake_spec(objectives=["click.auc", "buy.logloss"]), FakeData())
    with writing(study) as writer:
        record = start(writer, role="reference")
        seen = {"click.auc": 0.70, "buy.logloss": 0.30}
        writer.add_evaluation(0, evaluation(record.config, **seen))
        writer.complete(0)
        record = start(writer)
        seen = {"click.auc": 0.72, "buy.logloss": 0.40}
        writer.add_evaluation(1, evaluation(record.config, **seen))
        assert writer.gains(writer.get(1)) == {}, "still running"
        writer.complete(1)
    assert study.gains(study.get(0)) == {"click.auc": 0.0, "buy.logloss": 0.0}
    assert study.gains(study.get(1)) == pytest.approx({"click.auc": 0.02, "buy.logloss": -0.1})


def test_the_hypervolume_follows_the_order_in_which_trials_finish(study: StudyWriter) -> None:
    slow, fast = start(study), start(study)
    for record, click in ((fast, 0.6), (slow, 0.7)):
        seen = {"click.auc": click, "buy.auc": 0.6, "params": 1e4}
        study.add_evaluation(record.number, evaluation(record.config, **seen))
        study.complete(record.number)
    trained(study, click=0.65, buy=0.6, params=1e4)
    trace = study.hypervolume_trace()
    assert [number for number, _ in trace] == [1, 0, 2]
    volumes = [volume for _, volume in trace]
    assert (np.diff(volumes) >= 0).all()
    assert volumes[1] == volumes[2] > volumes[0]


def test_the_summary_is_json_in_native_units(study: StudyWriter) -> None:
    trained(study, click=0.70, buy=0.60, params=1e4, role="reference")
    trained(study, click=0.60, buy=0.70, params=1e4)
    start(study)
    summary = study.summary()
    assert json.loads(json.dumps(summary)) == summary
    assert summary["counts"] == {"running": 1, "complete": 2, "pruned": 0, "failed": 0}
    assert (summary["started"], summary["total"]) == (3, 20)
    assert summary["front"] == ["t0000", "t0001"]
    assert summary["reference"] == "t0000"
    assert summary["best"]["buy.auc"] == {"trial": "t0001", "value": 0.7}
    assert summary["active"], "this process is writing"


# ---- one writer, and what it may leave -----------------------------------------------------


def test_two_searches_in_one_run_are_refused(study: StudyWriter) -> None:
    other = Study.open(study.run_dir)
    with pytest.raises(RunError, match="another process is searching"), writing(other):
        pass
    assert other.is_active()


def test_the_lock_is_free_afterwards(run_dir: Path) -> None:
    study = create_study(run_dir, SPEC, FakeData())
    with writing(study):
        pass
    assert not study.is_active()
    with writing(study):
        pass


def test_trials_that_ran_when_the_writer_died_become_interrupted(run_dir: Path) -> None:
    study = create_study(run_dir, SPEC, FakeData())
    with writing(study) as killed:
        start(killed)
    with writing(study) as writer:
        assert [record.state for record in writer.history()] == ["interrupted"]
        assert writer.trials() == ()
        retry = start(writer, origin=0)
    assert (retry.number, retry.origin) == (1, 0)
    assert sum(study.summary()["counts"].values()) == 1


def test_half_a_line_and_a_stale_lock_are_cleared_away(run_dir: Path) -> None:
    study = create_study(run_dir, SPEC, FakeData())
    with writing(study) as writer:
        trained(writer, click=0.7, buy=0.6, params=1e4)
    with (run_dir / "journal.log").open("a") as journal:
        journal.write('{"op_code": 4, "study_')
    (run_dir / "journal.log.lock").touch()
    assert ids(Study.open(run_dir).front()) == ["t0000"], "reading needs no repair"
    study = Study.open(run_dir)
    with writing(study) as writer:
        trained(writer, click=0.8, buy=0.6, params=1e4)
    assert ids(Study.open(run_dir).trials()) == ["t0000", "t0001"]


def test_only_weights_that_can_still_be_picked_are_kept(study: StudyWriter) -> None:
    def add(**given: Any) -> TrialRecord:
        record = trained(study, params=1e4, **given)
        study.weights_path(record.number).touch()
        return record

    add(click=0.70, buy=0.60)  # t0000, dominated by t0001
    add(click=0.71, buy=0.60)
    add(click=0.99, buy=0.50, role="reference", in_space=False)
    add(click=0.50, buy=0.99, role="reference", in_space=False)
    add(click=0.40, buy=0.40, role="reference", in_space=False)  # t0004, dominated
    add(click=0.99, buy=0.01)  # t0005, infeasible
    running = start(study)
    study.weights_path(running.number).with_suffix(".safetensors.tmp").touch()
    study.weights_path(999).with_suffix(".safetensors.tmp").touch()
    assert study.get(0).has_weights
    study.drop_weights()
    assert sorted(path.name for path in (study.run_dir / "weights").iterdir()) == [
        "t0001.safetensors",
        "t0002.safetensors",
        "t0003.safetensors",
        "t0006.safetensors.tmp",
    ]
    assert not study.get(0).has_weights
    assert study.get(1).has_weights


def test_another_number_of_trials_is_the_same_search(study: StudyWriter) -> None:
    study.check_spec(SPEC)
    study.check_spec(fake_spec(constraints=list(SPEC.constraints), trials=99))
    study.set_budget(99)
    assert Study.open(study.run_dir).budget == 99


def test_another_spec_is_another_search_and_the_key_is_named(study: StudyWriter) -> None:
    with pytest.raises(RunError, match=r"search\.seed was 0 and is now 1"):
        study.check_spec(fake_spec(constraints=list(SPEC.constraints), seed=1))
    with pytest.raises(RunError, match=r"space\.embedding_dim.* was .*and is now 4"):
        study.check_spec(fake_spec(constraints=list(SPEC.constraints), space={"embedding_dim": 4}))


def test_other_rows_are_another_search(study: StudyWriter) -> None:
    study.check_data(FakeData())
    with pytest.raises(RunError, match=r"data\.path: the rows have changed"):
        study.check_data(FakeData(fingerprint="others"))


def test_reading_a_study_imports_nothing_heavy(study: StudyWriter) -> None:
    trained(study, click=0.7, buy=0.6, params=1e4)
    code = (
        "import sys, pathlib; from automtl.study import Study\n"
        "Study.open(pathlib.Path(sys.argv[1])).summary()\n"
        "print([m for m in ('torch', 'ray', 'pandas', 'plotly', 'polars') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, study.run_dir],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
