"""What every strategy promises, on a list of domains without a spec."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

import pytest

from automtl.search.strategies import StrategyName, make_strategy
from automtl.search.strategies.base import Observation, Rung, SearchSpace, Strategy
from automtl.search.strategies.grid import MAX_LEVELS, levels
from automtl.spec.domains import Choice, Domain, FloatRange, IntRange, contains

SPACE = SearchSpace(
    domains={
        "family": Choice(("plain", "experts")),
        "experts.count": IntRange(2, 8),
        "dims": Choice(((64,), (128, 64), ())),
        "width": Choice((16, 4, 8)),
        "lr": FloatRange(1e-4, 1e-2, True),
    },
    needs={"experts.count": ("family", ("experts",))},
)
NUM_STARTUP = 6
NAMES = get_args(StrategyName)
LEARNING = [name for name in NAMES if name not in ("random", "grid")]


def strategy(name: StrategyName, *, seed: int = 0, space: SearchSpace = SPACE) -> Strategy:
    return make_strategy(name, space, seed=seed, num_startup=NUM_STARTUP, num_objectives=2)


def drawn(choose: Any, pins: Mapping[str, Any] = {}, space: SearchSpace = SPACE) -> dict[str, Any]:
    """The params of one draw, asked for as a search asks."""
    params: dict[str, Any] = {}
    for name, domain in space.domains.items():
        if space.is_active(name, params):
            params[name] = pins[name] if name in pins else choose(name, domain)
    return params


def first(
    one: Strategy, history: Sequence[Observation], pins: Mapping[str, Any] = {}
) -> dict[str, Any]:
    return drawn(next(one.draws(history, number=len(history), pins=pins)), pins)


def losses(params: Mapping[str, Any]) -> tuple[float, float]:
    """Many experts are good for the one and bad for the other; both want a width of 8."""
    count = params.get("experts.count", 1)
    miss = abs(params["width"] - 8)
    return miss - count, miss + count


def trials(count: int, seed: int = 1) -> list[Observation]:
    """Complete trials by chance."""
    found: list[Observation] = []
    for number in range(count):
        params = first(strategy("random", seed=seed), found)
        found.append(
            Observation(number=number, state="complete", params=params, losses=losses(params))
        )
    return found


def running(one: Observation) -> Observation:
    return dataclasses.replace(one, state="running", losses=None)


@pytest.mark.parametrize("name", NAMES)
def test_draws_are_a_function_of_history_number_and_seed(name: StrategyName) -> None:
    history = trials(14)
    stepwise = strategy(name)
    for end in (0, 7, 13):  # as a search that was not interrupted asks
        first(stepwise, history[:end])
    assert first(stepwise, history) == first(strategy(name), history)
    other = [first(strategy(name, seed=seed), history) for seed in range(2, 6)]
    assert (first(strategy(name), history) in other) == (name == "grid")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("state", ["complete", "pruned", "running", "failed"])
def test_any_state_may_be_in_a_history(name: StrategyName, state: Any) -> None:
    history = trials(12)
    history[9] = dataclasses.replace(
        history[9],
        state=state,
        losses=history[9].losses if state == "complete" else None,
        violations={"params": 3.0},
        rungs=(Rung(share=1 / 3, losses=(0.0, 0.0)),) if state == "pruned" else (),
    )
    params = first(strategy(name), history)
    assert all(contains(SPACE.domains[knob], value) for knob, value in params.items())


@pytest.mark.parametrize("name", LEARNING)
def test_a_failed_trial_teaches_nothing(name: StrategyName) -> None:
    """But its place is taken: that is the sampler's business."""
    history = trials(14)
    failed = dataclasses.replace(history[5], state="failed", losses=None)
    other = dataclasses.replace(failed, params=history[6].params)
    assert first(strategy(name), [*history[:5], failed, *history[6:]]) == first(
        strategy(name), [*history[:5], other, *history[6:]]
    )


@pytest.mark.parametrize("name", LEARNING)
def test_results_count_once_enough_trials_have_ended(name: StrategyName) -> None:
    history = trials(24)
    turned = [
        dataclasses.replace(one, losses=tuple(-loss for loss in one.losses or ()))
        for one in history
    ]
    for end in (NUM_STARTUP - 1, 24):
        pairs = [
            [drawn(choose) for choose in itertools.islice(draws, 8)]
            for draws in (
                strategy(name).draws(seen[:end], number=end, pins={}) for seen in (history, turned)
            )
        ]
        assert (pairs[0] != pairs[1]) == (end == 24)


@pytest.mark.parametrize("name", NAMES)
def test_pins_are_not_asked_for_and_decide_what_is(name: StrategyName) -> None:
    history = trials(14)
    for family in ("plain", "experts"):
        params = first(strategy(name), history, pins={"family": family, "lr": 1e-3})
        assert (params["family"], params["lr"]) == (family, 1e-3)
        assert ("experts.count" in params) == (family == "experts")


@pytest.mark.parametrize("name", LEARNING)
def test_learning_finds_what_is_good(name: StrategyName) -> None:
    history: list[Observation] = []
    one = strategy(name)
    for number in range(30):
        params = first(one, history)
        history.append(
            Observation(number=number, state="complete", params=params, losses=losses(params))
        )
    hits = sum(trial.params["width"] == 8 for trial in history[-16:])
    assert hits > 8, "chance would be 5"


def test_a_grid_holds_every_combination_once() -> None:
    finite = SearchSpace(
        domains={k: d for k, d in SPACE.domains.items() if k != "lr"}, needs=SPACE.needs
    )
    found = _all(strategy("grid", space=finite).draws((), number=5, pins={}), finite)
    count = 3 * 3 * (1 + len(levels(SPACE.domains["experts.count"])))
    assert len(found) == len({repr(params) for params in found}) == count


def test_a_grid_goes_on_where_others_have_been() -> None:
    finite = SearchSpace(domains={"a": Choice((1, 2, 3)), "b": Choice(("x", "y"))})
    tried = [Observation(number=0, state="failed", params={"a": 2, "b": "y"})]
    found = _all(strategy("grid", space=finite).draws(tried, number=1, pins={}), finite)
    assert len(found) == 5
    assert {"a": 2, "b": "y"} not in found


def test_a_grid_spreads_from_the_start() -> None:
    draws = strategy("grid").draws((), number=0, pins={})
    some = [drawn(choose) for choose in itertools.islice(draws, 12)]
    assert {params["family"] for params in some} == {"plain", "experts"}
    assert {params["width"] for params in some} == {4, 8, 16}
    assert len({params["lr"] for params in some}) >= 4


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        (Choice(("b", "a")), ["b", "a"]),
        (IntRange(2, 5), [2, 3, 4, 5]),
        (IntRange(1, 101), [1, 26, 51, 76, 101]),
        (IntRange(1, 256, True), [1, 2, 11, 54, 256]),
        (FloatRange(0.0, 1.0), [0.0, 0.25, 0.5, 0.75, 1.0]),
    ],
)
def test_ranges_of_a_grid_are_cut_on_their_scale(domain: Domain, expected: list[Any]) -> None:
    assert levels(domain) == expected
    assert len(expected) <= MAX_LEVELS


def _all(draws: Iterator[Any], space: SearchSpace) -> list[dict[str, Any]]:
    return [drawn(choose, space=space) for choose in draws]
