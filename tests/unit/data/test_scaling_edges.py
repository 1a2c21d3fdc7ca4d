"""Where a number is cut: few bins, about equally full, and a frequent value has one of its own."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from automtl.data.scaling import finite_array, fit_edges, fit_scaling, scaled

values = st.lists(st.integers(-20, 20), min_size=1, max_size=80)
num_bins = st.integers(2, 9)


def edges_of(numbers, num_bins):
    column = pl.Series("x", numbers, dtype=pl.Float64)
    return np.array(fit_edges(column, fit_scaling(column), num_bins=num_bins))


def scaled_by_itself(numbers):
    column = pl.Series("x", numbers, dtype=pl.Float64)
    return scaled(finite_array(column), fit_scaling(column))


def bins_of(numbers, edges):
    """The bin of each number: how many inner edges are at or below it."""
    return np.searchsorted(edges[1:-1], scaled_by_itself(numbers), side="right")


@given(values, num_bins)
def test_edges_rise_from_the_smallest_to_the_largest_value(numbers, num_bins):
    edges = edges_of(numbers, num_bins)
    if len(set(numbers)) == 1:
        assert len(edges) == 0
        return
    assert (np.diff(edges) > 0).all()
    assert edges[0] == scaled_by_itself(numbers).min()
    assert edges[-1] == scaled_by_itself(numbers).max()
    assert len(edges) - 1 <= 2 * num_bins  # frequent values may need a bin on either side


@given(values.filter(lambda numbers: len(set(numbers)) > 1), num_bins)
def test_no_bin_is_empty(numbers, num_bins):
    edges = edges_of(numbers, num_bins)
    assert set(bins_of(numbers, edges)) == set(range(len(edges) - 1))


@given(st.lists(st.integers(-20, 20), min_size=2, unique=True, max_size=9))
def test_few_values_have_a_bin_each(numbers):
    edges = edges_of(numbers, len(numbers))
    assert len(set(bins_of(numbers, edges))) == len(numbers)


@given(values.filter(lambda numbers: len(set(numbers)) > 1), num_bins)
def test_a_value_with_a_bins_share_of_the_rows_has_a_bin_of_its_own(numbers, num_bins):
    edges = edges_of(numbers, num_bins)
    bins = bins_of(numbers, edges)
    by_value = dict(zip(numbers, bins, strict=True))
    for value, bin_of_it in by_value.items():
        if numbers.count(value) >= len(numbers) / num_bins:
            assert [other for other in by_value if by_value[other] == bin_of_it] == [value]


@given(st.lists(st.integers(1, 20), min_size=1, max_size=40), num_bins)
def test_a_column_that_is_mostly_zero_has_a_bin_for_zero(positive, num_bins):
    numbers = [0] * (len(positive) + 1) + positive
    bins = bins_of(numbers, edges_of(numbers, num_bins))
    assert [n for n, bin_of_it in zip(numbers, bins, strict=True) if bin_of_it == 0] == [
        n for n in numbers if n == 0
    ]


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=200, unique=True), num_bins)
def test_different_values_fill_bins_equally(numbers, num_bins):
    counts = np.bincount(bins_of(numbers, edges_of(numbers, num_bins)))
    assert counts.max() - counts.min() <= 1
    assert len(counts) == min(num_bins, len(numbers))


@given(values, st.integers(1, 5))
def test_missing_values_change_no_edge(numbers, num_missing):
    holes = [None, float("nan")] * num_missing
    assert edges_of([*numbers, *holes], 4).tolist() == edges_of(numbers, 4).tolist()


def test_without_known_values_there_are_no_edges():
    assert len(edges_of([None, None], 4)) == 0


def test_a_frequent_value_leaves_bins_for_the_others():
    numbers = [0] * 900 + list(range(1, 101))
    sizes = np.bincount(bins_of(numbers, edges_of(numbers, 8)))
    assert sizes[0] == 900
    assert len(sizes) == 8
    assert sizes[1:].max() - sizes[1:].min() <= 1
