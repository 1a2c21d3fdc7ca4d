"""The plain executor, against a loop that is not there."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any, cast

from support.fake_job import FakeJob

from automtl.config import Evaluation, ModelConfig, TrainConfig, TrialConfig
from automtl.errors import TrialFailedError
from automtl.search.assignment import Assignment
from automtl.search.endings import describe_failure
from automtl.search.executor import LocalExecutor
from automtl.search.heartbeat import Watchdog
from automtl.search.loop import SearchLoop

CONFIG = TrialConfig(model=ModelConfig(family="mmoe"), train=TrainConfig())


class Script:
    """A loop of `num_trials` that stops the first one at its second evaluation."""

    def __init__(self, num_trials: int) -> None:
        self.left = list(range(num_trials))
        self.calls: list[str] = []

    def propose(self) -> Any:
        if not self.left:
            return "finished"
        return Assignment(number=self.left.pop(0), config=CONFIG, seed=0)

    def report(self, number: int, evaluation: Evaluation) -> Any:
        self.calls.append(f"{number} at {evaluation.epochs:.2f}")
        return "stop" if number == 0 and evaluation.epochs > 0.3 else "continue"

    def complete(self, number: int) -> None:
        self.calls.append(f"{number} complete")

    def fail(self, number: int, reason: str, traceback: str) -> None:
        self.calls.append(f"{number} failed: {reason}")


def test_every_evaluation_is_reported_and_every_trial_ends_once() -> None:
    script = Script(3)
    LocalExecutor().run(cast("SearchLoop", script), FakeJob(faults={1: "raise"}))
    assert script.calls == [
        "0 at 0.11",
        "0 at 0.33",
        "0 complete",
        "1 at 0.11",
        "1 failed: RuntimeError: the second evaluation",
        "2 at 0.11",
        "2 at 0.33",
        "2 at 1.00",
        "2 complete",
    ]


def test_a_failure_is_one_line_and_a_known_one_speaks_for_itself() -> None:
    assert describe_failure(TrialFailedError("the loss is nan\n..."))[0] == "the loss is nan"
    assert describe_failure(KeyError("x"))[0] == "KeyError: 'x'"
    reason, text = describe_failure(ValueError())
    assert reason == "ValueError: no message"
    assert text == "ValueError\n"


def test_a_trial_that_hangs_is_interrupted_and_the_search_goes_on(tmp_path: Path) -> None:
    script = Script(4)
    job = FakeJob(faults={1: "hang", 2: "hang at first"}, alive_dir=tmp_path)
    before = signal.getsignal(signal.SIGALRM)
    LocalExecutor(Watchdog(tmp_path, stall_s=0.3)).run(cast("SearchLoop", script), job)
    silent = "hung: no sign of life for 0.3 seconds; last seen "
    assert [call for call in script.calls if " at " not in call.split(";")[0]] == [
        "0 complete",
        f"1 failed: {silent}at step 350 of 1,200",
        f"2 failed: {silent}before its first step",
        "3 complete",
    ]
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_slow_trial_that_shows_life_is_left_alone(tmp_path: Path) -> None:
    script = Script(1)
    job = FakeJob(pause_s=0.25, alive_dir=tmp_path)
    LocalExecutor(Watchdog(tmp_path, stall_s=0.4)).run(cast("SearchLoop", script), job)
    assert script.calls[-1] == "0 complete"


def test_in_another_thread_nobody_watches(tmp_path: Path) -> None:
    script = Script(1)
    executor = LocalExecutor(Watchdog(tmp_path, stall_s=0.1))
    job = FakeJob(pause_s=0.2, alive_dir=tmp_path)
    thread = threading.Thread(target=executor.run, args=(cast("SearchLoop", script), job))
    thread.start()
    thread.join()
    assert script.calls[-1] == "0 complete"
