"""A real store of MLflow, a SQLite file, read back with its client."""

from __future__ import annotations

import functools
import http.server
import json
import os
import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.confirmed import confirmation, measure, model, versus
from support.fake_job import FakeJob
from support.fake_search import FakeSearch, fake_search

from automtl.config import TaskSchema
from automtl.errors import RunError
from automtl.search import tracked
from automtl.spec.objectives import parse_objective
from automtl.study import Study
from automtl.study_writer import StudyWriter
from automtl.tracking.afterwards import track_bundle, track_confirmation
from automtl.tracking.background import Background
from automtl.tracking.memory import recall, remember

pytestmark = [
    # MLflow 3.17 asks SQLAlchemy 2.1 for what it will remove
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One store for all tests, as making its tables takes seconds; each has its experiment."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeSearch:
    """Artifacts go where the working directory is. Nobody is short of patience."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tracked, "Background", functools.partial(Background, patience_s=300.0))
    return fake_search(monkeypatch)


class Seen:
    """What a store knows of one study."""

    def __init__(self, store: str, name: str) -> None:
        from mlflow import MlflowClient

        self.client = MlflowClient(tracking_uri=store)
        experiment = self.client.get_experiment_by_name(name)
        runs = self.client.search_runs([experiment.experiment_id])
        (self.parent,) = (r for r in runs if "mlflow.parentRunId" not in r.data.tags)
        self.trials = {r.data.tags["automtl.trial"]: r for r in runs if r is not self.parent}
        assert len(self.trials) == len(runs) - 1, "a trial has one run"

    def history(self, run: Any, metric: str) -> list[tuple[int, float]]:
        found = self.client.get_metric_history(run.info.run_id, metric)
        return sorted((one.step, one.value) for one in found)

    def check(self, study: Study) -> None:
        """Every trial has each of its evaluations once, and its end."""
        assert self.trials.keys() == {record.id for record in study.history()}
        for record in study.history():
            run = self.trials[record.id]
            for metric in ("click.auc", "params"):
                expected = [(e.examples, e.metrics[metric]) for e in record.evaluations]
                assert self.history(run, metric) == expected
            assert run.data.tags["automtl.state"] == record.state
            assert run.data.tags["automtl.reason"] == record.reason
            assert run.data.tags["mlflow.parentRunId"] == self.parent.info.run_id
            if record.values is not None:
                assert run.data.metrics["objective/buy.auc"] == record.values["buy.auc"]


def test_a_search_is_a_run_with_a_nested_run_a_trial(store, search, tmp_path, capfd):
    job = FakeJob({2: "raise"})
    study = search(tmp_path / "run", name="nested", trials=8, track=[f"mlflow:{store}"], job=job)
    assert capfd.readouterr() == ("", ""), "a search prints nothing of MLflow's"
    seen = Seen(store, "nested")
    seen.check(study)

    parent = seen.parent
    assert parent.info.status == "FINISHED"
    assert parent.data.params["search.trials"] == "8"
    assert parent.data.params["tasks.buy.given"] == "click"
    assert parent.data.tags["automtl.report"] == (study.run_dir / "report.html").as_uri()
    assert [one.path for one in seen.client.list_artifacts(parent.info.run_id)] == ["spec.yaml"]
    assert seen.history(parent, "search/front_size")[-1] == (8, len(study.front()))
    volume = study.hypervolume_trace()[-1][1]
    assert seen.history(parent, "search/hypervolume")[-1] == (8, volume)

    statuses = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}
    for record in study.trials():
        run = seen.trials[record.id]
        assert run.info.status == statuses[record.state]
        assert run.data.params["model.family"] == record.config.model.family
        assert float(run.data.params["train.lr"]) == record.config.train.lr
        assert run.data.params["seed"] == str(record.seed)
        assert run.info.end_time == int(1000 * record.finished.timestamp())
    assert "the second evaluation" in seen.trials["t0002"].data.tags["automtl.reason"]


def test_an_interrupted_search_goes_on_in_the_same_run(store, search, tmp_path, monkeypatch):
    def end_badly(self: FakeJob, assignment: Any) -> None:
        if assignment.number == 2:
            raise KeyboardInterrupt

    track = {"name": "resumed", "track": [f"mlflow:{store}"]}
    with monkeypatch.context() as patched:
        patched.setattr(FakeJob, "_finish", end_badly)
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path / "run", **track)
    before = Seen(store, "resumed")
    assert before.parent.info.status == "KILLED"
    assert before.parent.data.tags["automtl.ended"] == "Ctrl-C"
    assert before.trials["t0002"].info.status == "KILLED"
    assert recall(tmp_path / "run") == {store: before.parent.info.run_id}

    study = search(tmp_path / "run", resume=True, **track)
    after = Seen(store, "resumed")
    after.check(study)
    assert after.parent.info.run_id == before.parent.info.run_id
    assert after.parent.info.status == "FINISHED"
    assert {key: after.trials[key].info.run_id for key in before.trials} == {
        key: run.info.run_id for key, run in before.trials.items()
    }
    steps = [step for step, _ in after.history(after.parent, "search/complete")]
    assert steps == [1, 2, 3, 4]


def test_a_search_that_fails_is_a_failed_run(store, search, tmp_path, monkeypatch):
    def fail(*given: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(StudyWriter, "add_evaluation", fail)
    with pytest.raises(RunError, match="the disk is full"):
        search(tmp_path / "run", name="failed", track=[f"mlflow:{store}"])
    parent = Seen(store, "failed").parent
    assert parent.info.status == "FAILED"
    assert "No space left" in parent.data.tags["automtl.ended"]


def test_a_bundle_is_an_artifact_of_the_run(store, search, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    study = search(tmp_path / "run", name="bundled", track=[f"mlflow:{store}"])
    bundle = tmp_path / "bundle"
    (bundle / "encoder").mkdir(parents=True)
    (bundle / "encoder" / "columns.json").write_text("{}")
    (bundle / "model.safetensors").write_bytes(b"weights")
    seen = Seen(store, "bundled")
    run_id = seen.parent.info.run_id

    places = track_bundle(study.run_dir, bundle, "t0001")
    assert places == [f"MLflow at {store}, run {run_id}, bundles/t0001"]
    copied = Path(seen.client.download_artifacts(run_id, "bundles/t0001"))
    assert (copied / "model.safetensors").read_bytes() == b"weights"
    assert (copied / "encoder" / "columns.json").exists()

    assert track_bundle(tmp_path / "untracked", bundle, "t0001") == []
    remember(tmp_path, store, "0" * 32)  # a run that somebody has deleted
    assert track_bundle(tmp_path, bundle, "t0001") == []
    err = capsys.readouterr().err
    assert err.startswith(f"warning: MLflow at {store}: the bundle was not logged (")
    assert err.count("\n") == 1


CONFIRMED = confirmation(
    model(
        0,
        {"click.auc": [0.7, 0.72, 0.74]},
        test={
            "click.auc": measure(0.69, 0.71, 0.73, low=0.68, high=0.74, versus=versus(0.02, 0.01))
        },
    ),
    model(1, {"click.auc": [0.6, 0.61, 0.62]}, params=2e6),
    model(2, {}, runs=(), num_failed=3),
)


def test_what_is_confirmed_is_told_to_the_runs_of_the_trials(store, search, tmp_path, capsys):
    study = search(tmp_path / "run", name="confirmed", track=[f"mlflow:{store}", "tensorboard"])
    objectives = [parse_objective("click.auc", [TaskSchema(name="click")])]
    for _ in range(2):  # again is the same
        track_confirmation(study.run_dir, CONFIRMED, objectives)
        seen = Seen(store, "confirmed")
        metrics = seen.trials["t0000"].data.metrics
        told = {name: value for name, value in metrics.items() if name.startswith("confirmed/")}
        assert told == {
            "confirmed/params": 1e6,
            "confirmed/click.auc": pytest.approx(0.71),
            "confirmed/click.auc/low": 0.68,
            "confirmed/click.auc/high": 0.74,
            "confirmed/click.auc/gain": 0.02,
            "confirmed/click.auc/gain_low": 0.01,
            "confirmed/click.auc/gain_high": 0.03,
            "confirmed/click.auc/valid": pytest.approx(0.72),
        }
        assert {step for step, _ in seen.history(seen.trials["t0000"], "confirmed/params")} == {3}
    first, second, third = (seen.trials[f"t000{number}"] for number in range(3))
    assert first.data.tags["automtl.confirmed.on_front"] == "True"
    assert second.data.tags["automtl.confirmed.on_front"] == "False"
    assert second.data.tags["automtl.confirmed.seeds"] == "3"
    assert "automtl.confirmed.seeds" not in third.data.tags
    assert first.info.status == "FINISHED"
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(study.run_dir / "tensorboard" / "t0000")).Reload()
    assert events.Scalars("confirmed/click.auc/low")[0].step == 3
    assert events.Scalars("objective/click.auc"), "what the search has told is still there"
    assert capsys.readouterr().err == ""

    track_confirmation(tmp_path / "untracked", CONFIRMED, objectives)
    remember(tmp_path, store, "0" * 32)  # a run that somebody has deleted
    track_confirmation(tmp_path, CONFIRMED, objectives)
    assert "what was confirmed was not logged (" in capsys.readouterr().err


class Broken(http.server.BaseHTTPRequestHandler):
    """A server that answers every question with an error."""

    def do_GET(self) -> None:
        self.send_response(418)
        self.end_headers()
        self.wfile.write(b"I am a teapot")

    do_POST = do_GET

    def log_message(self, *given: Any) -> None:
        pass


@pytest.fixture
def broken() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Broken) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_server_that_is_down_is_said_once_and_made_up_for(
    store, broken, search, tmp_path, monkeypatch, capfd
):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    search(tmp_path / "run", name="late", track=[f"mlflow:{broken}"])
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"warning: MLflow at {broken}: failed (")
    assert err.endswith("--resume with the same --track brings what is missing\n")
    assert err.count("\n") == 1
    study = search(tmp_path / "run", name="late", resume=True, track=[f"mlflow:{store}"])
    Seen(store, "late").check(study)


def test_a_server_that_never_answers_holds_the_end_up_no_longer_than_said(
    search, tmp_path, monkeypatch, capfd
):
    monkeypatch.setattr(tracked, "Background", functools.partial(Background, patience_s=0.5))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socketserver.TCPServer(("127.0.0.1", 0), None) as silent:  # takes, says nothing
        uri = f"http://127.0.0.1:{silent.server_address[1]}"
        begin = time.monotonic()
        study = search(tmp_path / "run", track=[f"mlflow:{uri}"])
        took_s = time.monotonic() - begin
        assert len(study.trials()) == 4
        assert took_s < 30  # most of it is the search, on a busy machine
        err = capfd.readouterr().err
        assert err.startswith(f"warning: MLflow at {uri}: has not taken the last results within")
    for thread in threading.enumerate():  # the closed socket ends its call
        if thread.name == "automtl-tracking":
            thread.join(60)
            assert not thread.is_alive()


def test_what_is_remembered_holds_no_password(tmp_path, monkeypatch):
    remember(tmp_path, "postgresql://me:secret@host/db", "r1")
    remember(tmp_path, "http://host:5000", "r2")
    text = (tmp_path / "tracking.json").read_text()
    assert "secret" not in text
    assert json.loads(text)["mlflow"] == {
        "postgresql://me:***@host/db": "r1",
        "http://host:5000": "r2",
    }


def test_nothing_of_mlflow_is_switched_on():
    from mlflow.telemetry import get_telemetry_client

    import automtl.tracking.mlflow  # noqa: F401

    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert get_telemetry_client() is None
