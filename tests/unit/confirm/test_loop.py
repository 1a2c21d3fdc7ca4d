"""Confirming: what is left is trained, once, whoever trains it and whatever kills it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.fake_job import FEATURES, TASKS, FakeData, FakeJob, fake_spec

from automtl.confirm.candidates import reruns, select
from automtl.confirm.keep import forget_others, median_run, runs_of
from automtl.confirm.loop import ConfirmLoop
from automtl.search.assignment import Assignment
from automtl.search.executor import LocalExecutor
from automtl.search.loop import SearchLoop
from automtl.study import Study
from automtl.study_writer import create_study, writing

SPEC = fake_spec(trials=12, rungs=1)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    study = create_study(tmp_path_factory.mktemp("searched") / "run", SPEC, FakeData())
    with writing(study) as writer:
        LocalExecutor().run(SearchLoop(writer, SPEC, features=FEATURES, tasks=TASKS), FakeJob())
    return study


@pytest.fixture
def runs(tmp_path):
    return create_study(tmp_path / "confirm", SPEC, FakeData())


def wanted(searched, seeds=3):
    selection = select(searched, candidates=2, baselines=False)
    return reruns(selection, seeds=seeds, study_seed=0)


def run(runs, todo, job=None):
    ended = []
    with writing(runs) as writer:
        loop = ConfirmLoop(writer, todo, on_end=ended.append)
        LocalExecutor().run(loop, job or FakeJob(weights_dir=runs.weights_dir))
    return ended


def test_every_rerun_is_trained_to_its_end_and_kept_with_its_seed(searched, runs):
    todo = wanted(searched)
    ended = run(runs, todo)
    assert [record.state for record in ended] == ["complete"] * len(todo)
    assert [(one.planned, one.seed) for one in runs.trials()] == [(r.key, r.seed) for r in todo]
    assert {one.role for one in runs.trials()} == {"confirm"}


def test_a_second_call_trains_only_what_is_new(searched, runs):
    run(runs, wanted(searched, seeds=2))
    before = len(runs.trials())
    assert run(runs, wanted(searched, seeds=2)) == []
    more = run(runs, wanted(searched, seeds=3))
    assert len(more) == len(wanted(searched, seeds=3)) - before
    assert all(record.planned.endswith(":2") for record in more)


def test_a_killed_run_is_trained_again_with_its_seed_and_the_finished_ones_are_not(searched, runs):
    todo = wanted(searched)
    with writing(runs) as writer:
        loop = ConfirmLoop(writer, todo, on_end=lambda record: None)
        first = loop.propose()
        for evaluation in FakeJob().run(first):
            loop.report(first.number, evaluation)
        loop.complete(first.number)
        killed = loop.propose()  # and no more is heard of it
    reopened = Study.open(runs.run_dir)
    run(reopened, todo)
    done = [one for one in reopened.trials() if one.state == "complete"]
    assert sorted(one.planned for one in done) == sorted(one.key for one in todo)
    retried = next(one for one in done if one.origin == killed.number)
    assert (retried.seed, retried.number) != (0, killed.number)
    assert retried.seed == killed.seed


def test_a_failed_run_is_a_result_and_the_others_go_on(searched, runs):
    todo = wanted(searched)
    ended = run(runs, todo, FakeJob(faults={1: "refuse"}, weights_dir=runs.weights_dir))
    assert [record.state for record in ended].count("failed") == 1
    assert run(runs, todo) == []


def test_a_run_that_dies_with_its_machine_is_trained_again_once(searched, runs):
    with writing(runs) as writer:
        loop = ConfirmLoop(writer, wanted(searched)[:1], on_end=lambda record: None)
        first = loop.propose()
        loop.lose(first.number, "the machine fell silent")
        second = loop.propose()
        assert isinstance(second, Assignment)
        assert second.seed == first.seed
        loop.lose(second.number, "the machine fell silent")
        assert loop.propose() == "finished"
        assert "for the second time" in writer.get(second.number).reason


def test_while_the_last_runs_there_is_nothing_to_start_but_it_is_not_the_end(searched, runs):
    with writing(runs) as writer:
        loop = ConfirmLoop(writer, wanted(searched)[:1], on_end=lambda record: None)
        loop.propose()
        assert loop.propose() == "wait"
        assert not loop.is_finished()


# ---- the run that stands for its configuration ---------------------------------------------


def make_runs(searched, runs, clicks):
    """Complete runs of one configuration that differ in click.auc only."""
    todo = [one for one in wanted(searched, seeds=len(clicks)) if one.trial == first_of(searched)]
    run(runs, todo)
    records = runs_of(runs, todo, todo[0].trial)
    changed = [
        replace(record, values={**(record.values or {}), "click.auc": click})
        for record, click in zip(records, clicks, strict=True)
    ]
    return todo, changed


def first_of(searched):
    return select(searched, candidates=2, baselines=False).trials[0].number


def test_the_run_of_the_median_score_stands_for_the_others(searched, runs):
    _, records = make_runs(searched, runs, [0.70, 0.90, 0.72, 0.60, 0.71])
    chosen = median_run(records, runs.objectives)
    assert chosen is not None
    assert chosen.values["click.auc"] == 0.71


def test_without_the_weights_of_the_median_the_nearest_run_stands_for_it(searched, runs):
    _, records = make_runs(searched, runs, [0.70, 0.90, 0.725, 0.60, 0.71])
    records[4] = replace(records[4], has_weights=False)
    chosen = median_run(records, runs.objectives)
    assert chosen is not None
    assert chosen.values["click.auc"] == 0.70
    none = [replace(one, has_weights=False) for one in records]
    assert median_run(none, runs.objectives) is None


def test_the_weights_of_the_others_go_once_all_seeds_have_ended(searched, runs):
    todo = [one for one in wanted(searched) if one.trial == first_of(searched)]
    run(runs, todo[:2])
    with writing(runs) as writer:
        forget_others(writer, todo, first_of(searched))
    assert len(list(runs.weights_dir.iterdir())) == 2, "one seed is still to come"
    run(runs, todo)
    with writing(runs) as writer:
        forget_others(writer, todo, first_of(searched))
    kept = [one for one in runs.trials() if one.has_weights]
    assert len(kept) == 1
    with writing(runs):
        pass  # what a search would drop, a confirmation keeps
    assert len(list(runs.weights_dir.iterdir())) == 1
