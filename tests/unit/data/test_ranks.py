"""Numbers by their place among train's: as a rank, and as the id of a bucket."""

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.data_spec import make_spec

from automtl.config import CategoricalFeature, Table
from automtl.data.encode import Encoder
from automtl.data.fit import fit_encoder
from automtl.data.scaling import NUM_RANK_BINS
from automtl.errors import DataError

pytestmark = pytest.mark.usefixtures("loops")

CLICK = {"click": {"label": "click"}}
COLUMNS = st.lists(
    st.one_of(st.none(), st.integers(-5, 5).map(float), st.floats(-1e300, 1e300)), min_size=1
)


def fit(column, scale, **options):
    data = {"path": "rows.parquet", "numeric": {"x": {"scale": scale, **options}}}
    frame = pl.DataFrame({"x": pl.Series(column, dtype=pl.Float64)})
    encoder = fit_encoder(frame.with_columns(click=pl.lit(0)), make_spec(data, CLICK))
    return encoder, encoder.transform(frame)


@settings(deadline=None, max_examples=60)
@given(COLUMNS)
def test_a_quantile_is_the_share_of_train_below_the_value_and_half_of_its_equals(column):
    encoder, inputs = fit(column, "quantile")
    known = np.array([value for value in column if value is not None])
    [scaling] = encoder.scalings
    assert len(scaling.knots) == len(scaling.ranks) <= 2 * NUM_RANK_BINS + 2
    ranks = [(known < value).mean() + (known == value).mean() / 2 for value in known]
    spread = np.std(ranks) if len(set(known)) > 1 else 1.0
    got = iter(np.array(ranks) - np.mean(ranks) if len(known) else [])
    for row, value in enumerate(column):
        expected = 0.0 if value is None else next(got) / spread
        assert inputs.numeric_NF[row, 0] == pytest.approx(expected, abs=1e-4)
        if None in column:
            assert inputs.numeric_NF[row, 1] == (value is None)


def test_a_quantile_of_many_values_is_kept_in_few_knots_and_hardly_off():
    rng = np.random.default_rng(0)
    column = np.where(rng.random(20_000) < 0.4, 0.0, rng.lognormal(3, 2, 20_000))
    encoder, inputs = fit(column, "quantile")
    [scaling] = encoder.scalings
    assert len(scaling.knots) < 300
    got = inputs.numeric_NF[:, 0] * scaling.std + scaling.mean
    order = np.sort(column)
    below, upto = (np.searchsorted(order, column, side) / 20_000 for side in ("left", "right"))
    assert np.abs(got - (below + upto) / 2).max() < 1 / NUM_RANK_BINS
    assert inputs.numeric_NF.mean() == pytest.approx(0, abs=1e-3)
    assert inputs.numeric_NF.std() == pytest.approx(1, abs=1e-3)
    beyond = encoder.transform(pl.DataFrame({"x": [-1e9, 1e30]})).numeric_NF[:, 0]
    assert beyond.tolist() == [inputs.numeric_NF.min(), inputs.numeric_NF.max()]


@settings(deadline=None, max_examples=60)
@given(COLUMNS, st.integers(2, 6))
def test_buckets_are_ids_that_rise_with_the_value_and_missing_is_zero(column, num_buckets):
    encoder, inputs = fit(column, "buckets", num_buckets=num_buckets)
    ids = inputs.ids_NC[:, 0]
    [table] = encoder.features.tables
    assert encoder.features.categorical == (CategoricalFeature(name="x", table="x"),)
    assert inputs.numeric_NF.shape[1] == 0
    assert [one is None for one in column] == (ids == 0).tolist()
    pairs = sorted(
        (value, one) for value, one in zip(column, ids, strict=True) if value is not None
    )
    assert [one for _, one in pairs] == sorted(one for _, one in pairs)
    distinct = len({value for value, _ in pairs})
    assert {int(one) for _, one in pairs} == set(range(2, table.num_rows)) or not distinct
    assert table.num_rows - 2 >= min(distinct, num_buckets, 1)
    if distinct <= num_buckets:
        assert len({one for _, one in pairs}) == distinct, "every value has its own"


def test_buckets_are_about_equally_full_and_what_lies_beyond_is_in_the_outer_ones():
    column = np.random.default_rng(0).lognormal(3, 2, 10_000)
    encoder, inputs = fit(column, "buckets", num_buckets=10)
    assert encoder.features.tables == (Table(name="x", num_rows=12),)
    assert np.bincount(inputs.ids_NC[:, 0], minlength=12)[2:].tolist() == [1000] * 10
    beyond = encoder.transform(pl.DataFrame({"x": [-1e9, None, 1e30]})).ids_NC[:, 0]
    assert beyond.tolist() == [2, 0, 11]


@pytest.mark.parametrize("scale", ["quantile", "buckets"])
def test_an_encoder_that_was_saved_does_the_same(tmp_path, scale):
    encoder, _ = fit([1.0, 2.0, 2.0, None, 7.5], scale)
    encoder.save(tmp_path)
    assert json.loads((tmp_path / "encoder.json").read_text())
    again = Encoder.load(tmp_path)
    assert (again.scalings, again.buckets) == (encoder.scalings, encoder.buckets)
    more = pl.DataFrame({"x": ["2", "", "1e9", "1.4"]})
    for part in ("ids_NC", "numeric_NF"):
        np.testing.assert_array_equal(
            getattr(again.transform(more), part), getattr(encoder.transform(more), part)
        )
    with pytest.raises(DataError, match="'much' is not a number"):
        again.transform(pl.DataFrame({"x": ["much"]}))
