"""The loop, driven by hand and by the plain executor."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.fake_job import FEATURES, TASKS, FakeData, FakeJob, fake_metrics, fake_spec

from automtl.config import Evaluation
from automtl.errors import SearchFailedError
from automtl.search.assignment import Assignment
from automtl.search.executor import LocalExecutor
from automtl.search.fidelity import Ladder
from automtl.search.loop import SearchLoop, trial_seed
from automtl.spec.schema import Spec
from automtl.study import Study, TrialRecord
from automtl.study_writer import StudyWriter, create_study, writing


class Notes:
    """A Progress that remembers."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_start(self, study: Study, ladder: Ladder) -> None:
        self.seen.append("start")

    def on_change(self, record: TrialRecord) -> None:
        pass

    def on_trial(self, record: TrialRecord) -> None:
        self.seen.append(f"{record.id} {record.state}")

    def on_end(self, study: Study) -> None:
        self.seen.append("end")


Begin = Callable[..., tuple[StudyWriter, SearchLoop]]


@pytest.fixture
def begin(tmp_path: Path) -> Any:
    """begin(spec) -> (study, loop), in the one run of the test; again: as after a kill."""
    open_studies = []

    def begin(spec: Spec, **given: Any) -> tuple[StudyWriter, SearchLoop]:
        while open_studies:
            open_studies.pop().__exit__(None, None, None)
        run_dir = tmp_path / "run"
        is_new = not run_dir.exists()
        study = create_study(run_dir, spec, FakeData()) if is_new else Study.open(run_dir)
        open_studies.append(writing(study))
        writer = open_studies[-1].__enter__()
        return writer, SearchLoop(writer, spec, features=FEATURES, tasks=TASKS, **given)

    yield begin
    while open_studies:
        open_studies.pop().__exit__(None, None, None)


def started(loop: SearchLoop) -> Assignment:
    turn = loop.propose()
    assert isinstance(turn, Assignment)
    return turn


NUM_FIRST = 1  # the reference, before the first trial of the search
NEVER_JUDGED = FakeJob(rungs=(1.0,))  # every trial is trained to its end


def run(loop: SearchLoop, assignment: Assignment) -> None:
    """Trains `assignment` to its end."""
    for evaluation in FakeJob().run(assignment):
        assert loop.report(assignment.number, evaluation) == "continue"
    loop.complete(assignment.number)


def train(loop: SearchLoop, assignment: Assignment) -> None:
    """Trains `assignment` until it ends or is stopped."""
    for evaluation in FakeJob().run(assignment):
        if loop.report(assignment.number, evaluation) == "stop":
            break
    loop.complete(assignment.number)


def test_a_search_starts_as_many_trials_as_it_may(begin: Begin) -> None:
    study, loop = begin(fake_spec(trials=20))
    LocalExecutor().run(loop, NEVER_JUDGED)
    assert [record.state for record in study.trials()] == ["complete"] * 20
    assert loop.is_finished()
    assert loop.propose() == "finished"
    loop.finish()


def test_the_reference_is_first_the_families_are_spread_and_other_references_late(
    begin: Begin,
) -> None:
    study, loop = begin(fake_spec(trials=14))
    LocalExecutor().run(loop, FakeJob())
    roles = [record.role for record in study.trials()]
    assert " ".join(roles) == (
        "reference search search baseline search search search baseline reference reference"
        " baseline reference reference search"
    )
    baselines = [record for record in study.trials() if record.role == "baseline"]
    families = [record.config.model.family for record in baselines]
    assert families == ["shared_bottom", "mmoe", "ple"]
    references = [record for record in study.trials() if record.role == "reference"]
    assert not any(record.in_space for record in references)
    assert {record.config.model.dependency for record in references} == {"none"}


def test_the_same_spec_searches_the_same_trials(tmp_path: Path) -> None:
    def search(name: str) -> list[tuple[Any, ...]]:
        spec = fake_spec(trials=16)
        study = create_study(tmp_path / name, spec, FakeData())
        with writing(study) as writer:
            LocalExecutor().run(SearchLoop(writer, spec, features=FEATURES, tasks=TASKS), FakeJob())
        return [(r.config, r.seed, r.values) for r in study.trials()]

    assert search("once") == search("again")


def test_every_trial_has_a_seed_of_its_own() -> None:
    seeds = {trial_seed(seed, number) for seed in range(10) for number in range(100)}
    assert len(seeds) == 1000
    assert trial_seed(0, 0) == trial_seed(0, 0)


