"""What raw values become: ids, scaled numbers, labels; and that a saved encoder does the same."""

import datetime as dt
import math
import re
from statistics import fmean, pstdev

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_series_equal
from support.data_spec import make_spec

from automtl.config import CategoricalFeature, FeatureSchema, SequenceFeature, Table, TaskSchema
from automtl.data.columns import as_keys
from automtl.data.encode import Encoder
from automtl.data.fit import fit_encoder
from automtl.errors import DataError

pytestmark = pytest.mark.usefixtures("loops")

CLICK = {"click": {"label": "click"}}
DAY = dt.timedelta(days=1)


def fit(frame, *, tasks=None, **data):
    """An encoder of `frame` as train rows; what a test does not look at is made up."""
    if tasks is None:
        tasks, frame = CLICK, frame.with_columns(click=pl.lit(0))
    if not data:
        data, frame = {"numeric": ["one"]}, frame.with_columns(one=pl.lit(1))
    return fit_encoder(frame, make_spec({"path": "rows.parquet", **data}, tasks))


def ids(encoder, **columns):
    return encoder.transform(pl.DataFrame(columns)).ids_NC.tolist()


# ---- categories ------------------------------------------------------------------------------


def test_ids_are_missing_unseen_then_by_falling_frequency_ties_by_value():
    encoder = fit(pl.DataFrame({"tab": ["b", "c", "c", "a", None]}), categorical=["tab"])
    assert encoder.vocabularies["tab"].to_list() == ["c", "a", "b"]
    assert encoder.features.tables == (Table(name="tab", num_rows=5),)
    assert ids(encoder, tab=[None, "zzz", "c", "a", "b"]) == [[0], [1], [2], [3], [4]]


def test_rare_values_and_those_beyond_the_limit_share_the_id_never_seen():
    frame = pl.DataFrame({"tab": ["a"] * 3 + ["b"] * 2 + ["c"] * 2 + ["d"]})
    encoder = fit(frame, categorical={"tab": {"min_count": 2}})
    assert ids(encoder, tab=["a", "b", "c", "d"]) == [[2], [3], [4], [1]]
    encoder = fit(frame, categorical={"tab": {"max_vocab": 1}})
    assert ids(encoder, tab=["a", "b", "c", "d"]) == [[2], [1], [1], [1]]


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([2, 10, 0, None], dtype=pl.Int8),
        pl.Series([2, 10, 0, None], dtype=pl.UInt64),
        pl.Series([2.0, 10.0, -0.0, float("nan")], dtype=pl.Float32),
        pl.Series(["2", "10", "0", None]),
        pl.Series(["2.0", "10.0", "-0.0", ""]),
        pl.Series(["2", "10", "0", None], dtype=pl.Categorical),
        pl.Series(["2", "10", "0", None], dtype=pl.Enum(["0", "2", "10"])),
        pl.Series(["2.00", "10.00", "0.00", None]).cast(pl.Decimal(10, 2)),
    ],
)
def test_equal_values_have_the_same_key_whatever_type_a_file_gave_them(values):
    assert as_keys(values).to_list() == ["2", "10", "0", None]
    encoder = fit(pl.DataFrame({"x": [2, 10, 10, 0]}), categorical=["x"])
    assert ids(encoder, x=values) == [[4], [2], [3], [0]]


def test_keys_of_other_values():
    assert as_keys(pl.Series([True, False, None])).to_list() == ["true", "false", None]
    assert as_keys(pl.Series(["True", "false", ""])).to_list() == ["true", "false", None]
    assert as_keys(pl.Series([0.5, 1e300, -1.25])).to_list()[::2] == ["0.5", "-1.25"]
    assert as_keys(pl.Series(["007", "1.50", "v2.0"])).to_list() == ["007", "1.50", "v2.0"]
    assert as_keys(pl.Series([19000]).cast(pl.Date)).to_list() == ["2022-01-08"]
    assert as_keys(pl.Series([None, None])).to_list() == [None, None]


def test_a_column_without_any_value_has_an_empty_vocabulary():
    encoder = fit(pl.DataFrame({"x": [None, None]}), categorical=["x"])
    assert encoder.features.tables == (Table(name="x", num_rows=2),)
    assert ids(encoder, x=["a", None]) == [[1], [0]]


# ---- sequences -------------------------------------------------------------------------------


