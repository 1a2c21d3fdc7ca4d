"""Which rows are looked at, how rows are told apart, and how far two samples differ by chance."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automtl.data.cache import Rows
from automtl.doctor.duplicates import row_numbers
from automtl.doctor.features import total_variation
from automtl.doctor.sample import runs


@given(st.integers(1, 10_000_000), st.integers(2, 100_000))
def test_runs_are_disjoint_within_the_rows_and_no_more_than_asked(num_rows, max_rows):
    found = runs(num_rows, max_rows)
    assert found[0].start == 0
    assert found[-1].stop == num_rows
    assert all(one.stop <= other.start for one, other in itertools.pairwise(found))
    total = sum(run.stop - run.start for run in found)
    assert min(num_rows, max_rows) * 0.4 < total <= min(num_rows, max_rows)


ROW = st.tuples(
    st.integers(0, 3), st.sampled_from([0.0, -0.0, 1.5]), st.sampled_from([0.0, np.nan])
)


@given(st.lists(ROW, min_size=1, max_size=30))
def test_rows_have_one_number_exactly_where_they_are_equal(rows):
    ids, numeric, labels = (np.array(part)[:, None] for part in zip(*rows, strict=True))
    numbers = row_numbers(
        Rows(
            ids_NC=ids.astype(np.int32),
            numeric_NF=numeric.astype(np.float32),
            labels_NK=labels.astype(np.float32),
        )
    )
    keys = [(one, number + 0.0, bool(np.isnan(label))) for one, number, label in rows]
    assert len(set(numbers.tolist())) == len(set(keys))
    assert len(set(zip(numbers.tolist(), keys, strict=True))) == len(set(keys))


@pytest.mark.parametrize("num_values", [2, 50, 5000])
@pytest.mark.parametrize("num_rows", [(50_000, 2000), (3000, 3000)])
def test_two_samples_of_one_distribution_have_not_drifted(num_values, num_rows):
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(num_values) * 0.3)
    left, right = (rng.multinomial(count, shares) for count in num_rows)
    assert total_variation(left, right, num_rows=num_rows) < 0.03


def test_drift_is_the_share_of_rows_that_would_have_to_change():
    left, right = np.array([5000, 5000, 0]), np.array([5000, 2000, 3000])
    found = total_variation(left, right, num_rows=(10_000, 10_000))
    assert found == pytest.approx(0.3, abs=0.015)
    assert total_variation(left, np.zeros(3, dtype=int), num_rows=(10_000, 0)) == 0