def test_a_failed_trial_is_a_row_and_the_search_goes_on(begin: Begin) -> None:
    notes = Notes()
    study, loop = begin(fake_spec(trials=8), progress=notes)
    study_faults = {1: "raise", 2: "refuse", 3: "nan", 4: "short"}
    LocalExecutor().run(loop, FakeJob(faults=study_faults))
    states = {record.number: record.state for record in study.trials()}
    assert {number for number, state in states.items() if state == "failed"} == set(study_faults)
    assert set(states.values()) == {"complete", "failed", "pruned"}
    reasons = [record.reason for record in study.trials() if record.state == "failed"]
    assert reasons == [
        "RuntimeError: the second evaluation",
        "the loss is nan at step 7",
        "buy.auc is nan after 1 epochs",
        "ended after 0.333333 of 1 epochs",
    ]
    assert "Traceback" in study.get(1).traceback
    assert [len(study.get(number).evaluations) for number in study_faults] == [1, 1, 3, 2]
    assert notes.seen[:2] == ["t0000 complete", "t0001 failed"]
    loop.finish()


def test_three_failures_and_no_success_end_the_search(begin: Begin) -> None:
    study, loop = begin(fake_spec(trials=20))
    LocalExecutor().run(loop, FakeJob(faults=dict.fromkeys(range(20), "raise")))
    assert [record.state for record in study.trials()] == ["failed"] * 3
    with pytest.raises(SearchFailedError, match=r"(?s)all 3 trials failed.*t0000.*Traceback"):
        loop.finish()


def test_after_three_failures_running_trials_may_still_succeed(begin: Begin) -> None:
    _, loop = begin(fake_spec(trials=20))
    trials = [started(loop) for _ in range(4)]
    for trial in trials[:3]:
        loop.fail(trial.number, "died")
    assert loop.propose() == "wait"
    run(loop, trials[3])
    assert started(loop).number == 4
    loop.finish()


def test_what_failed_before_a_resume_may_have_been_mended(begin: Begin) -> None:
    spec = fake_spec(trials=20)
    _, loop = begin(spec)
    LocalExecutor().run(loop, FakeJob(faults=dict.fromkeys(range(20), "raise")))
    study, loop = begin(spec)
    LocalExecutor().run(loop, FakeJob())
    assert len(study.trials()) == 20
    assert [record.state for record in study.trials()].count("failed") == 3
    loop.finish()


def test_even_a_short_search_with_failures_only_is_a_failure(begin: Begin) -> None:
    _, loop = begin(fake_spec(trials=2))
    LocalExecutor().run(loop, FakeJob(faults=dict.fromkeys(range(2), "nan")))
    with pytest.raises(SearchFailedError, match="all 2 trials failed"):
        loop.finish()


def test_an_interrupted_trial_runs_again_with_its_seed_and_role(begin: Begin) -> None:
    spec = fake_spec(trials=10)
    study, loop = begin(spec)
    run(loop, started(loop))
    before = [started(loop), started(loop)]
    loop.report(
        1, Evaluation(epochs=0.1, examples=9, wall_s=0, metrics=fake_metrics(before[0].config))
    )
    study, loop = begin(spec)
    after = [started(loop), started(loop)]
    assert [a.number for a in after] == [3, 4]
    assert [(a.config, a.seed) for a in after] == [(a.config, a.seed) for a in before]
    assert [study.get(a.number).planned for a in after] == ["", "baseline:shared_bottom"]
    study, loop = begin(spec)  # killed again
    once_more = started(loop)
    assert (once_more.number, once_more.seed) == (5, before[0].seed)
    run(loop, once_more)
    LocalExecutor().run(loop, NEVER_JUDGED)
    assert len(study.trials()) == 10
    assert [record.state for record in study.trials()] == ["complete"] * 10
    assert study.get(5).origin == 1
    plan = [record.planned for record in study.trials() if record.planned]
    assert len(plan) == len(set(plan)) == 8


def test_a_budget_may_grow_on_resume(begin: Begin) -> None:
    _, loop = begin(fake_spec(trials=4))
    LocalExecutor().run(loop, FakeJob())
    study, loop = begin(fake_spec(trials=20))
    assert not loop.is_finished()
    LocalExecutor().run(loop, FakeJob())
    assert len(study.trials()) == 20
    assert [record.role for record in study.trials()].count("reference") == 5


