"""Columns that say how much a row counts: what they may hold, and where they are kept."""

import re

import numpy as np
import polars as pl
import pytest
from support.data_spec import make_spec

from automtl.data.cache import load_cached, open_data
from automtl.data.encode import Encoder
from automtl.errors import DataError

TASKS = {"click": {"label": "click"}, "buy": {"label": "buy", "weight": "price"}}
DATA = {"path": "rows.parquet", "numeric": ["x"], "weight": "w"}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOMTL_CACHE", str(tmp_path / "cache"))


def write(folder, **columns):
    number = np.arange(40)
    rows = {
        "x": number / 3,
        "click": number // 4 % 2,
        "buy": number // 8 % 2,
        "w": number % 5,
        "price": number * 0.5,
        "split": ["train", "train", "valid", "test"] * 10,
        **columns,
    }
    pl.DataFrame(rows).write_parquet(folder / "rows.parquet")


def test_each_task_has_the_weights_of_its_own_column_else_of_the_rows(tmp_path):
    write(tmp_path)
    data = open_data(make_spec(DATA, TASKS, tmp_path))
    again = load_cached(data.directory)
    for split in ("train", "valid", "test"):
        number = data.source_rows(split)
        expected = np.stack([number % 5, number * 0.5], axis=1)
        np.testing.assert_array_equal(again.rows(split).weights_NK, expected)
    assert data.encoder.columns == ("x",), "who asks for predictions has no weights"


def test_a_task_without_a_weight_counts_all_rows_the_same(tmp_path):
    write(tmp_path)
    weighted = open_data(make_spec({**DATA, "weight": None}, TASKS, tmp_path))
    assert (weighted.rows("train").weights_NK[:, 0] == 1).all()
    plain = open_data(make_spec({**DATA, "weight": None}, {"click": {"label": "click"}}, tmp_path))
    assert plain.rows("train").weights_NK is None
    assert plain.fingerprint != weighted.fingerprint


def test_weights_of_a_text_file_and_of_a_frame_are_those_of_the_columns(tmp_path):
    write(tmp_path)
    frame = pl.read_parquet(tmp_path / "rows.parquet")
    frame.write_csv(tmp_path / "rows.csv")
    expected = open_data(make_spec(DATA, TASKS, tmp_path)).rows("train").weights_NK
    text = open_data(make_spec({**DATA, "path": "rows.csv"}, TASKS, tmp_path))
    given = open_data(make_spec(DATA, TASKS, tmp_path), frame=frame)
    for data in (text, given):
        np.testing.assert_array_equal(data.rows("train").weights_NK, expected)


@pytest.mark.parametrize(
    ("value", "says"),
    [(-1.0, "is -1"), (None, "has no number"), (float("inf"), "is inf"), (1e13, "is 1e+13")],
)
def test_what_is_no_weight_is_an_error_that_names_file_and_row(tmp_path, value, says):
    write(tmp_path, w=[1.0] * 17 + [value] + [1.0] * 22)
    message = (
        f"{tmp_path}/rows.parquet: column 'w' (a weight), row 17 (counted from 0): {says}; a weight"
        " is a number from 0 to 1e+12; write 0 where a row should not count"
    )
    with pytest.raises(DataError, match=re.escape(message)):
        open_data(make_spec(DATA, TASKS, tmp_path))


def test_text_and_columns_that_are_not_there_are_errors(tmp_path):
    write(tmp_path, w=["much"] * 40)
    with pytest.raises(DataError, match=r"column 'w', row 0 .*'much' is not a number; a weight is"):
        open_data(make_spec(DATA, TASKS, tmp_path))
    with pytest.raises(DataError, match=r"no column 'pricy' .did you mean 'price'"):
        open_data(make_spec({**DATA, "weight": "pricy"}, TASKS, tmp_path))


def test_weights_that_are_all_zero_in_train_teach_nothing(tmp_path):
    write(tmp_path, price=[0.0, 0.0, 1.0, 1.0] * 10)
    with pytest.raises(DataError, match=re.escape("column 'price' (a weight): is 0 on all train")):
        open_data(make_spec(DATA, TASKS, tmp_path))


def test_the_encoder_of_a_bundle_keeps_which_columns_they_were(tmp_path):
    write(tmp_path)
    encoder = open_data(make_spec(DATA, TASKS, tmp_path)).encoder
    encoder.save(tmp_path / "encoder")
    assert Encoder.load(tmp_path / "encoder").weight_columns == ("w", "price")
