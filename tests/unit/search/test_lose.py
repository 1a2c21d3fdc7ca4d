"""A trial whose machine died is run again once, and nothing else counts as that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fake_job import FEATURES, TASKS, FakeData, fake_metrics, fake_spec

from automtl.config import Evaluation
from automtl.search.assignment import Assignment
from automtl.search.ledger import Ledger, MemoryLedger
from automtl.search.loop import SearchLoop
from automtl.study_writer import create_study, writing

REASON = "the machine died"


@pytest.fixture(params=["disk", "memory"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger(fake_spec(trials=4))
        return
    study = create_study(tmp_path / "run", fake_spec(trials=4), FakeData())
    with writing(study) as writer:
        yield writer


@pytest.fixture
def loop(ledger: Ledger) -> SearchLoop:
    return SearchLoop(ledger, fake_spec(trials=4), features=FEATURES, tasks=TASKS)


def start(loop: SearchLoop) -> Assignment:
    turn = loop.propose()
    assert isinstance(turn, Assignment), turn
    return turn


def finish(loop: SearchLoop, trial: Assignment) -> None:
    metrics = fake_metrics(trial.config)
    loop.report(trial.number, Evaluation(epochs=1.0, examples=9, wall_s=0.1, metrics=metrics))
    loop.complete(trial.number)


def test_what_was_lost_comes_first_and_once(loop: SearchLoop, ledger: Ledger) -> None:
    first, second = start(loop), start(loop)
    loop.lose(first.number, REASON)
    assert [record.number for record in ledger.trials()] == [second.number]
    again = start(loop)
    assert (again.config, again.seed) == (first.config, first.seed)
    assert ledger.get(again.number).origin == first.number
    assert ledger.get(first.number).reason == REASON

    loop.lose(again.number, REASON)
    record = ledger.get(again.number)
    assert (record.state, record.reason) == ("failed", f"{REASON}, for the second time")
    assert start(loop).config != first.config


def test_the_last_trial_may_be_lost_as_well(loop: SearchLoop, ledger: Ledger) -> None:
    trials = [start(loop) for _ in range(4)]
    for trial in trials[:3]:
        finish(loop, trial)
    assert loop.propose() == "wait", "it may have to start one again"
    loop.lose(trials[3].number, REASON)
    finish(loop, start(loop))
    assert loop.propose() == "finished"
    assert [record.state for record in ledger.trials()] == ["complete"] * 4


def test_a_kill_of_the_search_is_not_counted(tmp_path: Path) -> None:
    study = create_study(tmp_path / "run", fake_spec(trials=4), FakeData())
    for _ in range(3):  # each time the search is killed while its first trial runs
        with writing(study) as writer:
            start(SearchLoop(writer, study.spec, features=FEATURES, tasks=TASKS))
    with writing(study) as writer:
        loop = SearchLoop(writer, study.spec, features=FEATURES, tasks=TASKS)
        loop.lose(start(loop).number, REASON)
        assert writer.get(start(loop).number).origin == 0
    assert study.history()[3].reason == REASON
