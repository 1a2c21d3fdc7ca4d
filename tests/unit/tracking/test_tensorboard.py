"""Event files, read back with TensorBoard's own reader."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.fake_job import FakeJob
from support.fake_search import FakeSearch, fake_search

from automtl.study import Study
from automtl.tracking.tensorboard import TensorBoardTracker


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch) -> FakeSearch:
    return fake_search(monkeypatch)


def read(directory: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(directory)).Reload()


def hparams(directory: Path) -> dict[str, Any]:
    """The messages of the HPARAMS page, by the name of what they tell."""
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    found = {}
    contents = read(directory).PluginTagToContent("hparams").values()
    for message in map(HParamsPluginData.FromString, contents):
        kind = message.WhichOneof("data")
        found[kind] = getattr(message, kind)
    return found


def scalars(directory: Path) -> dict[str, list[tuple[int, float]]]:
    events = read(directory)
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def check(study: Study) -> None:
    """Every trial has each of its evaluations once, and its end."""
    for record in study.history():
        directory = study.run_dir / "tensorboard" / record.id
        found = scalars(directory)
        seen = [(e.examples, np.float32(e.metrics["click.auc"])) for e in record.evaluations]
        assert found.get("click.auc", []) == seen
        has_values = record.values is not None
        assert ("objective/click.auc" in found) == has_values
        if has_values:
            last = record.evaluations[-1]
            assert found["objective/params"] == [(last.examples, record.values["params"])]
        assert (directory / "ended").exists()


def test_a_search_leaves_a_file_a_trial(search, tmp_path):
    study = search(tmp_path / "run", trials=8, track=["tensorboard"], job=FakeJob({2: "raise"}))
    check(study)
    directory = study.run_dir / "tensorboard"
    assert {path.name for path in directory.iterdir()} == {
        *(record.id for record in study.trials()),
        "search",
    }

    ended = scalars(directory / "search")
    assert [step for step, _ in ended["search/front_size"]] == list(range(1, 9))
    assert ended["search/failed"][-1] == (8, 1)
    assert ended["search/front_size"][-1] == (8, len(study.front()))
    volume = study.hypervolume_trace()[-1][1]
    assert math.isclose(ended["search/hypervolume"][-1][1], volume, rel_tol=1e-6)


def test_the_hparams_page_knows_the_knobs_and_the_objectives(search, tmp_path):
    study = search(tmp_path / "run", trials=8, track=["tensorboard"], job=FakeJob({2: "raise"}))
    record = next(r for r in study.trials() if r.role == "search")
    told = hparams(study.run_dir / "tensorboard" / record.id)
    knobs = told["session_start_info"].hparams
    assert knobs["family"].string_value == record.config.model.family
    assert knobs["lr"].number_value == pytest.approx(record.config.train.lr)
    tags = [info.name.tag for info in told["experiment"].metric_infos]
    assert tags == ["objective/click.auc", "objective/buy.auc", "objective/params"]
    failed = hparams(study.run_dir / "tensorboard" / "t0002")["session_end_info"]
    assert (told["session_end_info"].status, failed.status) == (1, 2)  # success, failure


def test_a_killed_search_is_written_whole_when_it_goes_on(search, tmp_path, monkeypatch):
    def end_badly(*given: Any) -> None:
        raise KeyboardInterrupt

    job = FakeJob()
    with monkeypatch.context() as patched:
        patched.setattr(FakeJob, "_finish", lambda self, a: a.number == 2 and end_badly())
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path / "run", track=["tensorboard"], job=job)
    directory = tmp_path / "run" / "tensorboard"
    ended = sorted(path.parent.name for path in directory.glob("*/ended"))
    assert ended == ["t0000", "t0001"]
    first = {path: path.read_bytes() for path in (directory / "t0000").iterdir()}

    study = search(tmp_path / "run", track=["tensorboard"], resume=True, job=job)
    check(study)
    assert [record.state for record in study.history()][2] == "interrupted"
    assert {path: path.read_bytes() for path in (directory / "t0000").iterdir()} == first


def test_a_search_that_was_not_tracked_is_caught_up_with(search, tmp_path):
    search(tmp_path / "run")
    study = search(tmp_path / "run", resume=True, track=["tensorboard"])
    check(study)


def test_a_full_disk_is_said_once_and_stops_nothing(search, tmp_path, monkeypatch, capsys):
    def full(*given: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("automtl.tracking.tensorboard.RecordWriter.write", full)
    study = search(tmp_path / "run", track=["tensorboard"])
    assert [record.state for record in study.trials()] == ["complete"] * 4
    err = capsys.readouterr().err
    place = study.run_dir / "tensorboard"
    assert err.count("\n") == 1
    assert f"warning: TensorBoard files in {place}: failed (OSError: [Errno 28] No space" in err
    monkeypatch.undo()


def test_a_tracker_touches_nothing_before_it_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    TensorBoardTracker()
    assert list(tmp_path.iterdir()) == []