def test_a_space_that_is_used_up_ends_the_search_early(begin: Begin) -> None:
    tiny = {
        "embedding_dim": 8,
        "sharing": [{"family": "shared_bottom"}],
        "dependency": "none",
        "expert_dims": {"choice": [[64], [128, 64]]},
        "loss_weights": {},
        "lr": 1e-3,
    }
    study, loop = begin(fake_spec(space=tiny, trials=20))
    LocalExecutor().run(loop, FakeJob())
    assert [record.role for record in study.trials()] == [
        "reference",
        "search",
        "baseline",
        "reference",
    ], "the rest of the plan does not wait for trials that cannot come"
    assert study.ended == "every configuration of the space has been tried"
    assert study.budget == 20
    assert loop.is_finished()
    assert loop.propose() == "finished"
    loop.finish()


def test_a_space_of_one_configuration_trains_it_beside_the_reference(begin: Begin) -> None:
    one = {
        "embedding_dim": 8,
        "sharing": [{"family": "single_task"}],
        "dependency": "esmm",
        "expert_dims": [64],
        "loss_weights": {},
        "lr": 1e-3,
    }
    study, loop = begin(fake_spec(space=one, trials=1))
    LocalExecutor().run(loop, FakeJob())
    assert [(r.role, r.config.model.dependency, r.in_space) for r in study.trials()] == [
        ("reference", "none", False),
        ("search", "esmm", True),
    ]


def test_what_breaks_a_limit_is_not_trained_but_for_baselines(begin: Begin) -> None:
    study, loop = begin(fake_spec(trials=20, constraints=["params <= 20000"]))
    LocalExecutor().run(loop, FakeJob())
    for record in study.trials():
        assert record.feasible == (record.metrics["params"] <= 20000)
        assert record.feasible or record.role != "search"
    assert not all(record.feasible for record in study.trials()[:4])
    assert study.num_rejected > 0
    assert study.front()
    assert all(record.feasible and record.in_space for record in study.front())


def test_a_limit_that_nothing_keeps_ends_the_search(begin: Begin) -> None:
    study, loop = begin(fake_spec(trials=20, constraints=["params <= 10"]))
    LocalExecutor().run(loop, FakeJob())
    assert {record.role for record in study.trials()} == {"reference", "baseline"}
    assert study.ended.startswith("1,000 configurations in a row break params <= 10; allow more")
    assert study.num_rejected == 1000


def test_a_measured_cost_stops_a_trial_before_it_is_trained(begin: Begin) -> None:
    study, loop = begin(fake_spec(trials=20, constraints=["latency_ms <= 5"]))
    measured = {"latency_ms": 7.25}
    before = Evaluation(epochs=0, examples=0, wall_s=0, metrics=measured)
    for _ in range(NUM_FIRST):
        trial = started(loop)
        assert loop.report(trial.number, before) == "continue", "a baseline"
        metrics = fake_metrics(trial.config) | measured
        loop.report(trial.number, Evaluation(epochs=1, examples=900, wall_s=1, metrics=metrics))
        loop.complete(trial.number)
    trial = started(loop)
    assert loop.report(trial.number, before) == "stop"
    loop.complete(trial.number)
    last = study.trials()[-1]
    assert (last.role, last.state, last.evaluations) == ("search", "pruned", ())
    assert last.reason == "not trained: latency_ms is 7.25, and latency_ms <= 5 is asked for"
    assert not last.feasible
    assert last.metrics == measured, "and the sampler learns from it"


def test_baselines_are_never_stopped_and_few_others_are_trained_to_the_end(begin: Begin) -> None:
    study, loop = begin(fake_spec(trials=60))
    LocalExecutor().run(loop, FakeJob())
    states: dict[str, list[str]] = {"search": [], "baseline": [], "reference": []}
    for record in study.trials():
        states[record.role].append(record.state)
    assert {*states["baseline"], states["reference"][0]} == {"complete"}
    assert "pruned" in states["reference"], "who tunes the reference is stopped as in the search"
    stopped = [record for record in study.trials() if record.state == "pruned"]
    assert len(stopped) > 0.4 * len(states["search"])
    assert all(len(record.evaluations) < 3 and record.values is None for record in stopped)
    assert stopped[0].reason.startswith("stopped after 0.111 epochs: rank ")
    assert all(record.state == "complete" for record in study.front())


