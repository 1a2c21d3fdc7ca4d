"""AUCs from counts, rank correlation, and how far an AUC may be off."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from automtl.doctor.order import (
    auc,
    auc_of_rows,
    auc_reach,
    positives_for_reach,
    rank_correlation,
)

ROWS = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=40)


@given(ROWS)
def test_an_auc_is_the_share_of_pairs_in_order_ties_half(rows):
    above = [score for score, positive in rows if positive]
    below = [score for score, positive in rows if not positive]
    found = auc_of_rows(np.array([s for s, _ in rows]), np.array([p for _, p in rows]))
    if not above or not below:
        assert np.isnan(found)
        return
    pairs = [(one > other) + (one == other) / 2 for one in above for other in below]
    assert found == pytest.approx(np.mean(pairs))


@given(ROWS)
def test_counts_of_scores_say_the_same_as_rows(rows):
    scores = np.array([score for score, _ in rows])
    positive = np.array([is_positive for _, is_positive in rows])
    values = np.unique(scores)
    counts = [[np.sum(positive[scores == v] == side) for v in values] for side in (True, False)]
    counted = auc(values, np.array(counts[0]), np.array(counts[1]))
    np.testing.assert_equal(counted, auc_of_rows(scores, positive))


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=3, max_size=40))
def test_rank_correlation_is_spearmans(pairs):
    left, right = np.array(pairs).T
    if len(set(left)) < 2 or len(set(right)) < 2:
        assert np.isnan(rank_correlation(left, right))
    else:
        expected = stats.spearmanr(left, right).statistic
        assert rank_correlation(left, right) == pytest.approx(expected)


def test_without_rows_there_is_no_auc():
    assert np.isnan(auc_of_rows(np.empty(0), np.empty(0, dtype=bool)))
    assert auc_reach(0, 100) == 1


def test_the_reach_covers_what_samples_of_one_model_scatter():
    """Scores of two normal distributions 0.954 apart have an AUC of 0.75."""
    rng = np.random.default_rng(0)
    positive = np.arange(1000) < 200
    areas = [auc_of_rows(rng.normal(size=1000) + 0.954 * positive, positive) for _ in range(400)]
    reach = auc_reach(200, 800)
    assert np.mean(areas) == pytest.approx(0.75, abs=0.005)
    assert 1.96 * np.std(areas) == pytest.approx(reach, rel=0.15)


@pytest.mark.parametrize("rate", [0.5, 0.01])
def test_so_many_positives_are_needed(rate):
    needed = positives_for_reach(0.02, rate)
    assert auc_reach(needed, round(needed * (1 - rate) / rate)) <= 0.02
    fewer = round(0.95 * needed)
    assert auc_reach(fewer, round(fewer * (1 - rate) / rate)) > 0.02
