"""What columns of vectors become: so many standardised numbers."""

import re
from statistics import fmean, pstdev

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.data_spec import make_spec

from automtl.config import DenseFeature, ModelConfig, NumericFeature
from automtl.data.batch import Batch
from automtl.data.encode import Encoder
from automtl.data.fit import Gathered, fit_encoder
from automtl.data.split import TRAIN
from automtl.errors import DataError
from automtl.models.inputs import plan_inputs

CLICK = {"click": {"label": "click"}}
NUMBERS = st.floats(-1e6, 1e6, width=32)
VECTORS = st.lists(st.one_of(st.none(), st.tuples(NUMBERS, NUMBERS, NUMBERS)), min_size=1)


def spec_of(**data):
    return make_spec({"path": "rows.parquet", "dense": ["v"], **data}, CLICK)


def fit(column, **data):
    frame = pl.DataFrame({"v": column}).with_columns(click=pl.lit(0), x=pl.lit(1.0))
    return fit_encoder(frame, spec_of(**data))


def numbers(encoder, column):
    return encoder.transform(pl.DataFrame({"v": column})).numeric_NF


@settings(deadline=None, max_examples=60)
@given(rows=VECTORS, cut=st.integers(0, 4))
def test_each_place_is_standardised_by_train_and_a_missing_vector_is_zeros_and_indicated(rows, cut):
    column = pl.Series("v", rows, dtype=pl.List(pl.Float32))
    known = [row for row in rows if row is not None]
    if not known:
        with pytest.raises(DataError, match="no train row has a vector"):
            fit(column)
        return
    parts = []
    for start, part in ((0, column[:cut]), (cut, column[cut:])):
        parts.append(Gathered(spec_of()))
        batch = Batch(part.to_frame().with_columns(click=pl.lit(0)), start=start)
        parts[-1].add(batch, np.full(batch.height, TRAIN, dtype=np.int8))
    parts[1].merge(parts[0])
    encoder = parts[1].encoder()
    assert encoder.features.dense == (DenseFeature(name="v", width=3 + (None in rows)),)
    for row, got in zip(rows, numbers(encoder, column).tolist(), strict=True):
        if row is None:
            assert got == [0, 0, 0, 1]
            continue
        for place, value in enumerate(row):
            values = [one[place] for one in known]
            std = pstdev(values)
            if len(set(values)) == 1:
                assert got[place] == 0
            elif std > 1e-5 * max(map(abs, values)):
                assert got[place] == pytest.approx((value - fmean(values)) / std, abs=1e-3)
        assert got[3:] == [0] * (None in rows)


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([[1.0, 2.0], [3.0, 6.0], None]),
        pl.Series([[1, 2], [3, 6], []], dtype=pl.List(pl.Int16)),
        pl.Series([[1.0, 2.0], [3.0, 6.0], None], dtype=pl.Array(pl.Float32, 2)),
        pl.Series(["1|2.0", "3|6", ""]),
    ],
)
def test_vectors_may_be_of_any_type_and_in_a_text_file_are_joined_by_bars(column):
    encoder = fit(pl.Series([[1.0, 2.0], [3.0, 6.0], None]))
    assert numbers(encoder, column).tolist() == [[-1, -1, 0], [1, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([[1.0, 2.0], None, [1.0]], "column 'v', row 2 (counted from 0): has 1 numbers, others "
         "have 2; all vectors of a column are of one length"),
        ([None, [1.0, None]], "row 1 (counted from 0): has no finite number at place 1"),
        ([[1.0, float("inf")]], "row 0 (counted from 0): has no finite number at place 1"),
        ([None, [1.0, 1e300]], "row 1 (counted from 0): has no finite number at place 1"),
        (["1|2", "1|x"], "row 1 (counted from 0): 'x' is not a number; a vector has a finite"),
        ([1.0], "holds Float64; a dense feature is a list of numbers"),
        ([["a", "b"]], "row 0 (counted from 0): 'a' is not a number"),
    ],
)  # fmt: skip
def test_what_is_no_vector_is_told(column, message):
    with pytest.raises(DataError, match=re.escape(message)):
        fit(pl.Series(column))


def test_other_rows_have_vectors_of_the_same_length():
    with pytest.raises(DataError, match=r"row 0 .* has 3 numbers, others have 2"):
        numbers(fit(pl.Series([[1.0, 2.0]])), [[1.0, 2.0, 3.0]])


def test_vectors_stand_behind_numbers_and_the_space_may_drop_them_or_gates_read_them(tmp_path):
    encoder = fit(pl.Series([[1.0, 2.0], None]), numeric=["x"])
    features = encoder.features
    assert [one.name for one in features.numeric] == ["x"]
    assert isinstance(features.numeric[0], NumericFeature)
    assert features.num_number_columns == 4
    config = ModelConfig(family="mmoe", gate_features=("v",))
    whole = plan_inputs(config, features)
    assert (whole.scalars, whole.slices["v"], whole.width) == ((0, 1, 2, 3), (1, 4), 4)
    without = plan_inputs(ModelConfig(family="mmoe", drop_features=("v",)), features)
    assert (without.scalars, without.width) == ((0,), 1)
    encoder.save(tmp_path)
    loaded = Encoder.load(tmp_path)
    assert (loaded.features, loaded.dense, loaded.columns) == (features, encoder.dense, ("x", "v"))
