"""What is trained before the search proper."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_job import fake_spec

from automtl.search.plan import budget, due_trials, in_order, num_references, plan_trials

WITH_SINGLE_TASK = {
    "sharing": [
        {"family": "mmoe", "num_shared_experts": {"int": [2, 8]}},
        {"family": "single_task"},
    ]
}


@pytest.mark.parametrize(
    ("num_trials", "references"),
    [(1, 1), (2, 1), (3, 1), (4, 2), (9, 4), (10, 5), (40, 5), (48, 6), (800, 100)],
)
def test_references_are_an_eighth_but_five_at_least_and_half_at_most(
    num_trials: int, references: int
) -> None:
    assert num_references(num_trials) == references


def test_order_is_reference_then_families_then_more_references() -> None:
    assert [trial.key for trial in plan_trials(fake_spec(trials=20))] == [
        "reference:0",
        "baseline:shared_bottom",
        "baseline:mmoe",
        "baseline:ple",
        "reference:1",
        "reference:2",
        "reference:3",
        "reference:4",
    ]


def test_families_are_spread_over_the_search_and_references_over_its_second_half() -> None:
    order = in_order(plan_trials(fake_spec(trials=20)), 20)
    keys = [one.key.replace("baseline:", "") if one else "." for one in order]
    assert " ".join(keys) == (
        "reference:0 . . . . shared_bottom . . . . mmoe . reference:1 . reference:2 ple reference:3"
        " . reference:4 ."
    )


def test_a_search_that_its_hours_end_early_has_its_share_of_the_plan() -> None:
    """1,000 trials are allowed, but its hour ends after 60: the defaults of all families come, and
    one trial in eight tunes the reference."""
    plan, order, started = plan_trials(fake_spec(trials=1000)), [], set()
    for num_started in range(60):
        due = due_trials(
            plan,
            started=started,
            num_started=num_started,
            num_trials=1000,
            share=num_started / 60,
        )
        order.append(due[0].key.partition(":")[0] if due else ".")
        started |= {one.key for one in due[:1]}
    assert order.count("baseline") == 3
    assert order.count("reference") == 60 // 8 + 1  # the default, which tunes nothing, is one
    assert "reference" not in order[1:30]


def test_the_rest_of_the_plan_is_due_where_nothing_else_is_left() -> None:
    plan = plan_trials(fake_spec(trials=1000))
    due = due_trials(plan, started=(), num_started=0, num_trials=1000, share=1.0)
    assert due == plan


@given(num_trials=st.integers(1, 300))
def test_the_whole_plan_starts_within_the_budget(num_trials: int) -> None:
    plan = plan_trials(fake_spec(trials=num_trials))
    started = [one.key for one in in_order(plan, num_trials) if one is not None]
    assert started[0] == "reference:0"
    assert sorted(started) == sorted(one.key for one in plan)


def test_a_baseline_has_the_default_of_every_free_knob_of_its_family() -> None:
    plan = {trial.key: trial for trial in plan_trials(fake_spec())}
    assert plan["baseline:mmoe"].role == "baseline"
    assert plan["baseline:mmoe"].pins == {
        "family": "mmoe",
        "dependency": "none",
        "embedding_dim": 8,
        "mmoe.num_shared_experts": 5,
        "expert_dims": (64,),
        "loss_weights.buy": pytest.approx(1.0),
        "lr": pytest.approx(1e-3),
    }


def test_the_dependency_of_a_baseline_is_the_default_of_the_space() -> None:
    plan = plan_trials(fake_spec(space={"dependency": {"choice": ["esmm", "none"]}}))
    assert [trial.pins["dependency"] for trial in plan[:2]] == ["none", "esmm"]


def test_later_references_leave_their_knobs_to_the_sampler() -> None:
    plan = {trial.key: trial for trial in plan_trials(fake_spec())}
    assert plan["reference:1"].pins == {"family": "single_task", "dependency": "none"}
    assert plan["reference:0"].pins["lr"] == pytest.approx(1e-3)


@pytest.mark.parametrize(
    ("space", "in_space"),
    [
        ({}, False),
        (WITH_SINGLE_TASK, True),
        (WITH_SINGLE_TASK | {"dependency": "none"}, True),
        (WITH_SINGLE_TASK | {"dependency": "esmm"}, False),
    ],
)
def test_a_reference_is_in_the_space_if_the_space_names_it(space: dict, in_space: bool) -> None:
    plan = plan_trials(fake_spec(space=space))
    assert {trial.in_space for trial in plan if trial.role == "reference"} == {in_space}
    assert all(trial.in_space for trial in plan if trial.role == "baseline")


def test_single_task_is_no_baseline_beside_the_reference() -> None:
    plan = plan_trials(fake_spec(space=WITH_SINGLE_TASK))
    assert [trial.key for trial in plan if trial.role == "baseline"] == ["baseline:mmoe"]


def test_the_plan_keeps_to_the_budget() -> None:
    assert [trial.key for trial in plan_trials(fake_spec(trials=2))] == [
        "reference:0",
        "baseline:shared_bottom",
    ]


def test_a_space_of_one_configuration_takes_one_trial_and_the_reference() -> None:
    one = {
        "embedding_dim": 8,
        "sharing": [{"family": "shared_bottom"}],
        "dependency": "none",
        "expert_dims": [64],
        "loss_weights": {},
        "lr": 1e-3,
    }
    assert budget(fake_spec(space=one, trials=1)) == 2
    assert budget(fake_spec(space=one, trials=50)) == 2
    single = one | {"sharing": [{"family": "single_task"}]}
    assert budget(fake_spec(space=single)) == 1
    assert [trial.key for trial in plan_trials(fake_spec(space=single))] == ["reference:0"]
