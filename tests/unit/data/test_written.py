"""Text that is written plainly is taken for what it stands for, and no other text is."""

import itertools
import json

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.data_spec import make_spec, write_encoded

from automtl.data import delimited
from automtl.data.batch import Batch
from automtl.data.columns import ColumnError, as_keys, number_array
from automtl.data.source import FileSource, FrameSource
from automtl.data.written import PART, are_keys, num_digits, plain_integers, plain_numbers

pytestmark = pytest.mark.usefixtures("loops")

ODD = ["01", "+1", "-0", " 1", "1 ", "1.0", "1e3", "0x1F", "0XFFFFFFFFFF", "-", "", "٣", str(2**63)]
INT64 = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.none() | INT64))
@example([])
@example([None])
@example([-(2**63), 2**63 - 1, 0, 9, 10, 99, 100])
def test_integers_as_str_writes_them_are_these(values):
    text = pa.array([None if one is None else str(one) for one in values], pa.string())
    assert plain_integers(text).to_pylist() == values
    assert plain_integers(text.cast(pa.large_string())).to_pylist() == values
    assert plain_integers(text[1:]).to_pylist() == values[1:]


@pytest.mark.parametrize("odd", ODD)
def test_one_text_that_is_no_such_integer_leaves_the_column_text(odd):
    for column in ([odd], ["7", odd], [odd, "7", None], ["123456789", None, odd, "0"]):
        assert plain_integers(pa.array(column)) is None


@given(values=st.lists(INT64))
def test_integers_have_as_many_digits_as_their_text(values):
    digits = num_digits(np.array(values, dtype=np.int64))
    assert digits.tolist() == [len(str(abs(value))) for value in values]


def test_text_whose_letters_lie_elsewhere_is_left_alone():
    assert plain_integers(pa.array(["1"], pa.string_view())) is None
    assert not are_keys(pa.array(["a"], pa.string_view()))


@given(
    st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False) | INT64), st.booleans()
)
def test_plain_numbers_have_the_bits_that_reading_text_gives(values, is_short):
    text = [one if one is None else f"{one:.6g}" if is_short else repr(one) for one in values]
    found = plain_numbers(pa.array(text, pa.string()))
    by_text = number_array(pl.Series("x", text, pl.String), hint="")
    assert found is None or found.tobytes() == by_text.tobytes()
    assert found is not None or np.isinf(by_text).any()


@given(st.text("0123456789+-.eEnaifNAx_ ", min_size=1))
def test_what_is_taken_for_a_number_is_one_to_who_reads_text(text):
    if (found := plain_numbers(pa.array([text]))) is not None:
        assert found.tobytes() == number_array(pl.Series([text]), hint="").tobytes()


@pytest.mark.parametrize("odd", ["NA", "nan", "inf", "1e999", " 1", "many"])
def test_what_is_no_finite_number_is_left_to_who_reads_text(odd):
    assert plain_numbers(pa.array(["1", odd])) is None


KEYS = ["a", "True", "False", "-0", "0", "7.0", "7.50", "-3.000", "v1.0", "", "truer", "2022-01-02"]


@given(st.lists(st.none() | st.sampled_from(KEYS) | st.text()))
def test_text_that_a_quick_look_takes_for_keys_is_its_own_key(values):
    if are_keys(pa.array(values, pa.string())):
        assert as_keys(pl.Series(values, dtype=pl.String)).to_list() == values


def test_a_quick_look_takes_plain_words_for_keys():
    assert are_keys(pa.array(["a", "value_10", None, "café", "12"]))
    assert not any(are_keys(pa.array(["a", None, odd])) for odd in ["True", "-0", "", "7.0"])


@pytest.mark.parametrize("place", range(PART - 6, PART + 2))
def test_a_quick_look_misses_nothing_where_a_part_of_the_letters_ends(place):
    letters = "x" * place + "False" + "x" * (PART - place)
    array = pa.array([letters[:place], "False", letters[place + 5 :]])
    assert not are_keys(array)
    assert are_keys(pa.array([letters]))


# ---- columns of a text file ----------------------------------------------------------------

TASKS = {"click": {"label": "click"}, "spend": {"label": "spend", "type": "regression"}}
IDS = {
    "plain": [str(one) for one in range(-3, 9)],
    "holes": ["5", "", "17", "900"],
    "hashed": ["5", "-17", "", str(2**62)],
    "far": [str(one) for one in (-(2**63), 0, 2**63 - 1, 12)],
    "empty": [""],
    **{f"odd {odd!r}": ["1", "0", "31", odd] for odd in ODD[:-2]},
}
FIRST_ROWS = 60  # those of the first file: behind them another file, then another batch


