"""What is expected of a search is what its rungs do to many trials."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.study import make_record

from automtl.config import Evaluation, ModelConfig, TrainConfig, TrialConfig
from automtl.search.estimate import Schedule, done_epochs, remaining_epochs

ETAS = st.integers(2, 5)


@st.composite
def schedules(draw):
    epochs, eta = draw(st.floats(0.1, 10)), draw(ETAS)
    rungs = tuple(epochs / eta**power for power in range(draw(st.integers(0, 4)), 0, -1))
    return Schedule(epochs=epochs, rungs=rungs, eta=eta)


def started(number, schedule, state, *, done=0.0, role="search"):
    train = TrainConfig(epochs=schedule.epochs)
    seen = Evaluation(epochs=done, examples=1, wall_s=1.0, metrics={})
    return make_record(
        number,
        state=state,
        role=role,
        config=TrialConfig(model=ModelConfig(family="mmoe"), train=train),
        evaluations=(seen,) if done else (),
    )


@given(schedules())
def test_the_mean_of_as_many_trials_as_the_rungs_divide_evenly(schedule):
    """eta^(stops - 1) trials, of which exactly one in eta goes on at each rung."""
    alive = schedule.eta ** (len(schedule.stops) - 1)
    num_trials, seen, before = alive, 0.0, 0.0
    for stop, share in zip(schedule.stops, schedule.ending, strict=True):
        seen += alive * (stop - before)
        ended = round(share * num_trials)
        assert ended == pytest.approx(share * num_trials)
        alive, before = alive - ended, stop
    assert alive == 0
    assert schedule.expected_epochs(exempt=False) == pytest.approx(seen / num_trials)


@given(schedules())
def test_a_trial_sees_at_least_its_first_rung_and_at_most_its_end(schedule):
    expected = schedule.expected_epochs(exempt=False)
    assert schedule.stops[0] * (1 - 1e-9) <= expected <= schedule.epochs * (1 + 1e-9)
    assert schedule.expected_epochs(exempt=True) == schedule.epochs
    assert math.fsum(schedule.ending) == pytest.approx(1)


@given(schedules(), st.data())
def test_what_is_left_after_a_rung_is_less_and_nothing_at_the_end(schedule, data):
    done = data.draw(st.sampled_from(schedule.stops))
    for exempt in (False, True):
        left = schedule.expected_epochs(exempt=exempt, done=done)
        assert 0 <= left <= (schedule.epochs - done) * (1 + 1e-9)
    assert schedule.expected_epochs(exempt=False, done=schedule.epochs) == 0


@given(schedules(), st.integers(1, 40), st.integers(0, 40))
def test_a_search_that_has_not_begun(schedule, budget, num_exempt):
    left = remaining_epochs(schedule, [], budget=budget, num_exempt=num_exempt)
    exempt = min(budget, num_exempt)
    expected = schedule.expected_epochs(exempt=False)
    assert left == pytest.approx(exempt * schedule.epochs + (budget - exempt) * expected)


@given(schedules(), st.integers(2, 12), st.integers(0, 6), st.data())
def test_every_end_and_every_start_brings_the_search_nearer_its_end(
    schedule, budget, num_exempt, data
):
    """No trial that starts, passes a rung or ends by itself makes the rest longer."""
    trials, rest = [], [remaining_epochs(schedule, [], budget=budget, num_exempt=num_exempt)]
    for number in range(budget):
        role = "baseline" if number < num_exempt else "search"
        last = data.draw(st.sampled_from(schedule.stops))
        last = schedule.epochs if role == "baseline" else last
        state = "complete" if last == schedule.epochs else "pruned"
        trials.append(started(number, schedule, state, done=last, role=role))
        rest.append(remaining_epochs(schedule, trials, budget=budget, num_exempt=num_exempt))
    assert all(after <= before + 1e-9 for before, after in itertools.pairwise(rest))
    assert rest[-1] == 0
    assert done_epochs(trials) <= budget * schedule.epochs * (1 + 1e-9)


@given(schedules(), st.data())
def test_a_trial_that_runs_counts_from_where_it_is(schedule, data):
    done = data.draw(st.sampled_from([0.0, *schedule.stops[:-1]]))
    running = started(0, schedule, "running", done=done)
    left = remaining_epochs(schedule, [running], budget=1, num_exempt=0)
    assert left == pytest.approx(schedule.expected_epochs(exempt=False, done=done))
