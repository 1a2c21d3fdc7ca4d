"""The intervals against plain loops, known cases and a small simulation."""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automtl.analysis.confidence import (
    auc_interval,
    delong,
    paired_auc_difference,
    paired_auc_p_value,
)

LABELS = np.array([0, 0, 1, 1, 0, 1, 0, 1])
GOOD = np.array([0.1, 0.3, 0.7, 0.9, 0.3, 0.3, 0.2, 0.8])
BAD = np.array([0.5, 0.2, 0.4, 0.6, 0.7, 0.1, 0.2, 0.4])


# ---- the same, written as the papers write it ----------------------------------------------


def kernel(positive: float, negative: float) -> float:
    return 1.0 if positive > negative else 0.5 if positive == negative else 0.0


def plain_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    positives, negatives = scores[labels == 1], scores[labels == 0]
    return sum(kernel(p, q) for p in positives for q in negatives) / (
        len(positives) * len(negatives)
    )


def plain_covariance(labels: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """DeLong et al. 1988, eq. 5 and 6, term by term."""
    m, n = int((labels == 1).sum()), int((labels == 0).sum())

    def components(scores: np.ndarray) -> tuple[list[float], list[float]]:
        positives, negatives = scores[labels == 1], scores[labels == 0]
        v10 = [sum(kernel(p, q) for q in negatives) / n for p in positives]
        v01 = [sum(kernel(p, q) for p in positives) / m for q in negatives]
        return v10, v01

    (a10, a01), (b10, b01) = components(a), components(b)
    auc_a, auc_b = plain_auc(labels, a), plain_auc(labels, b)
    s10 = sum((x - auc_a) * (y - auc_b) for x, y in zip(a10, b10, strict=True)) / (m - 1)
    s01 = sum((x - auc_a) * (y - auc_b) for x, y in zip(a01, b01, strict=True)) / (n - 1)
    return s10 / m + s01 / n


def plain_bootstrap(
    labels: np.ndarray, a: np.ndarray, b: np.ndarray, groups: np.ndarray, num: int, seed: int
) -> list[float]:
    """Draw groups, copy their rows, count pairs."""
    rng = np.random.default_rng(seed)
    names = np.unique(groups)
    differences = []
    for _ in range(num):
        drawn = rng.integers(len(names), size=len(names))
        rows = np.concatenate([np.flatnonzero(groups == names[index]) for index in drawn])
        if len(set(labels[rows])) == 2:
            differences.append(plain_auc(labels[rows], a[rows]) - plain_auc(labels[rows], b[rows]))
    return differences


# ---- DeLong --------------------------------------------------------------------------------

few_values = st.integers(0, 4)  # many ties


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), few_values, few_values), min_size=4, max_size=25))
def test_delong_is_the_plain_loop(rows: list[tuple[bool, int, int]]) -> None:
    labels = np.array([0, 0, 1, 1, *(int(row[0]) for row in rows)])
    a = np.array([0, 1, 2, 3, *(row[1] for row in rows)], dtype=float)
    b = np.array([3, 0, 1, 2, *(row[2] for row in rows)], dtype=float)
    auc, covariance = delong(labels, [a, b])
    assert auc == pytest.approx([plain_auc(labels, a), plain_auc(labels, b)])
    expected = [[plain_covariance(labels, x, y) for y in (a, b)] for x in (a, b)]
    np.testing.assert_allclose(covariance, expected, atol=1e-12)


def test_the_interval_of_a_difference_follows_from_the_covariance() -> None:
    interval = paired_auc_difference(LABELS, GOOD, BAD)
    variance = (
        plain_covariance(LABELS, GOOD, GOOD)
        + plain_covariance(LABELS, BAD, BAD)
        - 2 * plain_covariance(LABELS, GOOD, BAD)
    )
    assert interval.estimate == pytest.approx(plain_auc(LABELS, GOOD) - plain_auc(LABELS, BAD))
    assert interval.standard_error == pytest.approx(math.sqrt(variance))
    assert interval.high - interval.estimate == pytest.approx(1.959964 * math.sqrt(variance))
    z = interval.estimate / interval.standard_error
    assert paired_auc_p_value(LABELS, GOOD, BAD) == pytest.approx(math.erfc(z / math.sqrt(2)))


def test_the_paired_interval_is_shorter_than_two_independent_ones() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 2000)
    shared = labels + rng.normal(0, 1, 2000)
    a, b = shared + rng.normal(0, 0.1, 2000), shared + rng.normal(0, 0.1, 2000)
    apart = math.hypot(
        auc_interval(labels, a).standard_error, auc_interval(labels, b).standard_error
    )
    assert paired_auc_difference(labels, a, b).standard_error < 0.3 * apart


def test_a_model_against_itself_is_zero_and_certain() -> None:
    interval = paired_auc_difference(LABELS, GOOD, GOOD)
    assert (interval.estimate, interval.low, interval.high) == (0.0, 0.0, 0.0)
    assert not interval.excludes(0.0)
    assert paired_auc_p_value(LABELS, GOOD, GOOD) == 1.0


