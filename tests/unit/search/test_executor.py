"""The plain executor, against a loop that is not there."""

from __future__ import annotations

from typing import Any, cast

from support.fake_job import FakeJob

from automtl.config import Evaluation, ModelConfig, TrainConfig, TrialConfig
from automtl.errors import TrialFailedError
from automtl.search.assignment import Assignment
from automtl.search.executor import LocalExecutor, describe_failure
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
