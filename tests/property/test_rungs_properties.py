"""The rung decision, on one fixed table: what holds whatever the trials and their losses."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from automtl import pareto
from automtl.search.rungs import judge, ranks


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """losses_NM with many ties, and violation_N with many zeros."""
    num_trials, num_objectives = draw(st.integers(1, 24)), draw(st.integers(1, 4))
    grid = st.integers(0, draw(st.integers(1, 30)))
    losses = draw(
        st.lists(
            st.lists(grid, min_size=num_objectives, max_size=num_objectives),
            min_size=num_trials,
            max_size=num_trials,
        )
    )
    violations = draw(
        st.lists(st.sampled_from([0, 0, 0, 0.5, 2]), min_size=num_trials, max_size=num_trials)
    )
    return np.array(losses, dtype=float), np.array(violations, dtype=float)


def survivors(table: tuple[np.ndarray, np.ndarray], eta: int) -> np.ndarray:
    losses_NM, violation_N = table
    return np.array(
        [judge(losses_NM, violation_N, newcomer=n, eta=eta).goes_on for n in range(len(losses_NM))]
    )


@given(tables(), st.randoms(use_true_random=False))
def test_ranks_do_not_depend_on_the_order_of_arrival(table, random):
    losses_NM, violation_N = table
    order = list(range(len(losses_NM)))
    random.shuffle(order)
    shuffled = ranks(losses_NM[order], violation_N[order])
    assert shuffled.tolist() == ranks(losses_NM, violation_N)[order].tolist()


@given(tables(), st.integers(2, 5))
def test_the_top_of_a_rung_survives(table, eta):
    losses_NM, violation_N = table
    rank_N, survives_N = ranks(losses_NM, violation_N), survivors(table, eta)
    quota = math.ceil(len(rank_N) / eta)
    assert survives_N.tolist() == (rank_N < quota).tolist()
    assert survives_N.sum() >= quota
    everything = np.column_stack([losses_NM, violation_N])
    distinct = len(np.unique(everything[survives_N], axis=0))
    assert distinct <= quota, "more go on only where some are equal in everything"


@given(tables(), st.integers(2, 5))
def test_no_survivor_is_dominated_by_one_that_is_stopped(table, eta):
    losses_NM, violation_N = table
    survives_N = survivors(table, eta)
    for stopped in np.flatnonzero(~survives_N & (violation_N <= 0)):
        for survivor in np.flatnonzero(survives_N):
            assert not pareto.dominates(losses_NM[stopped], losses_NM[survivor])


@given(tables(), st.integers(2, 5))
def test_who_breaks_a_constraint_comes_after_all_who_do_not(table, eta):
    losses_NM, violation_N = table
    rank_N = ranks(losses_NM, violation_N)
    feasible_N = violation_N <= 0
    if feasible_N.any() and not feasible_N.all():
        assert rank_N[feasible_N].max() < rank_N[~feasible_N].min()
        worst = np.argsort(rank_N[~feasible_N], kind="stable")
        assert (np.diff(violation_N[~feasible_N][worst]) >= 0).all(), "the least broken first"


@given(tables(), st.integers(2, 5))
def test_a_newcomer_on_the_front_is_stopped_only_by_better_ones_on_the_front(table, eta):
    """Its layer overflows the quota, and its hypervolume contribution is below the cut."""
    losses_NM, violation_N = table
    feasible_N = violation_N <= 0
    on_front_N = np.zeros(len(losses_NM), dtype=bool)
    on_front_N[feasible_N] = pareto.pareto_front(losses_NM[feasible_N])
    front = np.flatnonzero(on_front_N)
    survives_N = survivors(table, eta)
    quota = math.ceil(len(losses_NM) / eta)
    contribution = dict(zip(front, pareto.contributions(losses_NM[front]), strict=True))
    for newcomer in front[~survives_N[front]]:
        assert len(front) > quota
        cut = sorted((contribution[n] for n in front), reverse=True)[quota - 1]
        assert contribution[newcomer] <= cut


@given(tables())
def test_contributions_are_what_is_lost_without_a_point(table):
    """Against the plain definition: the volume of all points less that without one."""
    losses_NM = np.unique(table[0], axis=0)
    layer_FM = losses_NM[pareto.pareto_front(losses_NM)]
    if len(layer_FM) < 2 or layer_FM.shape[1] < 2:
        return
    ref_M = pareto.reference_point(layer_FM)
    whole = pareto.hypervolume(layer_FM, ref_M)
    lost = [
        whole - pareto.hypervolume(np.delete(layer_FM, f, axis=0), ref_M)
        for f in range(len(layer_FM))
    ]
    np.testing.assert_allclose(pareto.contributions(layer_FM), lost, rtol=1e-9, atol=1e-9 * whole)


@given(tables())
def test_layers_are_fronts_of_what_is_left(table):
    losses_NM = table[0]
    layer_N, left, depth = pareto.layers(losses_NM), np.arange(len(losses_NM)), 0
    while len(left):
        on_front = pareto.pareto_front(losses_NM[left])
        assert (layer_N[left[on_front]] == depth).all()
        left, depth = left[~on_front], depth + 1