def test_a_value_that_is_not_finite_at_a_rung_fails_the_trial_there(begin: Begin) -> None:
    study, loop = begin(fake_spec(trials=20))
    for _ in range(NUM_FIRST):
        run(loop, started(loop))
    trial = started(loop)
    metrics = fake_metrics(trial.config) | {"buy.auc": math.nan}
    first = Evaluation(epochs=1 / 9, examples=100, wall_s=0.01, metrics=metrics)
    assert loop.report(trial.number, first) == "stop"
    loop.complete(trial.number)
    assert study.get(trial.number).state == "failed"
    assert study.get(trial.number).reason == "buy.auc is nan after 0.1111 epochs"


def test_a_decision_stands_after_a_kill(begin: Begin) -> None:
    """Whoever passed a rung is not judged there again, though by now it would stop."""
    spec = fake_spec(trials=40)
    _, loop = begin(spec)
    for _ in range(5):
        train(loop, started(loop))
    trial = started(loop)
    weak = fake_metrics(trial.config) | {"click.auc": 0.5, "buy.auc": 0.5, "params": 1e9}
    ahead = Evaluation(
        epochs=1 / 9, examples=100, wall_s=0, metrics=weak | {"click.auc": 0.9, "buy.auc": 0.9}
    )
    assert loop.report(trial.number, ahead) == "continue"
    _, loop = begin(spec)
    again = started(loop)
    assert again.config == trial.config
    behind = Evaluation(epochs=1 / 9, examples=100, wall_s=0, metrics=weak)
    assert loop.report(again.number, behind) == "continue"
    assert loop.report(again.number, dataclasses.replace(behind, epochs=1 / 3)) == "stop"


@pytest.mark.parametrize(
    ("limit", "ended"),
    [
        ({"wall_hours": 10.5 / 3600}, "search.wall_hours 0.00291667 are used up"),
        ({"device_hours": 10.5 / 3600}, "search.device_hours 0.00291667 are used up"),
    ],
)
def test_no_trial_starts_once_a_limit_is_used_up(
    begin: Begin, limit: dict[str, float], ended: str
) -> None:
    """Each trial takes a second of both."""
    now = [0.0]
    study, loop = begin(fake_spec(trials=40, **limit), clock=lambda: now[0])
    while isinstance(trial := loop.propose(), Assignment):
        now[0] += 1.0
        last = Evaluation(epochs=1.0, examples=900, wall_s=1.0, metrics=fake_metrics(trial.config))
        assert loop.report(trial.number, last) == "continue"
        loop.complete(trial.number)
    assert len(study.trials()) == 11
    assert study.ended == ended
    assert study.wall_s == 11.0


def test_hours_before_a_kill_count(begin: Begin) -> None:
    spec, now = fake_spec(trials=40, wall_hours=2 / 3600), [0.0]
    _, loop = begin(spec, clock=lambda: now[0])
    trial = started(loop)
    now[0] = 1.5
    run(loop, trial)
    now[0] = 1000.0  # on another day
    study, loop = begin(spec, clock=lambda: now[0])
    run(loop, started(loop))
    now[0] += 0.75
    assert loop.propose() == "finished"
    more = fake_spec(trials=40, wall_hours=3 / 3600)
    study.check_spec(more)
    _, loop = begin(more, clock=lambda: now[0])
    assert isinstance(loop.propose(), Assignment)


def test_weights_are_kept_for_who_can_be_picked(begin: Begin, tmp_path: Path) -> None:
    study, loop = begin(fake_spec(trials=20))
    LocalExecutor().run(loop, FakeJob(weights_dir=study.run_dir / "weights", faults={7: "nan"}))
    kept = {record.id for record in study.trials() if record.has_weights}
    reference = study.reference()
    assert reference is not None
    assert {record.id for record in study.front()} | {reference.id} <= kept
    others = {record.id for record in study.trials() if record.id in kept and record.in_space}
    assert others == {record.id for record in study.front()}
    assert len(list((study.run_dir / "weights").iterdir())) == len(kept)


def test_an_error_of_the_loop_is_not_a_trials(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, loop = begin(fake_spec())

    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(study, "add_evaluation", full)
    with pytest.raises(OSError, match="No space left"):
        LocalExecutor().run(loop, FakeJob())
    assert [record.state for record in study.history()] == ["running"], "and it can be resumed"
