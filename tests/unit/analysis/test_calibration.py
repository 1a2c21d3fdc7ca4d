import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automtl.analysis.calibration import (
    calibration_error,
    chance_error,
    reliability,
    wilson_interval,
)

rows = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.1, 0.2, 0.25, 0.5, 0.9])), min_size=1
)


def plain_bins(labels, predictions, num_bins):
    """The rows in the order of their predictions, which are all different, cut at equal counts."""
    pairs = sorted(zip(predictions, labels, strict=True))
    stops = [len(pairs) * number // num_bins for number in range(num_bins + 1)]
    return [pairs[start:stop] for start, stop in itertools.pairwise(stops)]


@given(st.sets(st.floats(0, 1, width=32), min_size=15))
def test_without_ties_bins_have_equal_counts_to_within_one(predictions):
    bins = reliability([0] * len(predictions), list(predictions))
    counts = [one.num_rows for one in bins]
    assert len(bins) == 15
    assert max(counts) - min(counts) <= 1


@given(rows)
def test_each_row_is_in_one_bin_and_equal_predictions_are_in_the_same(pairs):
    labels, predictions = zip(*pairs, strict=True)
    bins = reliability(labels, predictions, num_bins=4)
    assert sum(one.num_rows for one in bins) == len(pairs)
    assert sum(one.num_rows * one.observed for one in bins) == pytest.approx(sum(labels))
    assert sum(one.num_rows * one.predicted for one in bins) == pytest.approx(sum(predictions))
    means = [one.predicted for one in bins]
    assert means == sorted(set(means))  # a value in two bins would give one mean twice or a tie


@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(pairs, random):
    shuffled = list(pairs)
    random.shuffle(shuffled)
    first, second = (
        reliability(*zip(*some, strict=True), num_bins=3) for some in (pairs, shuffled)
    )
    assert [one.num_rows for one in first] == [one.num_rows for one in second]
    assert calibration_error(first) == pytest.approx(calibration_error(second))


def test_the_error_is_the_mean_distance_of_the_bins_by_rows():
    rng = np.random.default_rng(0)
    predictions = rng.random(1000)
    labels = (rng.random(1000) < predictions**2).astype(int)
    bins = plain_bins(labels.tolist(), predictions.tolist(), 15)
    expected = 0.0
    for one in bins:
        predicted = sum(prediction for prediction, _ in one) / len(one)
        observed = sum(label for _, label in one) / len(one)
        expected += len(one) / 1000 * abs(predicted - observed)
    found = reliability(labels, predictions)
    assert [one.num_rows for one in found] == [len(one) for one in bins]
    assert calibration_error(found) == pytest.approx(expected)


def test_calibrated_predictions_show_about_the_error_of_chance_and_others_more():
    rng = np.random.default_rng(1)
    predictions = rng.uniform(0.05, 0.95, 30_000)
    calibrated = reliability(rng.random(30_000) < predictions, predictions)
    assert calibration_error(calibrated) == pytest.approx(chance_error(calibrated), rel=0.6)
    halved = reliability(rng.random(30_000) < predictions / 2, predictions)
    assert calibration_error(halved) > 20 * chance_error(halved)


@given(st.integers(1, 500), st.floats(0, 1))
def test_the_interval_of_wilson_holds_the_rates_that_a_normal_test_does_not_reject(n, share):
    positives = round(share * n)
    low, high = wilson_interval(positives, n)
    assert 0 <= low <= positives / n + 1e-12
    assert positives / n - 1e-12 <= high <= 1
    for bound in (low, high):
        if 1e-9 < bound < 1 - 1e-9:
            z = (positives / n - bound) / math.sqrt(bound * (1 - bound) / n)
            assert abs(z) == pytest.approx(1.959964, abs=1e-4)


def test_the_interval_of_a_mean_is_normal():
    labels = [1.0, 2.0, 4.0, 9.0]
    (one,) = reliability(labels, [3.0] * 4, is_binary=False)
    mean = sum(labels) / 4
    deviation = math.sqrt(sum((label - mean) ** 2 for label in labels) / 4)
    assert one.high - mean == pytest.approx(1.959964 * deviation / 2, rel=1e-6)
    assert mean - one.low == pytest.approx(one.high - mean)


@pytest.mark.parametrize(
    ("labels", "predictions", "message"),
    [
        ([], [], "one at least"),
        ([0, 1], [0.5], "must be as many"),
        ([0, float("nan")], [0.5, 0.5], "leave rows without a label out"),
        ([0, 1], [0.5, float("inf")], "must be finite"),
    ],
)
def test_what_cannot_be_binned_says_why(labels, predictions, message):
    with pytest.raises(ValueError, match=message):
        reliability(labels, predictions)
