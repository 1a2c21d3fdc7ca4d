"""Means over seeds, their intervals, paired tests and Holm's correction, against plain sums."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score
from support.plain_auc import plain_moves

from automtl.analysis.estimates import Estimate, compare, estimate, holm

NUM_ROWS = 50


def made(num_seeds: int, *, seed: int = 0, lift: float = 1.0):
    """The same rows, groups and shared errors always; another model with another `seed`."""
    rows, own = np.random.default_rng(99), np.random.default_rng(seed)
    groups = rows.integers(0, 10, NUM_ROWS)
    labels = rows.integers(0, 2, NUM_ROWS)
    shared = rows.normal(size=10)[groups] + rows.normal(size=NUM_ROWS)
    scores = lift * labels + shared + 0.5 * own.normal(size=(num_seeds, NUM_ROWS))
    return labels, scores, groups


def estimated(num_seeds: int, **options) -> Estimate:
    labels, scores, groups = made(num_seeds, **options)
    return estimate("auc", labels_J=labels, scores_SJ=scores, groups_J=groups)


def mean_product(first: list[list[float]], second: list[list[float]], *, same: bool) -> float:
    """The mean covariance of a seed of one and a seed of the other; of different ones if `same`."""
    products = [
        sum(x * y for x, y in zip(one, other, strict=True))
        for i, one in enumerate(first)
        for j, other in enumerate(second)
        if not (same and i == j)
    ]
    return sum(products) / len(products)


def welch_satterthwaite(*parts: tuple[float, float]) -> tuple[float, float]:
    variance = sum(part for part, _ in parts)
    return variance, variance**2 / sum(part**2 / degrees for part, degrees in parts)


# ---- one configuration ---------------------------------------------------------------------


def test_an_estimate_is_the_mean_over_seeds_with_students_interval_over_them() -> None:
    labels, scores, _ = made(4)
    found = estimate("auc", labels_J=labels, scores_SJ=scores)
    aucs = [roc_auc_score(labels, column) for column in scores]
    assert found.values == pytest.approx(aucs)
    assert found.mean == pytest.approx(np.mean(aucs))
    assert found.seeds.standard_error == pytest.approx(np.std(aucs, ddof=1) / 2)
    low, high = stats.t.interval(0.95, 3, loc=np.mean(aucs), scale=np.std(aucs, ddof=1) / 2)
    assert (found.seeds.low, found.seeds.high) == pytest.approx((low, high))


def test_the_rows_part_is_that_of_the_mean_of_the_seeds_moves() -> None:
    labels, scores, groups = made(3)
    found = estimated(3)
    moves = np.mean([plain_moves(labels, column, groups) for column in scores], axis=0)
    assert found.rows.standard_error == pytest.approx(math.sqrt(sum(move**2 for move in moves)))
    reach = stats.t.ppf(0.975, found.clusters.degrees) * found.rows.standard_error
    assert found.rows.high == pytest.approx(found.mean + reach)


@pytest.mark.parametrize("num_seeds", [2, 3, 5])
def test_the_total_adds_to_the_seeds_only_what_two_seeds_err_on_alike(num_seeds: int) -> None:
    labels, scores, groups = made(num_seeds)
    found = estimated(num_seeds)
    moves = [plain_moves(labels, column, groups) for column in scores]
    alike = mean_product(moves, moves, same=True)
    assert alike > 0
    variance, degrees = welch_satterthwaite(
        (np.var(found.values, ddof=1) / num_seeds, num_seeds - 1), (alike, found.clusters.degrees)
    )
    assert found.total.standard_error == pytest.approx(math.sqrt(variance))
    reach = stats.t.ppf(0.975, degrees) * math.sqrt(variance)
    assert (found.total.low, found.total.high) == pytest.approx(
        (found.mean - reach, found.mean + reach)
    )


def test_what_seeds_do_not_err_on_alike_never_makes_the_total_shorter_than_the_seeds() -> None:
    rng = np.random.default_rng(3)
    labels = np.array([0, 1, 0, 1, 0, 1])
    opposite = rng.normal(size=6)  # two trainings that err the other way round
    found = estimate("mae", labels_J=labels, scores_SJ=[labels + 0.1, labels * 0.5 + 0.3])
    assert found.total.standard_error >= found.seeds.standard_error
    found = estimate("auc", labels_J=labels, scores_SJ=[opposite, -opposite])
    assert found.rows.standard_error == pytest.approx(0, abs=1e-12)
    assert found.total.standard_error == pytest.approx(found.seeds.standard_error)


def test_seeds_that_are_one_model_add_nothing_to_the_rows() -> None:
    labels, scores, groups = made(1)
    found = estimate("auc", labels_J=labels, scores_SJ=np.repeat(scores, 3, 0), groups_J=groups)
    assert found.seeds.standard_error == 0
    assert found.total == found.rows


@pytest.mark.parametrize("level", [0.5, 0.99])
def test_the_level_decides_how_long_intervals_are(level: float) -> None:
    labels, scores, groups = made(3)
    found = estimate("auc", labels_J=labels, scores_SJ=scores, groups_J=groups, level=level)
    reach = stats.t.ppf(0.5 + level / 2, 2) * found.seeds.standard_error
    assert found.seeds.high - found.mean == pytest.approx(reach)


def test_one_seed_leaves_the_total_unknown() -> None:
    found = estimated(1)
    assert (found.seeds, found.total) == (None, None)
    assert found.rows is not None


def test_one_cluster_leaves_rows_and_total_unknown() -> None:
    labels, scores, _ = made(3)
    found = estimate("auc", labels_J=labels, scores_SJ=scores, groups_J=np.zeros(NUM_ROWS))
    assert (found.rows, found.total) == (None, None)
    assert found.seeds is not None
    assert compare(found, found).p_value is None


def test_one_class_has_no_estimate() -> None:
    assert estimate("auc", labels_J=[1, 1], scores_SJ=[[0.1, 0.2]]) is None


# ---- two of them ---------------------------------------------------------------------------


def test_a_comparison_pairs_rows_but_not_seeds() -> None:
    labels, scores_a, groups = made(3, seed=1)
    _, scores_b, _ = made(5, seed=2, lift=0.3)
    first, second = estimated(3, seed=1), estimated(5, seed=2, lift=0.3)
    a, b = ([plain_moves(labels, one, groups) for one in scores] for scores in (scores_a, scores_b))
    alike = (
        mean_product(a, a, same=True)
        + mean_product(b, b, same=True)
        - 2 * mean_product(a, b, same=False)
    )
    variance, degrees = welch_satterthwaite(
        (np.var(first.values, ddof=1) / 3, 2),
        (np.var(second.values, ddof=1) / 5, 4),
        (max(0.0, alike), first.clusters.degrees),
    )
    found = compare(first, second)
    assert found.difference == pytest.approx(np.mean(first.values) - np.mean(second.values))
    assert found.total.standard_error == pytest.approx(math.sqrt(variance))
    t = found.difference / math.sqrt(variance)
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(t), degrees))
    around = np.mean(a, axis=0) - np.mean(b, axis=0)
    assert found.rows.standard_error == pytest.approx(math.sqrt(sum(move**2 for move in around)))


def test_the_paired_interval_is_shorter_than_two_independent_ones() -> None:
    first, second = estimated(5, seed=1), estimated(5, seed=2)
    apart = math.hypot(first.total.standard_error, second.total.standard_error)
    assert compare(first, second).total.standard_error < 0.6 * apart


def test_the_order_of_a_comparison_turns_only_the_sign() -> None:
    first, second = estimated(3, seed=1), estimated(4, seed=2, lift=0.5)
    one, other = compare(first, second), compare(second, first)
    assert other.difference == -one.difference
    assert other.p_value == one.p_value
    assert (other.total.low, other.total.high) == pytest.approx((-one.total.high, -one.total.low))


@given(st.sampled_from([0.2, 0.5, 0.9, 0.99]), st.integers(0, 50))
def test_the_test_rejects_where_the_interval_excludes_0(level: float, seed: int) -> None:
    found = compare(estimated(3, seed=seed), estimated(3, seed=seed + 100), level=level)
    assert found.total.excludes(0.0) == (found.p_value < 1 - level)


def test_a_model_against_itself_has_p_1() -> None:
    found = compare(estimated(3), estimated(3))
    assert (found.difference, found.p_value) == (0.0, 1.0)
    assert (found.rows.low, found.rows.high) == (0.0, 0.0)
    labels, scores, _ = made(1)
    certain = estimate("auc", labels_J=labels, scores_SJ=np.repeat(scores, 2, axis=0))
    assert compare(certain, certain).p_value == 1.0


def test_a_difference_without_any_error_is_certain() -> None:
    labels = np.array([0.0, 1.0, 2.0])
    zero, one = (estimate("mae", labels_J=labels, scores_SJ=[labels + x] * 2) for x in (0.0, 1.0))
    assert compare(one, zero).p_value == 0.0


def test_one_seed_is_compared_by_rows_only() -> None:
    found = compare(estimated(1), estimated(3))
    assert (found.total, found.p_value) == (None, None)
    assert found.rows is not None


def test_only_the_same_metric_on_the_same_rows_is_compared() -> None:
    labels, scores, groups = made(3)
    whole = estimated(3)
    fewer = estimate("auc", labels_J=labels[1:], scores_SJ=scores[:, 1:], groups_J=groups[1:])
    with pytest.raises(ValueError, match="auc: the two are on different rows"):
        compare(whole, fewer)
    with pytest.raises(ValueError, match="auc and mae: compare the same metric"):
        compare(whole, dataclasses.replace(whole, metric="mae"))


# ---- many tests ----------------------------------------------------------------------------

p_values = st.lists(st.floats(0, 1), max_size=8)


@given(p_values)
def test_holm_is_step_down_as_the_paper_writes_it(p_values: list[float]) -> None:
    """At every level the hypotheses below it are those that Holm's procedure rejects."""
    adjusted = holm(p_values)
    for alpha in (0.01, 0.05, 0.2, 0.7):
        rejected: set[int] = set()
        for step, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
            if p_values[index] * (len(p_values) - step) > alpha:
                break
            rejected.add(index)
        assert {i for i, value in enumerate(adjusted) if value <= alpha} == rejected


@given(p_values)
def test_holm_keeps_the_order_and_lowers_nothing(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= a <= 1 for p, a in zip(p_values, adjusted, strict=True))
    ordered = [adjusted[i] for i in sorted(range(len(p_values)), key=lambda i: p_values[i])]
    assert ordered == sorted(ordered)


def test_holm_of_known_values() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.3]) == (0.3,)
    assert holm([]) == ()


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_holm_refuses_what_is_no_p_value(wrong: float) -> None:
    with pytest.raises(ValueError, match="is no p-value; leave out what could not be tested"):
        holm([0.5, wrong])
