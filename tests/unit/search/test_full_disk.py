"""A disk that is full ends a search with one clear line, and the search can go on later."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
import torch
from support.fake_job import FakeJob
from support.fake_search import FakeSearch, fake_search

from automtl.errors import RunError, TrialFailedError
from automtl.search import ray_home
from automtl.search.disk import DiskFailureError, disk_failures_explained
from automtl.search.heartbeat import beating
from automtl.search.home import HERE, Home
from automtl.search.scores import write_scores
from automtl.search.trial import TrialJob
from automtl.study import Study
from automtl.study_writer import StudyWriter


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch) -> FakeSearch:
    return fake_search(monkeypatch)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """100 kB of disk; a trial takes some 3 kB of the journal."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=100k", "none", str(disk)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("may not mount a small disk")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
def test_a_failing_disk_ends_the_search_with_the_way_out(
    code: int, search: FakeSearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(StudyWriter, "add_evaluation", fail)
        with pytest.raises(RunError, match=r"run: the disk .*; make room, and go on with --resume"):
            search(tmp_path / "run")
    assert not Study.open(tmp_path / "run").is_active()
    assert len(search(tmp_path / "run", resume=True).trials()) == 4


def test_another_error_of_the_system_is_not_explained_away(
    search: FakeSearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any) -> None:
        raise PermissionError(errno.EPERM, "not permitted")

    monkeypatch.setattr(StudyWriter, "add_evaluation", fail)
    with pytest.raises(PermissionError):
        search(tmp_path / "run")


def test_a_disk_that_fills_up_loses_no_finished_trial(search: FakeSearch, small_disk: Path) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(bytes(20_000))
    with pytest.raises(RunError, match="the disk is full"):
        search(small_disk / "run", trials=40)
    before = {r.number: r for r in Study.open(small_disk / "run").trials() if r.finished}
    assert len(before) > 5
    with pytest.raises(RunError, match="the disk is full"):
        search(small_disk / "run", trials=40, resume=True)
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=10m", str(small_disk)], check=True)
    after = search(small_disk / "run", trials=40, resume=True)
    assert len(after.trials()) == 40
    assert {number: after.get(number).values for number in before} == {
        number: record.values for number, record in before.items()
    }


def save(weights_dir: Path, home: Home = HERE) -> None:
    job = TrialJob(
        weights_dir=weights_dir,
        cache_dir=weights_dir,
        fingerprint="rows",
        device="cpu",
        precision="fp32",
        num_threads=1,
    )
    job._save(torch.nn.Linear(400, 400), 7, home)


def test_weights_that_find_no_room_end_the_search_and_leave_nothing(small_disk: Path) -> None:
    with pytest.raises(DiskFailureError, match=r"No space left .*t0007\.safetensors"):
        save(small_disk)
    assert list(small_disk.iterdir()) == []


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Home:
    """The search's machine as seen from another one, but that Ray is not between them."""

    def ask(home: Home, function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)

    monkeypatch.setattr(ray_home._Away, "_ask", ask)
    return ray_home._Away("0" * 56)


def test_weights_from_another_machine_that_find_no_room_end_the_search(
    small_disk: Path, away: Home
) -> None:
    with pytest.raises(DiskFailureError, match=r"No space left .*disk/t0007\.safetensors"):
        save(small_disk, away)
    assert list(small_disk.iterdir()) == []


def test_where_another_machine_has_no_room_it_is_named_and_not_the_run(
    small_disk: Path, tmp_path: Path, away: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_home, "scratch_directory", lambda: nullcontext(small_disk))
    with (
        pytest.raises(RunError, match=r"^node [\d.]+: /tmp: the disk is full .*; make room"),
        disk_failures_explained(tmp_path, go_on="go on"),
    ):
        save(tmp_path, away)
    assert [path.name for path in tmp_path.iterdir()] == ["disk"]


def test_a_machine_out_of_reach_is_no_failing_disk(
    tmp_path: Path, away: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*given: Any) -> None:
        raise ray.exceptions.WorkerCrashedError

    monkeypatch.undo()  # it asks through Ray again
    monkeypatch.setattr(ray, "get", lost)
    monkeypatch.setattr(ray.remote_function.RemoteFunction, "_remote", lambda *given, **how: None)
    with pytest.raises(TrialFailedError, match="the search's machine is not reached"):
        save(tmp_path, away)


def test_a_sign_of_life_that_cannot_be_removed_hides_no_failing_disk(small_disk: Path) -> None:
    def run() -> None:
        with beating(small_disk, 7):
            subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
            save(small_disk)

    with pytest.raises(DiskFailureError, match=r"Read-only .*t0007\.safetensors"):
        run()


def test_scores_that_find_no_room_end_the_search_and_leave_nothing(small_disk: Path) -> None:
    with pytest.raises(DiskFailureError, match=r"No space left .*t0007\.safetensors"):
        write_scores(small_disk, 7, {"click": np.zeros(100_000, dtype=np.float32)})
    assert list(small_disk.iterdir()) == []


def test_a_trial_that_cannot_be_kept_ends_the_search_and_is_run_again(
    search: FakeSearch, tmp_path: Path
) -> None:
    """No trial after it is spent."""
    with pytest.raises(RunError, match=r"t\.safetensors: the disk is full .* go on with --resume"):
        search(tmp_path / "run", job=FakeJob(faults={2: "full disk"}))
    assert [one.state for one in Study.open(tmp_path / "run").trials()][2:] == ["running"]
    after = search(tmp_path / "run", resume=True).history()
    assert sum(one.state in ("complete", "pruned") for one in after) == 4
    assert [one.number for one in after if one.state == "interrupted"] == [2]


def test_weights_that_cannot_be_written_fail_the_trial(tmp_path: Path) -> None:
    with pytest.raises(TrialFailedError, match=r"t0007\.safetensors: the weights cannot be wr"):
        save(tmp_path / "nowhere")
    save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["t0007.safetensors"]