def test_a_sequence_keeps_its_last_items_drops_missing_ones_and_is_padded_at_the_end():
    frame = pl.DataFrame({"seen": [["a"], ["b"], ["a"], ["c"]]})
    encoder = fit(frame, sequence={"seen": {"max_len": 3}})
    assert encoder.vocabularies["seen"].to_list() == ["a", "b", "c"]
    rows = [["a", "b"], ["c", "a", "b", "zzz"], [None, "b", None], [], None]
    assert ids(encoder, seen=rows) == [[2, 3, 0], [2, 3, 1], [3, 0, 0], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([[1, 2], [2, None]], dtype=pl.List(pl.Int16)),
        pl.Series([[1.0, 2.0], [2.0, float("nan")]]),
        pl.Series([[1, 2], [2, None]], dtype=pl.Array(pl.Int64, 2)),
        pl.Series(["1|2", "2|"]),
    ],
)
def test_lists_may_be_of_any_type_and_in_a_text_file_are_joined_by_bars(column):
    encoder = fit(pl.DataFrame({"seen": [[1], [1], [2]]}), sequence={"seen": {"max_len": 2}})
    assert ids(encoder, seen=column) == [[2, 3], [3, 0]]


def test_a_sequence_that_shares_a_column_shares_its_table_and_both_fill_the_vocabulary():
    frame = pl.DataFrame({"item": [5, 6], "seen": [[6, 7], [7, 7]], "other": [[9], None]})
    encoder = fit(
        frame,
        categorical={"item": {"min_count": 2}},
        sequence={"seen": {"shares": "item", "max_len": 2}, "other": {"max_len": 1}},
    )
    assert encoder.vocabularies["item"].to_list() == ["7", "6"]
    assert encoder.features == FeatureSchema(
        tables=(Table(name="item", num_rows=4), Table(name="other", num_rows=3)),
        categorical=(CategoricalFeature(name="item", table="item"),),
        sequence=(
            SequenceFeature(name="seen", table="item", max_len=2),
            SequenceFeature(name="other", table="other", max_len=1),
        ),
    )
    assert encoder.transform(frame).ids_NC.tolist() == [[1, 3, 2, 2], [3, 2, 2, 0]]


# ---- numbers ---------------------------------------------------------------------------------


def test_log1p_is_standardised_mirrored_below_zero_and_cut_into_bins_on_its_scale(tmp_path):
    train = [None, 0.0, 9.0, 99.0, -9.0, 1e9]
    encoder = fit(pl.DataFrame({"x": train}), numeric={"x": {"scale": "log1p"}})
    logs = [math.copysign(math.log1p(abs(x)), x) for x in train if x is not None]
    scaled = [(one - fmean(logs)) / pstdev(logs) for one in logs]
    rows = pl.DataFrame({"x": train})
    numeric_NF = encoder.transform(rows).numeric_NF
    np.testing.assert_allclose(numeric_NF[1:, 0], scaled, rtol=1e-5)
    assert numeric_NF[0].tolist() == [0, 1]
    edges = encoder.features.numeric[0].edges
    assert (edges[0], edges[-1]) == (pytest.approx(min(scaled)), pytest.approx(max(scaled)))
    assert len(edges) == len(set(logs)) + 1
    encoder.save(tmp_path)
    loaded = Encoder.load(tmp_path).transform(rows).numeric_NF
    np.testing.assert_array_equal(loaded, numeric_NF)


def test_numbers_are_standardised_by_train_rows_and_missing_ones_are_zero_and_indicated():
    encoder = fit(pl.DataFrame({"x": [1.0, 3.0, None], "y": [2, 4, 6]}), numeric=["x", "y"])
    assert [one.name for one in encoder.features.numeric] == ["x", "x:missing", "y"]
    rows = pl.DataFrame({"x": [5.0, None, float("nan")], "y": [4, None, 8]})
    std_y = np.sqrt(8 / 3)
    np.testing.assert_allclose(
        encoder.transform(rows).numeric_NF, [[3, 0, 0], [0, 1, 0], [0, 1, 4 / std_y]], rtol=1e-6
    )


def test_text_is_read_as_numbers_and_what_stands_for_none_is_missing():
    encoder = fit(pl.DataFrame({"x": ["1", " 3.0", "NA", "", "nan", "\\N"]}), numeric=["x"])
    assert encoder.transform(pl.DataFrame({"x": ["3e0", "null"]})).numeric_NF.tolist() == [
        [1, 0],
        [0, 1],
    ]


def test_a_constant_column_and_an_absurd_value_stay_finite():
    encoder = fit(
        pl.DataFrame({"x": [0.1] * 7, "y": [1e-320, 2e-320] + [0] * 5}).cast(pl.Float64),
        numeric=["x", "y"],
    )
    rows = pl.DataFrame({"x": [0.1, 1.1, 1e308], "y": [0.0, -1e308, 1e308]})
    np.testing.assert_allclose(encoder.transform(rows).numeric_NF[:, 0], [0, 1, 1e6], rtol=1e-6)
    assert np.isfinite(encoder.transform(rows).numeric_NF).all()


