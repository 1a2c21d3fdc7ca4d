"""Proposals of every sampler: new, accepted, inside the space, a function of the study and the
number."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_job import FEATURES, TASKS, FakeData, FakeJob, fake_spec

from automtl.search.distributions import distribution, from_label, to_label
from automtl.search.executor import LocalExecutor
from automtl.search.loop import SearchLoop
from automtl.search.plan import plan_trials
from automtl.search.sampler import Exhausted, Proposal, Sampler, search_space
from automtl.search.strategies import StrategyName
from automtl.spec.domains import Choice, FloatRange, IntRange
from automtl.spec.schema import Spec
from automtl.study import TrialRecord
from automtl.study_writer import create_study, writing

TINY = {  # 4 configurations
    "embedding_dim": {"choice": [8, 16]},
    "sharing": [{"family": "shared_bottom"}],
    "dependency": "none",
    "expert_dims": {"choice": [[64], [128, 64]]},
    "loss_weights": {},
    "lr": 1e-3,
}


SAMPLERS = get_args(StrategyName)


NEVER_JUDGED = FakeJob(rungs=(1.0,))  # every trial is trained to its end


def history(spec: Spec, run_dir: Path, job: FakeJob = NEVER_JUDGED) -> tuple[TrialRecord, ...]:
    """The trials of a search that ran to its end."""
    study = create_study(run_dir, spec, FakeData())
    with writing(study) as writer:
        LocalExecutor().run(SearchLoop(writer, spec, features=FEATURES, tasks=TASKS), job)
    return study.history()


def propose(spec: Spec, *, number: int = 0, pins: Any = (), learnt: Any = ()) -> Any:
    sampler = Sampler(spec)
    sampler.learn(learnt)
    return sampler.propose(number=number, pins=dict(pins))


def running_record(number: int, proposal: Proposal) -> TrialRecord:
    """The trial that a proposal starts."""
    return TrialRecord(
        number=number,
        state="running",
        role="search",
        params=proposal.params,
        config=proposal.config,
        evaluations=(),
        values=None,
        feasible=True,
        in_space=True,
        reason="",
        traceback="",
        started=None,
        finished=None,
        seed=0,
        origin=number,
        planned="",
        has_weights=False,
    )


def test_a_pinned_knob_inside_the_space_is_among_the_params() -> None:
    proposal = propose(fake_spec(), pins={"family": "mmoe", "expert_dims": [128, 64]})
    assert proposal.config.model.family == "mmoe"
    assert proposal.config.model.expert_dims == (128, 64)
    assert proposal.params["family"] == "mmoe"
    assert proposal.params["expert_dims"] == "128-64"


def test_a_pinned_knob_outside_the_space_is_in_the_configuration_only() -> None:
    proposal = propose(fake_spec(), pins={"family": "single_task", "lr": 0.5})
    assert proposal.config.model.family == "single_task"
    assert proposal.config.train.lr == 0.5
    assert not {"family", "lr"} & proposal.params.keys()
    assert proposal.params["embedding_dim"] in (8, 16)


def test_only_knobs_of_the_chosen_family_are_proposed() -> None:
    params = propose(fake_spec(), pins={"family": "shared_bottom"}).params
    assert not any(name.startswith(("mmoe.", "ple.")) for name in params)


def test_the_plan_is_proposed_as_planned() -> None:
    spec = fake_spec()
    for planned in plan_trials(spec):
        config = propose(spec, pins=planned.pins).config
        assert config.model.family == planned.pins["family"]
        assert config.model.dependency == planned.pins["dependency"]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_proposal_follows_from_the_study_and_the_number(sampler: str, tmp_path: Path) -> None:
    spec = fake_spec(sampler=sampler, trials=16)
    learnt = history(spec, tmp_path / "run")
    first = propose(spec, number=16, learnt=learnt)
    stepwise = Sampler(spec)  # as a search that was not interrupted learns
    for end in range(len(learnt) + 1):
        stepwise.learn(learnt[:end])
    assert stepwise.propose(number=16, pins={}) == first
    assert propose(spec, number=17, learnt=learnt) != first
    other = fake_spec(sampler=sampler, trials=16, seed=1)
    assert (propose(other, number=16, learnt=learnt) == first) == (sampler == "grid")


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_pins_hold_whatever_the_sampler(sampler: str, tmp_path: Path) -> None:
    spec = fake_spec(sampler=sampler, trials=16)
    pins = {"family": "mmoe", "dependency": "esmm", "expert_dims": (64,)}
    proposal = propose(spec, number=16, pins=pins, learnt=history(spec, tmp_path / "run"))
    model = proposal.config.model
    assert (model.family, model.dependency, model.expert_dims) == ("mmoe", "esmm", (64,))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_only_what_is_accepted_is_proposed(sampler: str, tmp_path: Path) -> None:
    """What breaks a constraint before training is drawn again, and counted."""
    spec = fake_spec(sampler=sampler, trials=16)
    learner = Sampler(spec)
    learner.learn(history(spec, tmp_path / "run"))
    refused: list[Any] = []

    def accept(config: Any) -> bool:
        is_small = config.model.embedding_dim == 8 and config.model.family != "ple"
        refused.extend([] if is_small else [config])
        return is_small

    for number in range(16, 20):
        refused.clear()
        proposal = learner.propose(number=number, pins={}, accept=accept)
        assert isinstance(proposal, Proposal)
        assert accept(proposal.config)
        assert proposal.num_rejected == len(refused)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_search_that_may_start_nothing_says_why(sampler: str) -> None:
    spec = fake_spec(sampler=sampler, trials=16)
    answer = Sampler(spec).propose(number=0, pins={}, accept=lambda config: False)
    assert isinstance(answer, Exhausted)
    assert answer.reason == "rejected"
    assert 0 < answer.num_rejected <= 1_000


def test_a_pinned_proposal_that_is_not_accepted_is_not_drawn_again() -> None:
    spec = fake_spec()
    pins = plan_trials(spec)[0].pins
    answer = Sampler(spec).propose(number=0, pins=pins, accept=lambda config: False)
    assert answer == Exhausted("rejected", 1)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_finite_space_ends(sampler: str, tmp_path: Path) -> None:
    spec = fake_spec(space=TINY, trials=50, sampler=sampler)
    trials = history(spec, tmp_path / "run")
    inside = [record.config for record in trials if record.in_space]
    assert len(inside) == 4
    assert all(config not in inside[:i] for i, config in enumerate(inside))
    # of the same knobs single_task has four configurations too, all of them references
    assert [record.role for record in trials if not record.in_space] == ["reference"] * 4
    assert propose(spec, number=50, learnt=trials) == Exhausted("duplicates", 0)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_neither_a_running_trial_is_proposed_nor_a_default_that_has_its_turn(sampler: str) -> None:
    spec = fake_spec(space=TINY, trials=50, sampler=sampler)
    study: list[TrialRecord] = []
    learner = Sampler(spec)
    for number in range(3):
        learner.learn(study)
        proposal = learner.propose(number=number, pins={})
        assert isinstance(proposal, Proposal)
        study.append(running_record(number, proposal))
    learner.learn(study)
    assert learner.propose(number=3, pins={}) == Exhausted("duplicates", 0)
    (default,) = (one for one in plan_trials(spec) if one.role == "baseline")
    last = learner.propose(number=3, pins=default.pins)
    assert isinstance(last, Proposal)
    assert len({repr(one.config) for one in [*study, last]}) == 4


def test_what_a_strategy_is_told(tmp_path: Path) -> None:
    """Values, not labels; losses of which smaller is better; what the evaluations before saw."""
    spec = fake_spec(trials=16, constraints=["params <= 1e5"])
    learner = Sampler(spec)
    trials = history(spec, tmp_path / "run", FakeJob())
    learner.learn(trials)
    last = [record for record in trials if record.in_space and record.state == "complete"][-1]
    told = learner._history[last.number]
    assert told.params["expert_dims"] == last.config.model.expert_dims
    assert told.losses is not None
    assert told.losses[0] == -(last.values or {})["click.auc"]
    assert [rung.share for rung in told.rungs] == [1 / 9, 1 / 3]
    assert told.rungs[0].losses[0] > told.losses[0], "more training is better here"
    assert list(told.violations.values()) == [last.metrics["params"] - 1e5]


def test_knobs_of_a_family_need_it() -> None:
    space = search_space(fake_spec())
    assert space.needs["mmoe.num_shared_experts"] == ("family", ("mmoe",))
    assert "lr" not in space.needs


def test_tpe_learns_from_the_trials(tmp_path: Path) -> None:
    spec = fake_spec(sampler="tpe", trials=40, objectives=["click.logloss"])  # best at lr 1e-3
    trials = history(spec, tmp_path / "run")
    searched = [record for record in trials if record.role == "search"]
    away = [abs(math.log10(record.config.train.lr) + 3) for record in searched[-10:]]
    assert sum(away) / len(away) < 0.4, "chance would be 0.5"


def test_what_failed_or_was_interrupted_is_not_proposed_again(tmp_path: Path) -> None:
    spec = fake_spec(space=TINY, trials=50)
    study = create_study(tmp_path / "run", spec, FakeData())
    with writing(study) as writer:
        loop = SearchLoop(writer, spec, features=FEATURES, tasks=TASKS)
        LocalExecutor().run(loop, FakeJob(faults={1: "raise", 6: "nan"}))
    assert {record.state for record in study.trials()} == {"complete", "pruned", "failed"}
    assert len(study.trials()) == 8


@given(
    st.one_of(
        st.builds(
            lambda low, width: IntRange(low, low + width), st.integers(1, 9), st.integers(1, 9)
        ),
        st.builds(
            lambda low, width, log: FloatRange(low, low * width, log),
            st.floats(1e-6, 1.0),
            st.floats(1.5, 100.0),
            st.booleans(),
        ),
        st.lists(st.lists(st.integers(1, 512), max_size=3).map(tuple), min_size=2, unique=True).map(
            lambda options: Choice(tuple(options))
        ),
        st.just(Choice((1, "per_task"))),
    ),
    st.data(),
)
def test_labels_lead_back_to_their_values(domain: Any, data: st.DataObject) -> None:
    match domain:
        case Choice(options):
            value = data.draw(st.sampled_from(options))
        case IntRange(low, high):
            value = data.draw(st.integers(low, high))
        case FloatRange(low, high):
            value = data.draw(st.floats(low, high))
    label = to_label(domain, value)
    assert from_label(domain, label) == value
    assert distribution(domain)._contains(distribution(domain).to_internal_repr(label))


def test_lists_have_readable_labels() -> None:
    domain = Choice(((128, 64), (64,), ()))
    assert [to_label(domain, option) for option in domain.options] == ["128-64", "64", "none"]
    assert to_label(domain, [128, 64]) == "128-64"


def test_results_count_only_after_some_random_trials(tmp_path: Path) -> None:
    """Defaults alone would make TPE take whatever they lack for promising."""
    spec = fake_spec(sampler="tpe", trials=40, objectives=["click.logloss"])
    trials = history(spec, tmp_path / "run")
    turned = [
        dataclasses.replace(one, values={k: -v for k, v in (one.values or {}).items()})
        for one in trials
    ]
    num_startup = 5  # no planned one in the space comes before them
    in_space = [one.number for one in trials if one.in_space]
    for number, results_count in [(in_space[num_startup - 1], False), (len(trials), True)]:
        first, other = (
            propose(spec, number=number, learnt=learnt[:number]) for learnt in (trials, turned)
        )
        assert (first != other) == results_count
