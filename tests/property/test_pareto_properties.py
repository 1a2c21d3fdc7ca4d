"""What holds for every set of points, against loops that one can read."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automtl import pareto

Floats = npt.NDArray[np.float64]


@st.composite
def points(draw: st.DrawFn, *, min_size: int = 1, max_size: int = 12) -> Floats:
    """Few distinct coordinates, so that ties and equal points are common."""
    num_objectives = draw(st.integers(1, 4))
    row = st.lists(st.integers(0, 6), min_size=num_objectives, max_size=num_objectives)
    rows = draw(st.lists(row, min_size=min_size, max_size=max_size))
    return np.array(rows, dtype=np.float64).reshape(-1, num_objectives)


def front_by_loops(losses: Floats) -> list[bool]:
    return [
        not any(
            all(other[m] <= mine[m] for m in range(len(mine)))
            and any(other[m] < mine[m] for m in range(len(mine)))
            for other in losses
        )
        for mine in losses
    ]


def volume_by_cells(losses: Floats, ref: Floats) -> float:
    """Counts unit cells below the reference point that a point dominates; integer points only."""
    cells = np.stack(np.meshgrid(*[np.arange(0, r) for r in ref], indexing="ij"), axis=-1)
    covered = np.zeros(cells.shape[:-1], dtype=bool)
    for point in losses:
        covered |= (cells >= point).all(axis=-1)
    return float(covered.sum())


@given(points(min_size=0))
def test_front_is_who_no_loop_finds_dominated(losses: Floats) -> None:
    assert pareto.pareto_front(losses).tolist() == front_by_loops(losses)


@given(points(), st.randoms(use_true_random=False))
def test_front_does_not_depend_on_the_order(losses: Floats, random: Any) -> None:
    order = random.sample(range(len(losses)), len(losses))
    assert pareto.pareto_front(losses[order]).tolist() == [
        bool(pareto.pareto_front(losses)[i]) for i in order
    ]


@given(points())
def test_every_point_is_on_the_front_or_dominated_by_a_member(losses: Floats) -> None:
    front = pareto.pareto_front(losses)
    for on_front, mine in zip(front, losses, strict=True):
        assert on_front != any(pareto.dominates(member, mine) for member in losses[front])


@given(points(max_size=6))
def test_hypervolume_counts_dominated_cells(losses: Floats) -> None:
    ref = np.full(losses.shape[1], 7.0)
    assert pareto.hypervolume(losses, ref) == pytest.approx(volume_by_cells(losses, ref))


@given(points())
def test_trace_never_falls_and_ends_at_the_hypervolume_of_all(losses: Floats) -> None:
    ref = pareto.reference_point(losses)
    trace = pareto.hypervolume_trace(losses, ref)
    assert (np.diff(trace) >= 0).all()
    assert trace[-1] == pytest.approx(pareto.hypervolume(losses, ref))


@given(points())
def test_trace_of_a_prefix_is_the_prefix_of_the_trace(losses: Floats) -> None:
    ref = pareto.reference_point(losses)  # fixed: the study's, not the prefix's
    whole = pareto.hypervolume_trace(losses, ref)
    half = len(losses) // 2
    assert pareto.hypervolume_trace(losses[:half], ref) == pytest.approx(whole[:half])


@given(points())
def test_reference_point_is_beyond_every_member_of_the_front(losses: Floats) -> None:
    front = losses[pareto.pareto_front(losses)]
    assert (front < pareto.reference_point(losses)).all()
    assert pareto.hypervolume(losses, pareto.reference_point(losses)) > 0


@given(
    points(),
    st.lists(st.sampled_from([0.25, 1.0, 64.0]), min_size=4, max_size=4),
    st.lists(st.integers(-8, 8), min_size=4, max_size=4),
)
def test_knee_does_not_depend_on_units(
    losses: Floats, scale: list[float], shift: list[int]
) -> None:
    front = losses[pareto.pareto_front(losses)]
    num_objectives = front.shape[1]
    knee = pareto.knee(front)
    assert 0 <= knee < len(front)
    assert pareto.knee(front * scale[:num_objectives] + shift[:num_objectives]) == knee


@given(points(), st.randoms(use_true_random=False))
def test_knee_does_not_depend_on_the_order_but_for_ties(losses: Floats, random: Any) -> None:
    front = losses[pareto.pareto_front(losses)]
    order = random.sample(range(len(front)), len(front))
    forwards, shuffled = pareto.knee(front), order[pareto.knee(front[order])]
    if forwards != shuffled:  # then they are of one merit: swapping the two changes the answer
        swap = [forwards, *(i for i in range(len(front)) if i != forwards)]
        assert swap[pareto.knee(front[swap])] == forwards
        swap = [shuffled, *(i for i in range(len(front)) if i != shuffled)]
        assert swap[pareto.knee(front[swap])] == shuffled


@settings(max_examples=30)
@given(points())
def test_knee_is_whom_a_loop_over_users_would_miss_most(losses: Floats) -> None:
    front = np.unique(losses[pareto.pareto_front(losses)], axis=0)
    if front.shape[1] != 2 or len(front) < 3:
        return
    scaled = (front - front.min(axis=0)) / np.ptp(front, axis=0)
    missed = dict.fromkeys(range(len(front)), 0.0)
    for step in range(1500):  # the lattice of two weights
        weight = 0.25 + 0.5 * step / 1499
        costs = sorted((weight * x + (1 - weight) * y, i) for i, (x, y) in enumerate(scaled))
        missed[costs[0][1]] += costs[1][0] - costs[0][0]
    assert missed[pareto.knee(front)] == pytest.approx(max(missed.values()), abs=1e-5)