def test_only_the_order_of_the_scores_counts() -> None:
    a = auc_interval(LABELS, GOOD)
    assert auc_interval(LABELS, np.exp(5 * GOOD)) == a
    flipped = auc_interval(LABELS, -GOOD)
    assert flipped.estimate == pytest.approx(1 - a.estimate)
    assert flipped.standard_error == pytest.approx(a.standard_error)


# ---- the cluster bootstrap -----------------------------------------------------------------


@pytest.mark.parametrize("ties", [True, False])
def test_the_bootstrap_is_the_plain_loop(ties: bool) -> None:
    rng = np.random.default_rng(1)
    labels, groups = rng.integers(0, 2, 40), rng.integers(0, 9, 40)
    a, b = rng.normal(labels, 1), rng.normal(labels, 2)
    if ties:
        a, b = np.round(a), np.round(b)
    differences = plain_bootstrap(labels, a, b, groups, 200, seed=7)
    interval = paired_auc_difference(labels, a, b, groups, num_resamples=200, seed=7)
    assert interval.estimate == pytest.approx(plain_auc(labels, a) - plain_auc(labels, b))
    assert interval.standard_error == pytest.approx(np.std(differences, ddof=1))
    assert [interval.low, interval.high] == pytest.approx(np.quantile(differences, [0.025, 0.975]))


def test_groups_of_one_row_agree_with_delong() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, 800)
    a, b = rng.normal(labels, 1), rng.normal(labels, 1.5)
    by_rows = paired_auc_difference(labels, a, b, np.arange(800), num_resamples=600)
    assert by_rows.standard_error == pytest.approx(
        paired_auc_difference(labels, a, b).standard_error, rel=0.1
    )


def test_groups_that_repeat_their_rows_widen_the_interval() -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 200)
    a, b = rng.normal(labels, 1), rng.normal(labels, 1.5)
    groups = np.arange(200)
    four = [np.repeat(values, 4) for values in (labels, a, b, groups)]
    one = paired_auc_difference(labels, a, b, groups, num_resamples=400)
    copied = paired_auc_difference(*four, num_resamples=400)
    fooled = paired_auc_difference(*four[:3])
    assert astuple(copied) == pytest.approx(astuple(one))  # copies say nothing new
    assert fooled.standard_error == pytest.approx(one.standard_error / 2, rel=0.15)


def test_groups_may_be_names_and_the_seed_decides() -> None:
    names = np.array(["ann", "ben", "ann", "eve", "eve", "ben", "dan", "dan"])
    first, again, other = (
        auc_interval(LABELS, BAD, groups=names, num_resamples=50, seed=seed) for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other
    assert first.estimate == pytest.approx(plain_auc(LABELS, BAD))


# ---- coverage ------------------------------------------------------------------------------


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """Scores that err by user, so that rows of one user err together; truth from many users."""
    rng = np.random.default_rng(4)

    def sample(num_users: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        users = np.repeat(np.arange(num_users), 10)
        taste = rng.normal(0, 1, num_users)[users]
        noise = rng.normal(0, 1, len(users))
        labels = (taste + noise > 0).astype(int)
        a, b = (taste + rng.normal(0, spread, num_users)[users] for spread in (1.0, 1.5))
        return labels, a, b, users

    labels, a, b, _ = sample(20_000)
    truth = plain_difference_fast(labels, a, b)
    by_users, by_rows = [], []
    for run in range(80):
        labels, a, b, users = sample(60)
        clustered = paired_auc_difference(labels, a, b, users, num_resamples=100, seed=run)
        by_users.append(not clustered.excludes(truth))
        by_rows.append(not paired_auc_difference(labels, a, b).excludes(truth))
    assert np.mean(by_users) >= 0.9
    assert np.mean(by_rows) < np.mean(by_users)  # rows of one user are not independent


def plain_difference_fast(labels: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, a) - roc_auc_score(labels, b))


# ---- what cannot be answered ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([1, 1, 1], [0.1, 0.2, 0.3], "positives and negatives"),
        ([0, 1, 2], [0.1, 0.2, 0.3], "0 or 1"),
        ([0, 1, np.nan], [0.1, 0.2, 0.3], "0 or 1"),
        ([0, 1, 1], [0.1, 0.2, np.nan], "finite"),
        ([0, 1, 1], [0.1, 0.2], "must match"),
        ([0, 1, 1], [0.1, 0.2, 0.3], "two positives and two negatives"),
    ],
)
def test_bad_input_is_refused(labels: list[float], scores: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        auc_interval(labels, scores)


def test_groups_must_match_and_be_several() -> None:
    with pytest.raises(ValueError, match="3 groups for 8 rows"):
        auc_interval(LABELS, GOOD, groups=[1, 2, 3])
    with pytest.raises(ValueError, match="two groups"):
        auc_interval(LABELS, GOOD, groups=np.zeros(8))
    with pytest.raises(ValueError, match="too few resamples"):
        auc_interval(LABELS, GOOD, groups=LABELS, num_resamples=1)
