"""Searches without training: simulated time, and a study met again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.fake_job import FEATURES, TASKS, FakeData, FakeJob, fake_spec

from automtl.config import Evaluation
from automtl.search.assignment import Assignment
from automtl.search.executor import LocalExecutor
from automtl.search.ledger import MemoryLedger
from automtl.search.loop import SearchLoop
from automtl.search.simulate import ReplayExecutor, SimulatedExecutor
from automtl.spec.schema import Spec
from automtl.study import Study, TrialRecord
from automtl.study_writer import create_study, writing


@dataclass(frozen=True)
class Slow:
    """A fake job whose trials take 9 seconds to their end; trial `number` a tenth more each."""

    inner: FakeJob = field(default_factory=FakeJob)

    def run(self, assignment: Assignment) -> Iterator[Evaluation]:
        for one in self.inner.run(assignment):
            pace = 1 + assignment.number / 10
            yield Evaluation(
                epochs=one.epochs,
                examples=one.examples,
                wall_s=9 * one.epochs * pace,
                metrics=one.metrics,
            )


def simulate(
    spec: Spec, *, num_workers: int = 1, job: Slow | None = None
) -> tuple[MemoryLedger, SimulatedExecutor]:
    executor = SimulatedExecutor(num_workers=num_workers)
    ledger = MemoryLedger(spec, clock=executor.clock)
    loop = SearchLoop(ledger, spec, features=FEATURES, tasks=TASKS, clock=executor.clock)
    executor.run(loop, job or Slow())
    return ledger, executor


def outcome(records: tuple[TrialRecord, ...]) -> list[object]:
    return [(r.config, r.seed, r.state, r.values, r.reason, r.role) for r in records]


def test_one_worker_in_simulated_time_searches_as_the_plain_executor(tmp_path: Path) -> None:
    spec = fake_spec(trials=24)
    ledger, _ = simulate(spec)
    study = create_study(tmp_path / "run", spec, FakeData())
    with writing(study) as writer:
        LocalExecutor().run(SearchLoop(writer, spec, features=FEATURES, tasks=TASKS), FakeJob())
    assert outcome(ledger.trials()) == outcome(study.trials())


def test_time_passes_as_the_trials_take_it() -> None:
    _, executor = simulate(fake_spec(trials=2))
    assert executor.ended_s == pytest.approx({0: 9.0, 1: 9.0 + 9.9})
    _, executor = simulate(fake_spec(trials=2), num_workers=2)
    assert executor.ended_s == pytest.approx({0: 9.0, 1: 9.9})


def test_stopping_early_saves_time() -> None:
    ledger, executor = simulate(fake_spec(trials=40), num_workers=2)
    trained = sum(record.evaluations[-1].wall_s for record in ledger.trials())
    assert executor.now_s == pytest.approx(trained / 2, rel=0.2), "both workers were busy"
    whole = sum(9 * (1 + record.number / 10) for record in ledger.trials())
    assert trained < 0.7 * whole


def test_limits_count_simulated_time() -> None:
    ledger, executor = simulate(fake_spec(trials=100, wall_hours=100 / 3600), num_workers=2)
    assert ledger.ended.startswith("search.wall_hours")
    assert 100 <= executor.now_s < 100 + 9 * (1 + len(ledger.trials()) / 10)


def test_a_trial_that_dies_leaves_its_worker_to_the_next() -> None:
    job = Slow(FakeJob(faults={1: "raise", 3: "nan"}))
    ledger, _ = simulate(fake_spec(trials=12), num_workers=3, job=job)
    states = [record.state for record in ledger.trials()]
    assert len(states) == 12
    assert (states[1], states[3]) == ("failed", "failed")
    assert "running" not in states


@pytest.mark.parametrize("num_workers", [1, 3])
def test_the_same_events_in_the_same_order_give_the_same_search(
    num_workers: int, tmp_path: Path
) -> None:
    """Several workers arrive in an order of their own; it is recorded and can be met again."""
    spec = fake_spec(trials=30, constraints=["params <= 60000"])
    executor = SimulatedExecutor(num_workers=num_workers)
    study = create_study(tmp_path / "run", spec, FakeData())
    with writing(study) as writer:
        loop = SearchLoop(writer, spec, features=FEATURES, tasks=TASKS)
        executor.run(loop, Slow(FakeJob(faults={2: "raise", 9: "nan"})))
    again = create_study(tmp_path / "again", spec, FakeData())
    with writing(again) as writer:
        loop = SearchLoop(writer, spec, features=FEATURES, tasks=TASKS)
        ReplayExecutor(Study.open(tmp_path / "run")).run(loop)
    assert outcome(again.trials()) == outcome(study.trials())
    assert again.arrivals() == study.arrivals()
    assert [r.id for r in again.front()] == [r.id for r in study.front()]


def test_another_order_of_arrival_is_another_search() -> None:
    one, _ = simulate(fake_spec(trials=30))
    many, _ = simulate(fake_spec(trials=30), num_workers=3)
    assert outcome(one.trials()) != outcome(many.trials())
