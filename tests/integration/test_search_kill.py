"""SIGKILL at any moment: no finished result is lost, none is run twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from automtl.errors import RunError
from automtl.study import Study, TrialRecord
from automtl.study_writer import writing

TESTS = Path(__file__).parents[1]
NUM_TRIALS = 24


def start_search(
    run_dir: Path, *, pause_s: float, executor: str = "local"
) -> subprocess.Popen[bytes]:
    arguments = [str(run_dir), executor, str(NUM_TRIALS), str(pause_s)]
    return subprocess.Popen(
        [sys.executable, "-m", "support.run_fake_search", *arguments],
        env=os.environ | {"PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"},
    )


def finished(run_dir: Path) -> dict[int, TrialRecord]:
    """By number; which of them are kept with weights changes with the front."""
    if not run_dir.exists():
        return {}
    ended = ("complete", "pruned")
    trials = Study.open(run_dir).trials()
    return {r.number: replace(r, has_weights=False) for r in trials if r.state in ended}


def is_training(run_dir: Path) -> bool:
    return any(record.state == "running" for record in Study.open(run_dir).trials())


def kill_after(run_dir: Path, num_finished: int, executor: str) -> dict[int, TrialRecord]:
    """Searches until so many trials are done, kills the search while another one runs, and returns
    what is done."""
    search = start_search(run_dir, pause_s=0.2, executor=executor)
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not (
            len(finished(run_dir)) >= num_finished and is_training(run_dir)
        ):
            assert search.poll() is None, "the search ended before it could be killed"
            time.sleep(0.02)
    finally:
        search.send_signal(signal.SIGKILL)
        search.wait()
    return finished(run_dir)


@pytest.mark.parametrize("executor", ["local", "processes"])
def test_a_killed_search_goes_on_where_it_was(executor: str, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    after_first = kill_after(run_dir, 4, executor)
    assert 4 <= len(after_first) < NUM_TRIALS
    assert not Study.open(run_dir).is_active(), "the lock died with the process"

    after_second = kill_after(run_dir, len(after_first) + 4, executor)
    assert len(after_second) < NUM_TRIALS
    assert after_first.items() <= after_second.items()

    assert start_search(run_dir, pause_s=0.0, executor=executor).wait(120) == 0
    study = Study.open(run_dir)
    trials = study.trials()
    assert len(trials) == NUM_TRIALS
    assert {record.state for record in trials} == {"complete", "pruned"}
    assert {n: (r.state, r.values) for n, r in after_second.items()}.items() <= {
        r.number: (r.state, r.values) for r in trials
    }.items()
    interrupted = [r for r in study.history() if r.state == "interrupted"]
    assert 0 < len(interrupted) <= (4 if executor == "processes" else 2)
    for record in interrupted:
        (again,) = (r for r in trials if r.origin == record.origin)
        assert (again.config, again.seed, again.role) == (record.config, record.seed, record.role)
    assert len({repr(record.config) for record in trials}) == NUM_TRIALS, "none run twice"
    assert {path.stem for path in (run_dir / "weights").iterdir()} >= {r.id for r in study.front()}


def test_a_second_search_is_refused_while_the_first_runs(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    search = start_search(run_dir, pause_s=0.05)
    try:
        while not finished(run_dir):
            assert search.poll() is None
            time.sleep(0.02)
        study = Study.open(run_dir)
        assert study.summary()["active"]
        with pytest.raises(RunError, match="another process is searching"), writing(study):
            pass
    finally:
        search.send_signal(signal.SIGKILL)
        search.wait()
    assert not study.is_active()