@pytest.mark.parametrize(
    ("role", "values", "message"),
    [
        ("numeric", [1.0, float("inf")], "column 'x', row 1 (counted from 0): inf is infinite"),
        ("numeric", ["1", "two"], "column 'x', row 1 (counted from 0): 'two' is not a number"),
        ("numeric", ["1", "25,42"], "'25,42' is not a number; it has a decimal comma; write 25.42"),
        ("numeric", ["-1.234,5"], "it has a decimal comma; write -1234.5, with a point"),
        ("numeric", ["25,420.00"], "it has separators of thousands; write 25420.00"),
        ("numeric", ["1,234"], "may be decimal or between thousands; write 1.234 or 1234"),
        ("numeric", ["1,2,3"], "'1,2,3' is not a number; name the column under `categorical`"),
        ("numeric", [[1], [2]], "column 'x': holds List(Int64), a number is needed"),
        ("categorical", [[1], [2]], "column 'x': holds List(Int64), a category is needed"),
        ("categorical", [DAY, DAY], "column 'x': holds Duration(time_unit='us'), a category is n"),
        ("sequence", [[DAY], [DAY]], "column 'x': holds Duration(time_unit='us'), a category is n"),
        ("categorical", [b"1", b"2"], "column 'x': holds Binary, a category is needed"),
        ("sequence", [1, 2], "column 'x': holds Int64, a sequence must be a list"),
        ("sequence", [[[1]], [[2]]], "column 'x': holds List(Int64), a category is needed"),
    ],
)
def test_values_that_do_not_fit_their_role(role, values, message):
    data = {role: {"x": {}} if role == "sequence" else ["x"]}
    with pytest.raises(DataError, match=re.escape(message)):
        fit(pl.DataFrame({"x": values}), **data)


# ---- rows to encode --------------------------------------------------------------------------


def test_labels_and_other_columns_are_not_needed_but_missing_features_are_all_named():
    frame = pl.DataFrame({"user": [1], "item": [2], "age": [3]})
    encoder = fit(frame, categorical=["user", "item"], numeric=["age"])
    assert encoder.columns == ("user", "item", "age")
    assert len(encoder.transform(frame.with_columns(z=pl.lit(1))).ids_NC) == 1
    with pytest.raises(DataError, match=r"no columns 'user', 'age' .*it has: item, ages"):
        encoder.transform(pl.DataFrame({"item": [2], "ages": [3]}))


def test_no_rows_give_arrays_without_rows():
    frame = pl.DataFrame({"u": [1], "s": [[1]], "x": [0.5]})
    encoder = fit(frame, categorical=["u"], numeric=["x"], sequence={"s": {"max_len": 4}})
    inputs = encoder.transform(frame.clear())
    assert (inputs.ids_NC.shape, inputs.numeric_NF.shape) == ((0, 5), (0, 1))
    assert (inputs.ids_NC.dtype, inputs.numeric_NF.dtype) == (np.int32, np.float32)


# ---- labels ----------------------------------------------------------------------------------

FUNNEL = {
    "buy": {"label": "bought", "given": "click"},
    "click": {"label": "clicked", "given": "view"},
    "view": {"label": "viewed"},
}
LOG = pl.DataFrame(
    {"viewed": [1, 1, 1, 0, None], "clicked": [1, 0, None, 1, 1], "bought": [1, 1, 1, 1, 1]}
)


def test_a_label_is_observed_where_its_whole_chain_of_conditions_holds():
    labels = fit(LOG, tasks=FUNNEL).labels(LOG)
    nan = float("nan")
    np.testing.assert_array_equal(
        labels, [[1, 1, 1], [nan, 0, 1], [nan, nan, 1], [nan, nan, 0], [nan, nan, nan]]
    )
    assert labels.dtype == np.float32


@pytest.mark.parametrize("values", [[True, False, None], ["True", "0", ""], ["1.0", "false", "NA"]])
def test_binary_labels_may_be_booleans_or_text_of_either(values):
    frame = pl.DataFrame({"click": values})
    assert fit(frame, tasks=CLICK).labels(frame)[:, 0].tolist()[:2] == [1, 0]