def text_rows(num_rows=240):
    """Columns of text, `late` and `early` of integers in a part of the rows only."""
    rng = np.random.default_rng(0)
    frame = {name: rng.choice(values, num_rows) for name, values in IDS.items()}
    integers = rng.choice(["1", "2", "30"], num_rows)
    words = rng.choice(["1", "2", "01", "x", "2.0"], num_rows)
    is_first = np.arange(num_rows) < FIRST_ROWS
    frame |= {
        "late": np.where(is_first, words, integers),
        "early": np.where(is_first, integers, words),
        "number": rng.choice(["1.5", "2", "", "NA", " 3"], num_rows),
        "click": rng.choice(["0", "1", "True", "false", ""], num_rows),
        "spend": rng.choice(["0.25", "1e3", "-7", "NaN"], num_rows),
        "day": np.sort(rng.choice(["1", "2", "3", "4", "5", "10"], num_rows)),
    }
    return pl.DataFrame(frame).with_columns(pl.all().replace("", None))


def written_rows(frame, folder):
    """Files of the rows, and the spec that reads them."""
    for number, (low, high) in enumerate(itertools.pairwise([0, FIRST_ROWS, frame.height])):
        frame[low:high].write_csv(folder / f"{number}.csv")
    categorical = {name: {} for name in [*IDS, "late", "early"]} | {"hashed": {"hash": 100}}
    data = {"path": "*.csv", "split": {"time": "day"}, "categorical": categorical}
    return make_spec({**data, "numeric": ["number"]}, TASKS, base_dir=folder)


def encoded(spec, source, directory):
    """The bytes of all that is written."""
    write_encoded(spec, source, directory)
    files = [file for file in directory.rglob("*") if file.is_file()]
    return {str(file.relative_to(directory)): file.read_bytes() for file in files}


def rounded(encoder_json):
    """Means and deviations but for the last digits."""

    def parsed(number):
        return f"{float(number):.13g}"

    return json.loads(encoder_json, parse_float=parsed)


def test_a_text_file_becomes_what_its_text_becomes(tmp_path, monkeypatch, loops):
    """Rows in memory stay text, so they say what that becomes."""
    monkeypatch.setattr(delimited, "BLOCK", 4000)
    frame = text_rows()
    spec = written_rows(frame, tmp_path)
    files = FileSource(spec.data_files())
    assert len(list(files.batches(frame.columns))) > 2, "the second file comes in several batches"
    found = encoded(spec, files, tmp_path / "files")
    by_text = encoded(spec, FrameSource(frame, "rows"), tmp_path / "memory")
    assert found.keys() == by_text.keys()
    if loops == "compiled":  # which add numbers up in another order, batch by batch
        jsons = [written.pop("encoder/encoder.json") for written in (found, by_text)]
        assert rounded(jsons[0]) == rounded(jsons[1])
    assert [name for name in found if found[name] != by_text[name]] == []


@pytest.mark.parametrize(
    ("column", "text", "rule"),
    [
        ("number", "many", "'many' is not a number; name the column under"),
        ("number", "inf", "'inf' is infinite"),
        ("click", "2", "'2' is not 0 or 1; write 0 and 1 into the column"),
        ("click", "maybe", "'maybe' is not a number; the binary task 'click' needs 0 or 1"),
    ],
)
def test_an_error_says_what_stands_in_which_row(tmp_path, column, text, rule):
    row = 3
    frame = text_rows()
    values = frame[column].to_list()
    values[FIRST_ROWS + row] = text
    spec = written_rows(frame.with_columns(pl.Series(column, values)), tmp_path)
    with pytest.raises(ColumnError) as raised:
        encoded(spec, FileSource(spec.data_files()), tmp_path / "files")
    message = str(raised.value)
    assert message.startswith(f"{tmp_path / '1.csv'}: column {column!r}")
    assert f"row {row} (counted from 0): {rule}" in message


def test_labels_by_their_distinct_values_may_name_some_that_no_row_has():
    from automtl.data.labels import label_matrix

    spec = make_spec({"path": "*.csv", "categorical": ["plain"]}, {"click": {"label": "click"}})
    codes = pa.array([1, 2, None], pa.int8())
    column = pa.DictionaryArray.from_arrays(codes, ["no label", "1", "False"])
    batch = Batch(pa.RecordBatch.from_arrays([column], names=["click"]))
    labels_NK = label_matrix(batch, {"click": "click"}, spec.task_schemas())
    np.testing.assert_array_equal(labels_NK[:, 0], [1, 0, np.nan])
