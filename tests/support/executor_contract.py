"""What every executor that has workers holds to, whatever happens to them."""

from __future__ import annotations

import errno
import subprocess
import time
from pathlib import Path

import pytest
from support.fake_job import FEATURES, TASKS, FakeData, FakeJob, fake_spec

from automtl.search.disk import DiskFailureError
from automtl.search.executor import Executor, LocalExecutor
from automtl.search.heartbeat import Watchdog
from automtl.search.loop import SearchLoop
from automtl.search.plan import in_order, plan_trials
from automtl.search.process_executor import ProcessExecutor
from automtl.search.ray_executor import RayExecutor
from automtl.study import Study
from automtl.study_writer import create_study, writing

LIMIT_S = 300  # on a busy machine all of this takes ten times as long
STALL_S = 3  # the first trial of a worker imports for so long, but then it is not yet counted


def check_sick_trials(executor: RayExecutor | ProcessExecutor, run_dir: Path) -> None:
    """Workers fail, die and hang, and the search goes on."""
    gated = [{"family": name, "num_shared_experts": {"int": [2, 8]}} for name in ("omoe", "mmoe")]
    plain = [{"family": name} for name in ("shared_embedding", "shared_bottom")]
    cgc = {"family": "cgc", "num_shared_experts": 1, "num_task_experts": 1}
    spec = fake_spec(trials=16, space={"sharing": [*plain, *gated, cgc]})
    study = create_study(run_dir, spec, FakeData())
    faults = {2: "raise", 5: "hang", 8: "die", 10: "nan", 11: "hang at first"}
    defaults = {  # which no rung stops before their fault
        number
        for number, planned in enumerate(in_order(plan_trials(spec), 16))
        if planned is not None and planned.role == "baseline"
    }
    assert {2, 5, 8, 10} < defaults
    executor.watchdog = Watchdog(study.alive_dir, stall_s=STALL_S)
    with writing(study) as writer:
        loop = SearchLoop(writer, spec, features=FEATURES, tasks=TASKS)
        executor.run(loop, FakeJob(faults=faults, pause_s=0.01, alive_dir=study.alive_dir))
        assert list(study.alive_dir.iterdir()) == []
    trials = study.trials()
    assert len(trials) == len(study.history()) == 16
    failed = {record.number: record.reason for record in trials if record.state == "failed"}
    assert failed.keys() == faults.keys()
    assert failed[2] == "RuntimeError: the second evaluation"
    silent = f"hung: no sign of life for {STALL_S} seconds; last seen "
    assert failed[5] == silent + "at step 350 of 1,200"
    assert failed[8].startswith("the worker died: its process was killed (signal 9)")
    assert failed[10] == "buy.auc is nan after 1 epochs"
    assert failed[11] == silent + "before its first step"
    assert all(len(r.evaluations) == 3 for r in trials if r.state == "complete")


def check_full_disk(executor: Executor, run_dir: Path) -> None:
    """A trial that cannot be kept ends the search."""
    spec = fake_spec(trials=16)
    study = create_study(run_dir, spec, FakeData())
    with writing(study) as writer:
        loop = SearchLoop(writer, spec, features=FEATURES, tasks=TASKS)
        with pytest.raises(DiskFailureError, match="No space left") as raised:
            executor.run(loop, FakeJob(faults={0: "full disk"}, pause_s=0.01))
    assert raised.value.errno == errno.ENOSPC
    assert raised.value.filename == "t.safetensors"
    assert len(study.trials()) < 8
    assert study.trials()[0].state == "running", "so that it is run again"


def check_error_of_the_loop(
    executor: Executor, run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends the search, which can be resumed."""
    spec = fake_spec(trials=16)
    study = create_study(run_dir, spec, FakeData())

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with writing(study) as writer:
        loop = SearchLoop(writer, spec, features=FEATURES, tasks=TASKS)
        monkeypatch.setattr(writer, "add_evaluation", full)
        with pytest.raises(OSError, match="No space left"):
            executor.run(loop, FakeJob())
    assert {record.state for record in study.history()} == {"running"}


def wait_for_results(search: subprocess.Popen[str], run_dir: Path) -> None:
    """Until the first trial is on the front of a search in a process of its own."""
    deadline = time.monotonic() + LIMIT_S
    while not (run_dir.exists() and Study.open(run_dir).front()):
        assert search.poll() is None, search.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)


def check_can_go_on(run_dir: Path) -> None:
    """A search of 20 trials that was ended comes to its end, and what was complete stays so."""
    study = Study.open(run_dir)
    before = {record.number: record for record in study.trials() if record.state == "complete"}
    with writing(study) as writer:
        loop = SearchLoop(writer, study.spec, features=FEATURES, tasks=TASKS)
        LocalExecutor().run(loop, FakeJob())
    assert len(study.trials()) == 20
    assert {record.state for record in study.trials()} <= {"complete", "pruned"}
    assert {number: study.get(number).values for number in before} == {
        number: record.values for number, record in before.items()
    }
