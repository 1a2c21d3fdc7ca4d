"""Losses, fronts, hypervolume and the knee, on points that one can check by hand."""

from __future__ import annotations

import numpy as np
import pytest

from automtl import pareto
from automtl.config import Objective

AUC = Objective(name="click.auc", task="click", metric="auc", direction="maximize")
LOGLOSS = Objective(name="click.logloss", task="click", metric="logloss", direction="minimize")
PARAMS = Objective(name="params", task=None, metric="params", direction="minimize")

STAIRS = np.array([[0.0, 3.0], [1.0, 1.0], [3.0, 0.0]])  # a front
BEHIND = np.array([[1.0, 4.0], [2.0, 1.0]])  # points that it dominates


def test_losses_turn_what_is_maximized_and_count_costs_in_powers_of_ten() -> None:
    losses = pareto.to_losses([[0.7, 0.3, 1e6], [0.8, 0.2, 0.0]], [AUC, LOGLOSS, PARAMS])
    assert losses.tolist() == [[-0.7, 0.3, 6.0], [-0.8, 0.2, 0.0]]


def test_a_latency_counts_below_a_millisecond_too() -> None:
    latency = Objective(name="latency_ms", task=None, metric="latency_ms", direction="minimize")
    losses = pareto.to_losses([[10.0], [0.5], [0.05], [0.0]], [latency])
    np.testing.assert_allclose(losses[:, 0], [1.0, np.log10(0.5), np.log10(0.05), -3.0])


def test_losses_of_no_points_have_a_column_an_objective() -> None:
    assert pareto.to_losses([], [AUC, PARAMS]).shape == (0, 2)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_losses_refuse_what_is_not_finite(value: float) -> None:
    with pytest.raises(ValueError, match="NaN or infinite"):
        pareto.to_losses([[value]], [AUC])


def test_dominance_needs_one_strict_improvement() -> None:
    assert pareto.dominates([0.0, 1.0], [0.0, 2.0])
    assert not pareto.dominates([0.0, 1.0], [0.0, 1.0])
    assert not pareto.dominates([0.0, 1.0], [1.0, 0.0])


def test_front_keeps_who_is_not_dominated() -> None:
    losses = np.vstack([STAIRS, BEHIND])
    assert pareto.pareto_front(losses).tolist() == [True, True, True, False, False]


def test_equal_points_stand_on_the_front_together() -> None:
    assert pareto.pareto_front(np.array([[1.0, 2.0], [1.0, 2.0], [2.0, 2.0]])).tolist() == [
        True,
        True,
        False,
    ]


def test_front_of_nothing_is_nothing() -> None:
    assert pareto.pareto_front(np.zeros((0, 3))).tolist() == []


def test_reference_point_is_the_nadir_of_the_front_and_a_tenth_of_its_range() -> None:
    losses = np.vstack([STAIRS, [[50.0, 50.0]]])  # who is dominated does not move it
    assert pareto.reference_point(losses) == pytest.approx([3.3, 3.3])


def test_reference_point_of_one_point_leaves_it_some_volume() -> None:
    ref = pareto.reference_point(np.array([[2.0, 5.0]]))
    assert ref == pytest.approx([2.1, 5.1])


def test_reference_point_takes_the_range_of_all_points_where_the_front_has_none() -> None:
    losses = np.array([[0.0, 0.0], [4.0, 2.0]])
    assert pareto.reference_point(losses) == pytest.approx([0.4, 0.2])


def test_reference_point_needs_a_point() -> None:
    with pytest.raises(ValueError, match="without a point"):
        pareto.reference_point(np.zeros((0, 2)))


def test_hypervolume_is_the_area_of_the_stairs() -> None:
    # columns of width 1, 2 and 1 below the reference point (4, 4): 1·1 + 2·3 + 1·4
    assert pareto.hypervolume(STAIRS, np.array([4.0, 4.0])) == pytest.approx(11.0)


def test_points_beyond_the_reference_point_add_nothing() -> None:
    ref = np.array([4.0, 4.0])
    beyond = np.array([[-100.0, 4.5]])
    assert pareto.hypervolume(np.vstack([STAIRS, beyond]), ref) == pytest.approx(11.0)
    assert pareto.hypervolume(beyond, ref) == 0.0
    assert pareto.hypervolume(np.zeros((0, 2)), ref) == 0.0


def test_trace_grows_only_where_the_front_moves() -> None:
    losses = np.array([[1.0, 1.0], [2.0, 1.0], [0.0, 3.0], [0.0, 3.0], [3.0, 0.0]])
    trace = pareto.hypervolume_trace(losses, np.array([4.0, 4.0]))
    assert trace == pytest.approx([9.0, 9.0, 10.0, 10.0, 11.0])


def test_knee_of_a_bulging_front_is_the_bulge() -> None:
    assert pareto.knee(STAIRS) == 1


def test_knee_may_be_an_end_that_is_nearly_best_everywhere() -> None:
    assert pareto.knee(np.array([[0.5, 0.01], [0.0, 0.1], [1.0, 0.0], [-0.01, 1.0]])) == 1


def test_knee_in_three_dimensions() -> None:
    corners = np.eye(3)
    centre = np.full((1, 3), 0.2)
    assert pareto.knee(np.vstack([corners, centre])) == 3


def test_knee_of_one_point_is_it() -> None:
    assert pareto.knee(np.array([[3.0, 1.0]])) == 0


def test_knee_of_two_points_has_the_smaller_scaled_sum_and_ties_go_to_the_first() -> None:
    assert pareto.knee(np.array([[0.0, 0.0, 9.0], [1.0, 2.0, 0.0]])) == 0
    assert pareto.knee(np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 9.0]])) == 1
    assert pareto.knee(np.array([[5.0, 0.0], [0.0, 7.0]])) == 0


def test_knee_may_stand_twice_on_the_front() -> None:
    assert pareto.knee(np.vstack([STAIRS, STAIRS])) == 1


def test_knee_needs_a_point() -> None:
    with pytest.raises(ValueError, match="without a point"):
        pareto.knee(np.zeros((0, 2)))
