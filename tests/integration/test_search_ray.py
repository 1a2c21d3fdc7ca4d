"""Ray Tune as the executor: the same loop as the plain one, whatever happens to the workers."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fake_job import FEATURES, TASKS, FakeData, FakeJob, fake_spec

from automtl.search.executor import Executor, LocalExecutor
from automtl.search.loop import SearchLoop
from automtl.study import Study

TESTS = Path(__file__).parents[1]
LIMIT_S = 300  # on a busy machine all of this takes ten times as long

pytestmark = [
    pytest.mark.slow,
    # Ray leaves sockets and pipes to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    """Two workers in a Ray that the caller has started: it is used, and left running."""
    import ray

    from automtl.search.ray_executor import RayExecutor

    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as scratch:
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": {"PYTHONPATH": str(TESTS)}},
            _temp_dir=scratch,
        )
        yield RayExecutor(workers=None, cpus=1, gpus=0.25, address=None)
        assert ray.is_initialized()
        ray.shutdown()


def test_workers_fail_and_die_and_the_search_goes_on(
    executor: Executor, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = fake_spec(trials=16)
    study = Study.create(tmp_path / "run", spec, FakeData())
    with study.writing():
        loop = SearchLoop(study, spec, features=FEATURES, tasks=TASKS)
        executor.run(loop, FakeJob(faults={2: "raise", 4: "die", 6: "nan"}, pause_s=0.01))
    trials = study.trials()
    assert len(trials) == len(study.history()) == 16
    failed = {record.number: record.reason for record in trials if record.state == "failed"}
    assert failed.keys() == {2, 4, 6}
    assert failed[2] == "RuntimeError: the second evaluation"
    assert failed[4].startswith("the worker died: ")
    assert failed[6] == "buy.auc is nan after 1 epochs"
    assert all(len(r.evaluations) == 3 for r in trials if r.state == "complete")
    assert capfd.readouterr().out == "", "stdout is for results"


def test_an_error_of_the_loop_ends_the_search(
    executor: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = fake_spec(trials=16)
    study = Study.create(tmp_path / "run", spec, FakeData())

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with study.writing():
        loop = SearchLoop(study, spec, features=FEATURES, tasks=TASKS)
        monkeypatch.setattr(study, "add_evaluation", full)
        with pytest.raises(OSError, match="No space left"):
            executor.run(loop, FakeJob())
    assert {record.state for record in study.history()} == {"running"}, "and it can be resumed"


def test_ctrl_c_ends_the_search_and_it_can_go_on(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    search = subprocess.Popen(
        [sys.executable, "-m", "support.run_fake_search", str(run_dir), "ray", "20", "0.2"],
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + LIMIT_S
        while not (run_dir.exists() and Study.open(run_dir).front()):
            assert search.poll() is None, search.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        search.send_signal(signal.SIGINT)
        out, err = search.communicate(timeout=LIMIT_S)
    finally:
        search.kill()
    assert (search.returncode, out, err) == (130, "", "")

    study = Study.open(run_dir)
    before = {record.number: record for record in study.trials() if record.state == "complete"}
    with study.writing():
        loop = SearchLoop(study, study.spec, features=FEATURES, tasks=TASKS)
        LocalExecutor().run(loop, FakeJob())
    assert [record.state for record in study.trials()] == ["complete"] * 20
    assert {number: study.get(number).values for number in before} == {
        number: record.values for number, record in before.items()
    }