def test_regression_labels_are_fitted_on_observed_train_rows():
    frame = pl.DataFrame({"buy": [1, 1, 0, 1], "spend": [1.0, np.e**2, -7.0, None]})
    tasks = {
        "buy": {"label": "buy"},
        "spend": {"label": "spend", "type": "regression", "given": "buy", "loss": "lognormal"},
        "plain": {"label": "spend", "type": "regression"},
    }
    buy, spend, plain = fit(frame, tasks=tasks).tasks
    assert buy == TaskSchema(name="buy")
    assert (spend.loss, spend.given) == ("lognormal", "buy")
    assert (spend.mean, spend.std) == pytest.approx((1, 1), rel=1e-6)
    values = [1, np.e**2, -7]
    assert (plain.loss, plain.mean, plain.std) == (
        "mse",
        pytest.approx(np.mean(values)),
        pytest.approx(np.std(values)),
    )


@pytest.mark.parametrize(
    ("task", "values", "message"),
    [
        ({}, [0, 1, 2, 2], "column 'y' (label of task 't'), row 2 (counted from 0): 2 is not 0 or"),
        ({}, ["0", "yes"], "column 'y', row 1 (counted from 0): 'yes' is not a number; the binary"),
        (
            {"type": "regression"},
            [1.0, float("inf")],
            "row 1 (counted from 0): inf is not a finite",
        ),
        ({"type": "regression"}, [1.0, 1e39], "row 1 (counted from 0): 1e+39 is not a finite"),
        (
            {"type": "regression", "loss": "lognormal"},
            [1.0, 0.0],
            "row 1 (counted from 0): 0.0 is not above 0, which `loss: lognormal` needs",
        ),
    ],
)
def test_labels_that_cannot_be_learned_from(task, values, message):
    with pytest.raises(DataError, match=re.escape(message)):
        fit(pl.DataFrame({"y": values}), tasks={"t": {"label": "y", **task}})


def test_all_wrong_labels_are_told_at_once_but_only_where_they_are_observed():
    tasks = {
        "a": {"label": "a"},
        "b": {"label": "b", "given": "a"},
        "c": {"label": "c"},
    }
    fine = pl.DataFrame({"a": [1, 0], "b": [1, -1], "c": [0, 1]})
    assert fit(fine, tasks=tasks).labels(fine)[0].tolist() == [1, 1, 0]
    wrong = pl.DataFrame({"a": [1, 0], "b": [3, -1], "c": [0, 4]})
    with pytest.raises(DataError, match=r"task 'b'.* 3 is not[^\n]*\n.*task 'c'.* 4 is not"):
        fit(wrong, tasks=tasks)


def test_missing_label_columns_are_named_when_labels_are_asked_for():
    with pytest.raises(DataError, match="no columns 'bought', 'viewed'"):
        fit(LOG, tasks=FUNNEL).labels(LOG.select("clicked"))


# ---- on disk ---------------------------------------------------------------------------------


def saved(directory):
    frame = pl.DataFrame(
        {"u": ["ü", "b", "b"], "s": [["b", "c"], [], None], "x": [0.1, None, 0.7], "y": [1, 2, 4]}
    )
    encoder = fit(
        frame,
        tasks={"t": {"label": "y", "type": "regression"}},
        categorical=["u"],
        numeric=["x"],
        sequence={"s": {"shares": "u"}},
    )
    encoder.save(directory)
    return encoder, frame


def test_a_loaded_encoder_is_the_saved_one(tmp_path):
    encoder, frame = saved(tmp_path / "new" / "encoder")
    loaded = Encoder.load(tmp_path / "new" / "encoder")
    assert (loaded.features, loaded.tasks, loaded.scalings, loaded.label_columns) == (
        encoder.features,
        encoder.tasks,
        encoder.scalings,
        encoder.label_columns,
    )
    assert_series_equal(loaded.vocabularies["u"], encoder.vocabularies["u"])
    assert loaded.transform(frame).ids_NC.tolist() == encoder.transform(frame).ids_NC.tolist()
    assert {file.name for file in (tmp_path / "new" / "encoder").iterdir()} == {
        "encoder.json",
        "vocabularies.parquet",
    }


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: (d / "encoder.json").unlink(), "no encoder, or a damaged one"),
        (lambda d: (d / "vocabularies.parquet").unlink(), "no encoder, or a damaged one"),
        (lambda d: (d / "encoder.json").write_text("{"), "no encoder, or a damaged one"),
        (lambda d: (d / "encoder.json").write_text('{"version": 99}'), "encoder of version 99"),
        (
            lambda d: pl.read_parquet(d / "vocabularies.parquet")[1:].write_parquet(
                d / "vocabularies.parquet"
            ),
            "table 'u' does not have 5 rows",
        ),
    ],
)
def test_a_damaged_encoder_is_told(tmp_path, damage, message):
    saved(tmp_path)
    damage(tmp_path)
    with pytest.raises(DataError, match=message):
        Encoder.load(tmp_path)
