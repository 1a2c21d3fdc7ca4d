"""Processes of this machine as the executor: the same loop, whatever happens to them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from support.executor_contract import (
    LIMIT_S,
    check_can_go_on,
    check_error_of_the_loop,
    check_full_disk,
    check_sick_trials,
    wait_for_results,
)
from support.fake_job import FEATURES, TASKS, FakeData, FakeJob, fake_spec
from support.process_jobs import Noting, Unheard

from automtl.errors import RunError, SearchFailedError
from automtl.search import process_executor
from automtl.search.loop import SearchLoop
from automtl.search.process_executor import ProcessExecutor
from automtl.study import Study
from automtl.study_writer import create_study, writing

TESTS = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture
def executor() -> ProcessExecutor:
    return ProcessExecutor(workers=2, cpus=1, gpus=0)


def search_with(executor: ProcessExecutor, job: FakeJob, run_dir: Path, trials: int) -> Study:
    spec = fake_spec(trials=trials)
    study = create_study(run_dir, spec, FakeData())
    with writing(study) as writer:
        loop = SearchLoop(writer, spec, features=FEATURES, tasks=TASKS)
        executor.run(loop, job)
        loop.finish()
    return study


def test_workers_fail_die_and_hang_and_the_search_goes_on(
    executor: ProcessExecutor, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    check_sick_trials(executor, tmp_path / "run")
    assert capfd.readouterr() == ("", "")


def test_a_trial_that_cannot_be_kept_ends_the_search(
    executor: ProcessExecutor, tmp_path: Path
) -> None:
    check_full_disk(executor, tmp_path / "run")


def test_an_error_of_the_loop_ends_the_search(
    executor: ProcessExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_error_of_the_loop(executor, tmp_path / "run", monkeypatch)


def test_each_process_runs_many_trials_on_its_share_of_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two GPUs, halves: four places, of which three are asked for."""
    monkeypatch.setattr(process_executor, "gpu_names", lambda: ("2", "GPU-7f"))
    job = Noting(noted=tmp_path / "noted", pause_s=0.05)
    search_with(ProcessExecutor(workers=3, cpus=2, gpus=0.5), job, tmp_path / "run", 12)
    noted = [line.split() for line in (tmp_path / "noted").read_text().splitlines()]
    assert len(noted) == 12
    given = {process: (gpu, threads) for process, gpu, threads in noted}
    assert sorted(given.values()) == [("2", "2"), ("2", "2"), ("GPU-7f", "2")]


def test_a_machine_without_room_for_one_trial(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"trial\.cpus: a trial takes 9999 CPUs and 0 GPUs"):
        search_with(
            ProcessExecutor(workers=None, cpus=9999, gpus=0), FakeJob(), tmp_path / "run", 4
        )


def test_what_no_process_can_begin_is_told(executor: ProcessExecutor, tmp_path: Path) -> None:
    with pytest.raises(SearchFailedError, match="exit code 1: ImportError: no module named rows"):
        search_with(executor, Unheard(), tmp_path / "run", 12)
    trials = Study.open(tmp_path / "run").trials()
    assert all(str(record.reason).endswith("for the second time") for record in trials)


@pytest.mark.parametrize(
    ("sent", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_no_process_outlives_the_search_and_it_can_go_on(
    sent: signal.Signals, code: int, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    search = subprocess.Popen(
        [sys.executable, "-m", "support.run_fake_search", str(run_dir), "processes", "20", "0.2"],
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for_results(search, run_dir)
        workers = psutil.Process(search.pid).children()
        assert len(workers) == 2
        search.send_signal(sent)
        out, err = search.communicate(timeout=LIMIT_S)
    finally:
        search.kill()
    assert (search.returncode, out, err) == (code, "", "")
    _, alive = psutil.wait_procs(workers, timeout=LIMIT_S)
    assert not alive
    check_can_go_on(run_dir)
