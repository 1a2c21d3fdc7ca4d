"""The parts of `gp`, each against a slow or a known truth."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from unit.search.test_strategies import SPACE, drawn, first, running, strategy, trials

from automtl import pareto
from automtl.search.strategies import process
from automtl.search.strategies.base import Known, Observation, Rung, SearchSpace, Told
from automtl.search.strategies.dataset import MAX_POINTS, learnable, prefix
from automtl.search.strategies.improvement import MAX_BOXES, boxes, expected_improvement
from automtl.search.strategies.points import Points
from automtl.search.strategies.unit import place, snap, value_at
from automtl.spec.domains import Choice, FloatRange, IntRange


def points(**pins: Any) -> Points:
    return Points(SPACE, pins, {})


# ---- points ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "domain",
    [IntRange(2, 8), IntRange(1, 64, True), Choice((16, 4, 8)), Choice(("a", (1, 2), "c"))],
)
def test_every_value_owns_a_part_of_the_interval(domain: Any) -> None:
    units_N = np.linspace(0, 1, 501)
    values = [value_at(domain, unit) for unit in units_N.tolist()]
    places = [place(domain, value) for value in values]
    np.testing.assert_allclose(snap(domain, units_N), places, atol=1e-12)
    assert places == sorted(places)
    assert [value_at(domain, unit) for unit in places] == values


def test_inactive_knobs_make_no_difference() -> None:
    """A trial holds only what it was asked for; the rest lies in the middle of its domain."""
    plain = {"family": "plain", "dims": (64,), "width": 8, "lr": 1e-3}
    tried = points().of([Observation(number=0, state="running", params=plain)])
    candidates = np.repeat(tried, 3, axis=0)
    candidates[:, points().names.index("experts.count")] = (0.1, 0.5, 0.9)
    np.testing.assert_allclose(points().canonical(candidates), np.repeat(tried, 3, axis=0))


def test_options_without_an_order_are_equally_far() -> None:
    units = np.full((3, 5), 0.5)
    units[:, points().names.index("dims")] = (1 / 6, 3 / 6, 5 / 6)
    rows = points().embedded(units)
    distances = np.square(rows[:, None] - rows[None, :]).sum(-1)
    np.testing.assert_allclose(distances, 1 - np.eye(3), atol=1e-12)


def test_pins_stand_still() -> None:
    random = np.random.default_rng(0)
    units = points(family="plain", lr=1e-3).snapped(random.random((20, 5)))
    found = [points().values(row) for row in units]
    assert {one["family"] for one in found} == {"plain"}
    assert all(math.isclose(one["lr"], 1e-3) for one in found)


# ---- processes -------------------------------------------------------------------------------


def test_a_process_interpolates_and_knows_what_it_does_not_know() -> None:
    x_N1 = np.linspace(0, 1, 12)[:, None]
    target_1N = np.sin(6 * x_N1).T
    target_1N = (target_1N - target_1N.mean()) / target_1N.std()
    knob_1 = np.zeros(1, dtype=int)
    hyper = process.fit(x_N1, knob_1, target_1N)
    model = process.condition(hyper, x_N1, knob_1, target_1N)
    mean_1N, std_1N = model(x_N1)
    np.testing.assert_allclose(mean_1N, target_1N, atol=0.05)
    _, far = model(np.array([[3.0]]))
    assert far.item() > 5 * std_1N.max().item()


def test_what_matters_has_a_shorter_length() -> None:
    random = np.random.default_rng(0)
    x_N2 = random.random((40, 2))
    target_1N = (np.sin(7 * x_N2[:, :1]).T - 0.1) / 0.7
    hyper = process.fit(x_N2, np.array([0, 1]), target_1N)
    assert hyper.log_weight_MD[0, 0] > hyper.log_weight_MD[0, 1] + 2


def matern(one: Sequence[float], other: Sequence[float], weight_D: Sequence[float]) -> float:
    """Matérn 5/2 of two points with a column a knob."""
    r = math.sqrt(5 * sum(w * (a - b) ** 2 for w, a, b in zip(weight_D, one, other, strict=True)))
    return (1 + r + r * r / 3) * math.exp(-r)


def covariances(
    rows: Sequence[Sequence[float]], weight_D: Sequence[float], scale: float, noise: float
) -> np.ndarray:
    """Of the noisy targets, plainly."""
    plain = [[scale * matern(a, b, weight_D) for b in rows] for a in rows]
    return np.array(plain) + noise * np.eye(len(rows))


def drawn_process(seed: int) -> tuple[np.ndarray, np.ndarray, process.Hyper]:
    random = np.random.default_rng(seed)
    hyper = process.Hyper(
        log_weight_MD=random.normal(0.0, 1.0, (2, 3)),
        log_scale_M=random.normal(0.0, 0.5, 2),
        log_noise_M=random.normal(-4.0, 1.0, 2),
    )
    return random.random((9, 3)), random.standard_normal((2, 9)), hyper


KNOBS = np.arange(3)


@pytest.mark.parametrize("seed", range(5))
def test_a_posterior_is_what_the_textbook_says(seed: int) -> None:
    """Rasmussen and Williams 2006, (2.25) and (2.26), by plain loops and an explicit inverse."""
    rows_NE, target_MN, hyper = drawn_process(seed)
    asked_CE = np.random.default_rng(seed + 100).random((4, 3))
    mean_MC, std_MC = process.condition(hyper, rows_NE, KNOBS, target_MN)(asked_CE)
    for m in range(2):
        weight_D, scale = np.exp(hyper.log_weight_MD[m]).tolist(), math.exp(hyper.log_scale_M[m])
        noise = math.exp(hyper.log_noise_M[m]) + process.MIN_NOISE
        inverse_NN = np.linalg.inv(covariances(rows_NE.tolist(), weight_D, scale, noise))
        for c, asked in enumerate(asked_CE.tolist()):
            cov_N = np.array([scale * matern(asked, row, weight_D) for row in rows_NE.tolist()])
            assert math.isclose(mean_MC[m, c], cov_N @ inverse_NN @ target_MN[m], abs_tol=1e-8)
            assert math.isclose(std_MC[m, c] ** 2, scale - cov_N @ inverse_NN @ cov_N, abs_tol=1e-8)


def test_more_points_change_a_posterior_as_if_all_had_been_there_at_once() -> None:
    rows_NE, target_MN, hyper = drawn_process(0)
    asked_CE = np.random.default_rng(7).random((4, 3))
    some = process.condition(hyper, rows_NE[:5], KNOBS, target_MN[:, :5])
    later = some.given(rows_NE[5:], target_MN[:, 5:])
    at_once = process.condition(hyper, rows_NE, KNOBS, target_MN)
    np.testing.assert_allclose(later(asked_CE), at_once(asked_CE))


@pytest.mark.parametrize("seed", range(3))
def test_a_fit_climbs_to_where_the_posterior_of_its_parameters_is_level(seed: int) -> None:
    """By differences of the plain logarithm of the marginal likelihood and of the priors."""
    rows_NE, target_MN, _ = drawn_process(seed)
    target_N = (target_MN[0] - target_MN[0].mean()) / target_MN[0].std()
    hyper = process.fit(rows_NE, KNOBS, target_N[None])
    found_T = np.array([*hyper.log_weight_MD[0], hyper.log_scale_M[0], hyper.log_noise_M[0]])
    middle = -2 * (math.sqrt(2.0) + math.log(3) / 2)
    mean_T = np.array([middle] * 3 + [process.SCALE[0], process.NOISE[0]])
    spread_T = np.array([2 * process.LENGTH_SPREAD] * 3 + [process.SCALE[1], process.NOISE[1]])

    def log_density(theta_T: np.ndarray) -> float:
        noise = math.exp(theta_T[4]) + process.MIN_NOISE
        weight_D, scale = np.exp(theta_T[:3]).tolist(), math.exp(theta_T[3])
        cov_NN = covariances(rows_NE.tolist(), weight_D, scale, noise)
        fit = target_N @ np.linalg.inv(cov_NN) @ target_N
        prior = np.square((theta_T - mean_T) / spread_T).sum()
        return -0.5 * float(fit + np.linalg.slogdet(cov_NN)[1] + prior)

    for step_T in 0.05 * np.eye(5):
        assert log_density(found_T) >= log_density(found_T + step_T) - 1e-3
        assert log_density(found_T) >= log_density(found_T - step_T) - 1e-3


# ---- improvement -----------------------------------------------------------------------------


@pytest.mark.parametrize("num_objectives", [1, 2, 3, 4])
def test_boxes_tile_what_is_not_dominated(num_objectives: int) -> None:
    random = np.random.default_rng(num_objectives)
    front_FM = random.random((8, num_objectives))
    ref_M = np.ones(num_objectives)
    low_KM, high_KM = boxes(front_FM, ref_M)
    inside_KM = np.clip(low_KM, 0.0, None)
    volume = np.prod(np.clip(high_KM - inside_KM, 0.0, None), axis=1).sum()
    assert math.isclose(volume, 1 - pareto.hypervolume(front_FM, ref_M), rel_tol=1e-9)


@pytest.mark.parametrize("num_objectives", [1, 2, 3])
def test_expected_improvement_is_the_mean_gain_of_hypervolume(num_objectives: int) -> None:
    random = np.random.default_rng(num_objectives)
    front_FM = random.random((5, num_objectives))
    ref_M = np.full(num_objectives, 1.1)
    mean_M = np.full(num_objectives, 0.4)
    drawn_SM = mean_M + 0.2 * random.standard_normal((4_000, num_objectives))
    before = pareto.hypervolume(front_FM, ref_M)
    gains = [pareto.hypervolume(np.vstack([front_FM, y]), ref_M) - before for y in drawn_SM]
    mean_MC = mean_M[:, None]
    low_KM, high_KM = boxes(front_FM, ref_M)
    exact = expected_improvement(mean_MC, np.full_like(mean_MC, 0.2), low_KM, high_KM)
    error = np.std(gains) / math.sqrt(len(gains))
    assert abs(exact.item() - np.mean(gains)) < 4 * error


def test_a_long_front_is_thinned_out() -> None:
    angle_F = np.linspace(0.01, 1.56, 900)
    front_F2 = 1 - np.stack([np.cos(angle_F), np.sin(angle_F)], axis=1)
    low_KM, _ = boxes(front_F2, np.full(2, 1.2))
    assert 0 < len(low_KM) <= MAX_BOXES


# ---- what it learns from ---------------------------------------------------------------------


RUNGS = (Rung(share=1 / 9, losses=(2.0, 2.0)), Rung(share=1 / 3, losses=(1.0, 2.0)))


@pytest.mark.parametrize(
    ("ended", "seen"),
    [
        ({"state": "pruned"}, [(1 / 9, 2.0, 2.0), (1 / 3, 1.0, 2.0)]),
        (
            {"state": "complete", "losses": (0.5, 1.0)},  # and says how far a rung is from the end
            [(1 / 9, 0.5, 1.0), (1 / 3, 0.5, 1.0), (1.0, 0.5, 1.0)],
        ),
        ({"state": "failed"}, []),
        ({"state": "running"}, []),
    ],
)
def test_ended_trials_count_with_all_that_was_seen_of_them(
    ended: dict[str, Any], seen: list[tuple[float, ...]]
) -> None:
    one = Observation(number=5, params=trials(1)[0].params, rungs=RUNGS, **ended)
    data = learnable([*trials(5), one])
    of_it = [n for n, trial in enumerate(data.trials) if trial is one]
    assert data.share_N[of_it].tolist() == [share for share, *_ in seen]
    assert data.losses_NM[of_it].tolist() == [list(losses) for _, *losses in seen]


def at_a_rung(number: int, rung: float, end: float | None, *, size: float = 1.0) -> Observation:
    """One objective that is learnt, and a size; complete if it has an end."""
    return Observation(
        number=number,
        params={"lr": number / 100},
        state="pruned" if end is None else "complete",
        losses=None if end is None else (end, size),
        rungs=(Rung(share=1 / 9, losses=(rung, size)),),
    )


def seen_of(history: list[Observation], one: Observation) -> list[float]:
    """What is learnt of its first loss, the earliest first."""
    data = learnable(history)
    return [
        losses_M[0]
        for trial, losses_M in zip(data.trials, data.losses_NM.tolist(), strict=True)
        if trial is one
    ]


ENDS = (0.10, 0.11, 0.12, 0.14, 0.18)


def test_losses_at_a_rung_are_levelled_with_those_at_the_end() -> None:
    """Early in a training losses are larger, and differ ten times as much between trials."""
    complete = [at_a_rung(n, 10 * end + 3, end, size=n) for n, end in enumerate(ENDS)]
    stopped = at_a_rung(9, 10 * 0.13 + 3, None, size=7.0)
    history = [*complete, stopped]
    np.testing.assert_allclose(seen_of(history, stopped), [0.13])
    for one, end in zip(complete, ENDS, strict=True):
        np.testing.assert_allclose(seen_of(history, one), [end, end])
    data = learnable(history)
    sizes = [one.rungs[0].losses[1] for one in data.trials]
    np.testing.assert_allclose(data.losses_NM[:, 1], sizes, err_msg="a size is no matter of time")


@pytest.mark.parametrize("num_complete", [1, 2])
def test_few_ends_tell_where_they_lie_but_not_how_far_apart(num_complete: int) -> None:
    complete = [at_a_rung(n, 10 * end + 3, end) for n, end in enumerate(ENDS[:num_complete])]
    stopped = [at_a_rung(9, 5.0, None), at_a_rung(10, 5.5, None)]
    middle = float(np.median(ENDS[:num_complete]))
    (first,), (second,) = (seen_of([*complete, *stopped], one) for one in stopped)
    assert math.isclose(second - first, 0.5)
    assert math.isclose(first, middle + 5.0 - (10 * middle + 3))


def test_differences_that_grow_until_the_end_are_left_as_they_are() -> None:
    complete = [at_a_rung(n, end / 10, end) for n, end in enumerate(ENDS)]
    stopped = at_a_rung(9, 0.013, None)
    (seen,) = seen_of([*complete, stopped], stopped)
    assert math.isclose(seen, 0.12 + (0.013 - 0.012))


def test_a_training_that_goes_astray_moves_no_rung() -> None:
    complete = [at_a_rung(n, 10 * end + 3, end) for n, end in enumerate(ENDS)]
    astray = at_a_rung(5, 1e9, 1e12)
    stopped = at_a_rung(9, 10 * 0.13 + 3, None)
    (alone,) = seen_of([*complete, stopped], stopped)
    (beside,) = seen_of([*complete, astray, stopped], stopped)
    assert abs(beside - alone) < 0.03


def test_before_the_first_end_rungs_count_as_they_are() -> None:
    stopped = [at_a_rung(n, 10 * end + 3, None) for n, end in enumerate(ENDS)]
    assert [seen_of(stopped, one) for one in stopped] == [[10 * end + 3] for end in ENDS]


def test_what_trials_had_on_their_way_says_what_stopped_ones_would_have_come_to() -> None:
    """A loss at the rung is twice that at the end and one more; the stopped trials were the
    best by far at theirs, and no complete one has had such a rate."""
    domain = FloatRange(0.0, 1.0)

    def trial(number: int, lr: float, **ended: Any) -> Observation:
        rung = Rung(share=1 / 9, losses=(2 * (lr - 0.9) ** 2 + 1,))
        return Observation(number=number, params={"lr": lr}, rungs=(rung,), **ended)

    rates = (0.05, 0.15, 0.25, 0.35, 0.45, 0.55)
    complete = [
        trial(n, lr, state="complete", losses=((lr - 0.9) ** 2,)) for n, lr in enumerate(rates)
    ]
    stopped = [trial(n, lr, state="pruned") for n, lr in enumerate((0.7, 0.8, 0.99), start=6)]
    space = SearchSpace(domains={"lr": domain})
    choose = next(strategy("gp", space=space).draws([*complete, *stopped], number=9, pins={}))
    assert abs(choose("lr", domain) - 0.9) < 0.1


def test_a_trial_stopped_before_its_first_rung_teaches_nothing() -> None:
    stopped = Observation(number=5, state="pruned", params=trials(1)[0].params)
    assert stopped not in learnable([*trials(5), stopped]).trials


def test_a_training_that_went_astray_does_not_hide_the_others() -> None:
    history = trials(20)
    astray = dataclasses.replace(history[3], losses=(1e9, 0.0))
    data = learnable([*history[:3], astray, *history[4:]])
    others = [loss for i, loss in enumerate(data.losses_NM[:, 0].tolist()) if i != 3]
    assert max(others) <= data.losses_NM[3, 0] < max(others) + 10 * np.ptp(others)


def test_of_many_trials_the_best_stay() -> None:
    history = trials(MAX_POINTS + 60)
    front = pareto.pareto_front(np.array([one.losses for one in history]))
    data = learnable(history)
    assert len(data.trials) == MAX_POINTS
    distinct = {one.losses for one, leads in zip(history, front, strict=True) if leads}
    assert distinct <= {one.losses for one in data.trials}


def test_fits_follow_from_a_prefix_that_grows_by_a_tenth() -> None:
    history = trials(60)
    lengths = [len(prefix(history[:count])) for count in range(10, 61)]
    assert lengths == sorted(lengths)
    assert len(set(lengths)) < 25
    assert all(length > 0.88 * count for count, length in enumerate(lengths, start=10))


def test_a_running_trial_keeps_others_away() -> None:
    history = trials(14)
    one = first(strategy("gp"), history)
    waiting = running(Observation(number=14, state="complete", params=one))
    draws = strategy("gp").draws([*history, waiting], number=14, pins={})
    assert drawn(next(draws)) != one


def test_what_breaks_a_constraint_is_avoided() -> None:
    """Many experts are good in one objective, but more than four are not feasible."""
    history = [
        dataclasses.replace(one, violations={"size": one.params.get("experts.count", 1) - 4.0})
        for one in trials(30)
    ]
    found = [
        drawn(next(strategy("gp", seed=seed).draws(history, number=30 + seed % 2, pins={})))
        for seed in range(6)
    ]
    assert all(params.get("experts.count", 1) <= 5 for params in found)


def test_one_knob_and_one_objective_will_do() -> None:
    space = SearchSpace(domains={"lr": FloatRange(0.0, 1.0)})
    history = [
        Observation(number=i, state="complete", params={"lr": x}, losses=((x - 0.3) ** 2,))
        for i, x in enumerate((0.0, 0.2, 0.5, 0.7, 0.9, 1.0, 0.1))
    ]
    choose = next(strategy("gp", space=space).draws(history, number=7, pins={}))
    assert abs(choose("lr", space.domains["lr"]) - 0.3) < 0.1


# ---- what need not be learnt -----------------------------------------------------------------

SIZES = {option: float((option * 7) % 16) for option in range(16)}  # no order that a process sees
SIZED = SearchSpace(
    domains={"lr": FloatRange(0.0, 1.0), "shape": Choice(tuple(f"s{n}" for n in range(16)))}
)


def size_of(params: Mapping[str, Any]) -> float:
    return SIZES[int(params["shape"][1:])]


def sized(count: int) -> list[Observation]:
    """Trials of a loss that follows from the rate, and of a size that follows from the shape."""
    found: list[Observation] = []
    for number in range(count):
        draws = strategy("random", space=SIZED, seed=3).draws(found, number=number, pins={})
        params = drawn(next(draws), space=SIZED)
        seen = ((params["lr"] - 0.5) ** 2, size_of(params))
        found.append(Observation(number=number, state="complete", params=params, losses=seen))
    return found


def test_a_size_that_the_knobs_tell_is_known_where_nothing_was_tried() -> None:
    asked: list[str] = []

    def tell(params: Mapping[str, Any]) -> Told:
        asked.append(params["shape"])
        return Told(losses=(size_of(params),), effort=1.0)

    history = sized(8)
    smallest = next(shape for shape in SIZED.domains["shape"].options if not SIZES[int(shape[1:])])
    assert smallest not in [one.params["shape"] for one in history]
    known = Known(objectives=(1,), knobs=("shape",), tell=tell)
    space = dataclasses.replace(SIZED, known=known)
    choose = next(strategy("gp", space=space).draws(history, number=9, pins={}))
    assert choose("shape", space.domains["shape"]) == smallest
    assert len(asked) == len(set(asked)) <= 16, "the rate does not enter it"


def test_pins_enter_what_is_known() -> None:
    """A reference's family may be one that the space does not name."""
    asked: list[Any] = []

    def tell(params: Mapping[str, Any]) -> Told:
        asked.append(params["shape"])
        return Told(losses=(0.0,), effort=1.0)

    space = dataclasses.replace(SIZED, known=Known(objectives=(1,), knobs=("shape",), tell=tell))
    one = strategy("gp", space=space)
    next(one.draws(sized(8), number=9, pins={"shape": "another"}))
    assert set(asked) == {"another"}
    next(one.draws(sized(8), number=9, pins={}))
    assert set(asked) > {"another"}


def test_nothing_need_be_learnt() -> None:
    def tell(params: Mapping[str, Any]) -> Told:
        return Told(losses=(params["lr"], size_of(params)), effort=1.0)

    known = Known(objectives=(0, 1), knobs=("shape", "lr"), tell=tell)
    space = dataclasses.replace(SIZED, known=known)
    choose = next(strategy("gp", space=space).draws(sized(8), number=9, pins={}))
    assert choose("lr", space.domains["lr"]) < 0.1


def test_of_equal_gains_the_one_of_less_effort_comes_first() -> None:
    """Shapes make no difference to the losses here, but in what training them takes."""
    history = [dataclasses.replace(one, losses=(one.losses or (0.0,))[:1]) for one in sized(12)]

    def tell(params: Mapping[str, Any]) -> Told:
        return Told(losses=(), effort=1.0 if params["shape"] == "s11" else 1000.0)

    space = dataclasses.replace(SIZED, known=Known(objectives=(), knobs=("shape",), tell=tell))
    choose = next(strategy("gp", space=space).draws(history, number=13, pins={}))
    assert choose("shape", space.domains["shape"]) == "s11"
