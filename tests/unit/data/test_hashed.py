"""Ids by the hash of their key: no vocabulary, the same everywhere."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.data_spec import make_spec

from automtl.config import Table
from automtl.data.encode import Encoder
from automtl.data.fit import fit_encoder
from automtl.data.key_hash import key_hashes
from automtl.errors import DataError

pytestmark = pytest.mark.usefixtures("loops")

CLICK = {"click": {"label": "click"}}
WORD = 2**64


def fit(frame, **data):
    frame = frame.with_columns(click=pl.lit(0))
    return fit_encoder(frame, make_spec({"path": "rows.parquet", **data}, CLICK))


def plain_hash(text):
    """FNV-1a and the end of splitmix64, a byte at a time."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % WORD
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 % WORD
    value = (value ^ value >> 27) * 0x94D049BB133111EB % WORD
    return value ^ value >> 31


@settings(deadline=None, max_examples=100)
@given(st.lists(st.one_of(st.none(), st.text()), max_size=8))
def test_the_hash_of_a_text_is_that_of_its_bytes_one_by_one(texts):
    keys = pl.Series(texts, dtype=pl.String)
    assert key_hashes(keys).tolist() == [plain_hash(text or "") for text in texts]
    assert key_hashes(keys[1:]).tolist() == [plain_hash(text or "") for text in texts[1:]]


def test_the_hash_never_changes():
    """A served model's ids depend on it."""
    assert key_hashes(pl.Series(["", "a", "42"])).tolist() == [
        0xF52A15E9A9B5E89B,
        0x02C0BDBF481420F8,
        0xA428CE5471163B02,
    ]


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([7, 123456, None, -1], dtype=pl.Int64),
        pl.Series(["7", "123456", "", "-1.0"]),
        pl.Series([7.0, 123456.0, float("nan"), -1.0]),
        pl.Series(["7", "123456", None, "-1"], dtype=pl.Categorical),
    ],
)
def test_equal_values_share_a_bucket_whatever_type_a_file_gave_them_and_missing_is_0(values):
    encoder = fit(pl.DataFrame({"x": ["other"]}), categorical={"x": {"hash": 50}})
    expected = [[2 + plain_hash(key) % 50] if key else [0] for key in ("7", "123456", None, "-1")]
    assert encoder.transform(pl.DataFrame({"x": values})).ids_NC.tolist() == expected


def test_a_hashed_column_has_a_table_of_its_size_and_no_vocabulary():
    frame = pl.DataFrame({"item": [5, 6, None], "seen": [[6, 7], [None], None], "tab": [1, 1, 2]})
    encoder = fit(
        frame,
        categorical={"item": {"hash": 10}, "tab": {}},
        sequence={"seen": {"shares": "item", "max_len": 2}},
    )
    assert encoder.features.tables == (
        Table(name="item", num_rows=12),
        Table(name="tab", num_rows=4),
    )
    assert list(encoder.vocabularies) == ["tab"]
    five, six, seven = (2 + plain_hash(key) % 10 for key in "567")
    assert encoder.transform(frame).ids_NC.tolist() == [
        [five, 2, six, seven],
        [six, 2, 0, 0],
        [0, 3, 0, 0],
    ]


def test_a_saved_encoder_has_the_same_buckets(tmp_path):
    frame = pl.DataFrame({"x": [f"user {number}" for number in range(200)]})
    encoder = fit(frame, categorical={"x": {"hash": 64}})
    encoder.save(tmp_path)
    ids_N1 = encoder.transform(frame).ids_NC
    np.testing.assert_array_equal(Encoder.load(tmp_path).transform(frame).ids_NC, ids_N1)
    assert len(np.unique(ids_N1)) > 50  # of 64, by 200 draws: 61 expected
    assert ids_N1.min() >= 2


def test_a_hashed_column_still_holds_single_values():
    with pytest.raises(DataError, match="a category is needed"):
        fit(pl.DataFrame({"x": [[1]]}), categorical={"x": {"hash": 10}})
