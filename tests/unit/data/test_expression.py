"""Labels that are computed: what an expression says of each row, what is said of a wrong one."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.data_spec import make_spec

from automtl.data.batch import Batch
from automtl.data.build import source_columns
from automtl.data.cache import open_data
from automtl.data.evaluate import label_values
from automtl.data.expression import ExpressionError, is_column, label_columns, parse_label
from automtl.errors import DataError, SpecError

FRAME = pl.DataFrame(
    {
        "rating": [5, 3, None],
        "watched": [8.0, 1.0, 5.0],
        "length": [10, 0, 0],
        "income": [" 50000+.", "- 50000.", ""],
        "text": ["4", "NA", "5"],
        "truth": [True, False, None],
        "written": ["True", "0", ""],
        "odd name": [1, 2, 3],
        "day": pl.Series([19000, 19001, None]).cast(pl.Date),
    }
)


def of(text, frame=FRAME):
    return label_values(Batch(frame), text).to_list()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("rating", [5, 3, None]),
        ("rating >= 4", [True, False, None]),
        ("4 <= rating", [True, False, None]),
        ("rating = 5 or watched<2", [True, True, None]),
        ("watched / length > 0.8", [False, None, None]),
        ("-watched * 2 + length", [-6, -2, -10]),
        ("watched - (1 - 2)", [9, 2, 6]),
        ("income == '50000+.'", [True, False, None]),
        ('income not in ("50000+.", "x")', [False, True, None]),
        ("[odd name] in (1, 3)", [True, False, True]),
        ("[odd name]", [1, 2, 3]),
        ("text >= 4.5", [False, None, True]),
        ("text == watched", [False, None, True]),
        ("truth and rating >= 4", [True, False, None]),
        ("truth and watched > 100", [False, False, False]),
        ("not written", [False, True, None]),
        ("written == true", [True, False, None]),
        ("rating is null", [False, False, True]),
        ("rating is not null and not truth", [False, True, False]),
        ("day >= '2022-01-09'", [False, True, None]),
    ],
)
def test_what_an_expression_says_of_each_row(text, values):
    assert of(text) == values


def test_the_columns_that_a_label_needs_are_read_and_no_others(tmp_path):
    assert label_columns("watched / length > 0.8 and not watched is null") == ("watched", "length")
    tasks = {"a": {"label": "watched / length > 0.8"}, "b": {"label": "[odd name] == 1"}}
    spec = make_spec({"path": "a.parquet", "numeric": ["text"]}, tasks)
    assert source_columns(spec) == ["text", "watched", "length", "odd name", "split"]


@pytest.mark.parametrize("name", ["is_click", "is click", "50k+", "a-b", "x.y", "not", "é"])
def test_a_name_without_an_operator_is_a_column(name):
    assert is_column(name)
    assert label_columns(name) == (name,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rating >= ", "something is missing, at character 10 of 'rating >= '; write a column"),
        ("rating >= 4 5", "at character 13 .*write and, or, "),
        ("a > 4 > 3", "a comparison of a comparison, at character 7 .*; write a < b and b < c"),
        ("(a > 4", r"'\)' is missing, at character 7"),
        ("a $ b > 2", r"'\$' has no meaning, at character 3"),
        ("1 > 2", "names no column"),
        ("a in ()", "a number or a text in quotes is missing"),
        ("a is 4", "'null' is missing, at character 6"),
        ("__import__('os') == 1", "what stands here belongs to nothing, at character 11"),
        ("(" * 60 + "a > 1", "more than 50 parts inside each other"),
        ("a" + " + a" * 300, "is longer than 500 characters"),
    ],
)
def test_text_that_is_no_expression(text, message):
    with pytest.raises(ExpressionError, match=message):
        parse_label(text)


@given(st.text(alphabet="ab01.'\"[]()<>=!+-*/, \nandornotisull", max_size=60))
def test_any_text_is_a_label_or_is_told(text):
    try:
        columns = label_columns(text)
    except ExpressionError:
        return
    assert columns


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("income / 2 > 3", "column 'income', row 0 .* '50000..' is not a number; 'income / 2 > 3'"),
        ("watched + length == 'a'", "a computed value cannot be compared with text"),
    ],
)
def test_columns_that_cannot_be_what_they_are_used_as(text, message):
    with pytest.raises(DataError, match=message):
        of(text)


def test_a_computed_label_is_masked_where_it_is_unknown_and_by_its_condition(tmp_path):
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "x": rng.normal(size=400),
            "rating": rng.integers(1, 6, 400),
            "watched": rng.integers(0, 100, 400),
            "length": rng.integers(0, 3, 400) * 50,
            "split": rng.choice(["train", "valid", "test"], 400),
        }
    )
    frame.write_parquet(tmp_path / "rows.parquet")
    tasks = {
        "like": {"label": "rating >= 4"},
        "long": {"label": "watched / length > 0.8", "given": "like"},
    }
    data = open_data(make_spec({"path": "rows.parquet", "numeric": ["x"]}, tasks, tmp_path))
    labels = data.rows("train").labels_NK
    rows = frame[data.source_rows("train")]
    like = rows["rating"].to_numpy() >= 4
    np.testing.assert_array_equal(labels[:, 0], like)
    known = like & (rows["length"].to_numpy() > 0)
    np.testing.assert_array_equal(np.isnan(labels[:, 1]), ~known)
    share = rows["watched"].to_numpy()[known] / rows["length"].to_numpy()[known]
    np.testing.assert_array_equal(labels[known, 1], share > 0.8)


def test_a_label_that_never_changes_is_told_by_its_text(tmp_path):
    frame = pl.DataFrame({"x": [1, 2, 3], "rating": [1, 2, 3], "split": ["train", "valid", "test"]})
    frame.write_parquet(tmp_path / "rows.parquet")
    tasks = {"like": {"label": "rating >= 9"}}
    with pytest.raises(DataError, match="label 'rating >= 9' of task 'like': is 0 on all 1 of the"):
        open_data(make_spec({"path": "rows.parquet", "numeric": ["x"]}, tasks, tmp_path))


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("rating >= ", "tasks.like.label: something is missing, at character 10 of 'rating >= '"),
        ("rating >= 4", "data.numeric.*: column rating is the label of task like"),
    ],
)
def test_a_spec_names_the_place_of_a_wrong_label_and_a_feature_that_tells_it(label, message):
    with pytest.raises(SpecError, match=message):
        make_spec({"path": "a.parquet", "numeric": ["rating"]}, {"like": {"label": label}})


def test_a_part_of_a_ratio_may_be_a_feature():
    make_spec({"path": "a.parquet", "numeric": ["a"]}, {"like": {"label": "b / a > 0.8"}})
