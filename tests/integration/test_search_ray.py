"""Ray Tune as the executor: the same loop as the plain one, whatever happens to the workers."""

from __future__ import annotations

import itertools
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import psutil
import pytest
import ray
from support.executor_contract import (
    LIMIT_S,
    check_can_go_on,
    check_error_of_the_loop,
    check_full_disk,
    check_sick_trials,
    wait_for_results,
)
from support.fake_job import FEATURES, TASKS, FakeData, FakeJob, fake_spec

from automtl.search.loop import SearchLoop
from automtl.search.ray_executor import RayExecutor
from automtl.search.ray_tune import Bridge, describe_death
from automtl.search.scratch import scratch_directory
from automtl.study import Study
from automtl.study_writer import create_study, writing

TESTS = Path(__file__).parents[1]

pytestmark = [
    pytest.mark.slow,
    # Ray leaves sockets and pipes to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def executor() -> Iterator[RayExecutor]:
    """Two workers in a Ray that the caller has started: it is used, and left running."""
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as scratch:
        ray.init(
            num_cpus=2,
            num_gpus=1,  # one that is only counted
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": {"PYTHONPATH": str(TESTS)}},
            _temp_dir=scratch,
        )
        yield RayExecutor(workers=None, cpus=1, gpus=0.25, address=None)
        assert ray.is_initialized()
        ray.shutdown()


def start_search(run_dir: Path, *fault: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "support.run_fake_search", str(run_dir), "ray", "20", "0.2", *fault],
        env=os.environ | {"PYTHONPATH": str(TESTS)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_workers_fail_die_and_hang_and_the_search_goes_on(
    executor: RayExecutor, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    check_sick_trials(executor, tmp_path / "run")
    assert capfd.readouterr().out == "", "stdout is for results"


def test_a_trial_that_cannot_be_kept_ends_the_search(executor: RayExecutor, tmp_path: Path) -> None:
    check_full_disk(executor, tmp_path / "run")


def test_a_quarter_of_a_gpu_makes_room_for_four(executor: RayExecutor, tmp_path: Path) -> None:
    spec = fake_spec(trials=8)
    study = create_study(tmp_path / "run", spec, FakeData())
    quarters = RayExecutor(workers=None, cpus=0.25, gpus=0.25, address=None)
    with writing(study) as writer:
        loop = SearchLoop(writer, spec, features=FEATURES, tasks=TASKS)
        quarters.run(loop, FakeJob(pause_s=0.5))
    arrivals = [one for one in study.arrivals() if one.kind != "evaluation"]
    running = itertools.accumulate(1 if one.kind == "start" else -1 for one in arrivals)
    assert max(running) == 4


def test_an_error_of_the_loop_ends_the_search(
    executor: RayExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_error_of_the_loop(executor, tmp_path / "run", monkeypatch)


def test_memory_runs_short_and_the_search_goes_on_with_fewer_workers(tmp_path: Path) -> None:
    """Ray ends whom it likes, here at 4 GiB more than is in use now, and Tune gives up. Trial 5 is
    a family's default: no rung stops it before it fills the memory."""
    memory = psutil.virtual_memory()
    if memory.available < 10 * 2**30:
        pytest.skip("fills 4 GiB of memory, where 10 must be free")
    threshold = (memory.total - memory.available + 4 * 2**30) / memory.total
    search = start_search(
        tmp_path / "run",
        *("5", "fill memory"),
        RAY_memory_usage_threshold=f"{threshold:.4f}",
        RAY_memory_monitor_refresh_ms="100",
    )
    try:
        _, err = search.communicate(timeout=LIMIT_S)
    finally:
        search.kill()
    assert search.returncode == 0, err
    history = Study.open(tmp_path / "run").history()
    interrupted = [record for record in history if record.state == "interrupted"]
    lost = {record.origin: str(record.reason) for record in interrupted}
    assert 5 in lost
    assert all("Ray ended it as memory was short" in reason for reason in lost.values())
    ended = [record.origin for record in history if record.state in ("complete", "pruned")]
    assert len(ended) == len(set(ended)) == 20, "each of them once"
    assert set(lost) <= set(ended)


@pytest.mark.parametrize(("workers", "verdict"), [(2, "lost"), (1, "failed")])
def test_a_trial_fails_when_memory_is_too_short_for_it_alone(workers: int, verdict: str) -> None:
    said: list[tuple[str, int, str]] = []

    class Loop:
        def lose(self, number: int, reason: str) -> None:
            said.append(("lost", number, reason))

        def fail(self, number: int, reason: str, text: str = "") -> None:
            said.append(("failed", number, reason))

    bridge = Bridge(cast("Any", Loop()), cast("Any", None), None)
    bridge.numbers["id in Tune"] = 7
    bridge.end_all("memory was short", workers)
    ((told, number, reason),) = said
    assert (told, number) == (verdict, 7)
    assert reason.startswith("memory was short, ")
    assert bridge.numbers == {}


def test_a_killed_search_leaves_the_lock_at_once_and_its_scratch_for_the_next(
    tmp_path: Path,
) -> None:
    """Ray's processes outlive the driver for a moment: they must not have inherited the lock."""
    run_dir = tmp_path / "run"
    with tempfile.TemporaryDirectory(dir="/tmp") as scratch:
        search = start_search(run_dir, TMPDIR=scratch)
        try:
            wait_for_results(search, run_dir)
        finally:
            search.kill()
        study = Study.open(run_dir)
        search.communicate()
        with writing(study):
            assert {record.state for record in study.trials()} <= {"complete", "pruned"}
        left = [path.name for path in Path(scratch).iterdir()]
        assert len(left) == 1
        assert left[0].startswith("automtl-")
        deadline = time.monotonic() + LIMIT_S
        while list(Path(scratch).iterdir()):  # once Ray's processes have noticed
            assert time.monotonic() < deadline
            with scratch_directory(Path(scratch)):
                time.sleep(0.1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("its node has died. Node Id: 7", "the machine that ran it died, or fell silent"),
        ("connection error code 2. End of file.", "the worker died: its process was killed "),
        ("Worker exit type: NODE_OUT_OF_MEMORY", "the worker died: Ray ended it as memory was "),
        ("The actor died. Ray explains.", "the worker died: The actor died"),
        ("", "the worker process died"),
    ],
)
def test_a_death_is_told_in_one_line(text: str, reason: str, tmp_path: Path) -> None:
    """What Ray 2.60 writes, abridged."""
    error_file = tmp_path / "error.txt"
    error_file.write_text(f"Failure # 1\nThe actor died unexpectedly.\n{text}\n" if text else "")
    death = describe_death(str(error_file), None)
    assert death.reason.startswith(reason)
    assert death.is_lost == ("node has died" in text or "MEMORY" in text)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_a_sigterm_end_the_search_and_it_can_go_on(
    sent: signal.Signals, code: int, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    search = start_search(run_dir)
    try:
        wait_for_results(search, run_dir)
        search.send_signal(sent)
        out, err = search.communicate(timeout=LIMIT_S)
    finally:
        search.kill()
    assert (search.returncode, out, err) == (code, "", "")
    check_can_go_on(run_dir)
