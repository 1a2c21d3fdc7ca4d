"""Files to frames: which columns come, in which type, and what each damage is called."""

import gzip
import re
import weakref
from contextlib import suppress

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from automtl.data import delimited
from automtl.data.arrow_types import have_places
from automtl.data.header import column_names
from automtl.data.paths import cache_root, data_files
from automtl.data.read import describe_columns, read_frame
from automtl.errors import DataError
from automtl.spec.column_info import ColumnInfo

ROWS = pl.DataFrame({"user": [7, 8, None], "code": ["007", "x", None], "price": [1.5, None, 2.0]})


def test_parquet_keeps_its_types_and_only_the_named_columns_come_in_their_order(tmp_path):
    ROWS.write_parquet(tmp_path / "a.parquet")
    frame = read_frame(tmp_path / "a.parquet", ["price", "user"])
    assert_frame_equal(frame, ROWS.select("price", "user"))


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz", "a.CSV"])
def test_columns_of_a_text_file_arrive_as_text_with_null_for_an_empty_field(tmp_path, name):
    text = ROWS.write_csv(separator="\t" if ".tsv" in name else ",").encode()
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    assert column_names(tmp_path / name) == ["user", "code", "price"]
    assert read_frame(tmp_path / name).to_dict(as_series=False) == {
        "user": ["7", "8", None],
        "code": ["007", "x", None],
        "price": ["1.5", None, "2.0"],
    }
    assert read_frame(tmp_path / name, ["code"]).columns == ["code"]


def test_globs_are_sorted_lists_keep_their_order_and_no_file_is_read_twice(tmp_path):
    for name in ("b.csv", "a.csv", "c.csv", ".hidden.csv"):
        (tmp_path / name).write_text("x\n1\n")
    assert [file.name for file in data_files("*.csv", base_dir=tmp_path)] == [
        "a.csv",
        "b.csv",
        "c.csv",
    ]
    files = data_files(["c.csv", str(tmp_path / "*.csv"), "./c.csv"], base_dir=tmp_path)
    assert [file.name for file in files] == ["c.csv", "a.csv", "b.csv"]
    assert len(read_frame("[ab].csv", base_dir=tmp_path)) == 2


def test_a_base_directory_with_brackets_is_no_glob(tmp_path):
    base = tmp_path / "runs [1]"
    base.mkdir()
    (base / "a.csv").write_text("x\n1\n")
    assert len(data_files("*.csv", base_dir=base)) == 1
    assert len(data_files("a.csv", base_dir=base)) == 1


def test_files_are_stacked_when_integer_widths_differ_but_not_text_on_numbers(tmp_path):
    pl.DataFrame({"x": pl.Series([1], dtype=pl.Int8)}).write_parquet(tmp_path / "1.parquet")
    pl.DataFrame({"x": pl.Series([300], dtype=pl.Int64)}).write_parquet(tmp_path / "2.parquet")
    assert read_frame("*.parquet", base_dir=tmp_path)["x"].to_list() == [1, 300]
    pl.DataFrame({"x": ["a"]}).write_parquet(tmp_path / "3.parquet")
    with pytest.raises(DataError, match=r"3\.parquet: column 'x' holds String, in .*1\.parquet"):
        read_frame("*.parquet", base_dir=tmp_path)


def test_a_later_file_without_a_column_is_named(tmp_path):
    (tmp_path / "1.csv").write_text("x,y\n1,2\n")
    (tmp_path / "2.csv").write_text("x,z\n1,2\n")
    with pytest.raises(DataError, match=r"2\.csv: no column 'y'"):
        read_frame("*.csv", base_dir=tmp_path)


def test_all_unknown_columns_are_named_with_what_was_meant_and_what_is_there(tmp_path):
    ROWS.write_parquet(tmp_path / "a.parquet")
    message = "a.parquet: no columns 'usr' (did you mean 'user'?), 'zzz'; it has: user, code, price"
    with pytest.raises(DataError, match=re.escape(message)):
        read_frame(tmp_path / "a.parquet", ["usr", "code", "zzz"])


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nope.parquet", "nope.parquet: no such file (looked for "),
        ("x" * 300, "xxx: cannot be looked at (File name too long); check the path and its"),
        ("*.parquet", "*.parquet: no file matches (looked for "),
        ("folder", "folder: the directory holds no data file (.parquet, "),
        ("a.xlsx", "a.xlsx: unknown kind of file; the name must end in .parquet, .csv or .tsv"),
        ("empty.csv", "empty.csv: is empty; write a header line"),
        ("latin1.csv", r"latin1.csv: is not UTF-8 text, see line 2: b'1,\xe9\n'; write `encod"),
        (
            "long.csv",
            "long.csv: row 1 (counted from 0): has more fields than the header (3,",
        ),
        (
            "short.csv",
            "short.csv: row 0 (counted from 0): has fewer fields than the header (1",
        ),
        ("twice.csv", "twice.csv: has several columns named 'a'; rename all but one"),
        ("twice.csv", "or write a line of names above it if its first line holds values"),
        (
            "excel.csv",
            "excel.csv: its lines look separated by ';', those of .csv are by commas;"
            " write it anew: polars.read_csv(FILE, separator=';', infer_schema=False)",
        ),
        ("tabs.csv.gz", "look separated by tabs; give it a name that ends in .tsv.gz"),
        ("commas.tsv", "look separated by commas; give it a name that ends in .csv"),
        ("cut.csv.gz", "cut.csv.gz: cannot be read, it may be cut short or damaged"),
        ("cut.pq", "cut.pq: cannot be read, it may be cut short or damaged"),
    ],
)
def test_what_cannot_be_read_is_named_with_the_reason(tmp_path, path, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    (tmp_path / "empty.csv").touch()
    (tmp_path / "latin1.csv").write_bytes("a,b\n1,é\n".encode("latin1"))
    (tmp_path / "long.csv").write_text("a,b\n1,2\n1,2,3\n")
    (tmp_path / "short.csv").write_text("a,b\n1\n")
    (tmp_path / "excel.csv").write_text("a;b;c\r\n1;2,5;3\r\n")
    (tmp_path / "tabs.csv.gz").write_bytes(gzip.compress(b"a\tb\n1\t2\n"))
    (tmp_path / "commas.tsv").write_text("a,b\n")
    (tmp_path / "twice.csv").write_text("a,a\n1,2\n")
    packed = gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(9000)))
    (tmp_path / "cut.csv.gz").write_bytes(packed[: len(packed) // 2])
    ROWS.write_parquet(tmp_path / "whole")
    (tmp_path / "cut.pq").write_bytes((tmp_path / "whole").read_bytes()[:-20])
    with pytest.raises(DataError, match=re.escape(message)):
        read_frame(path, base_dir=tmp_path)


@pytest.mark.parametrize("kind", [pa.int8(), pa.int32()])
@pytest.mark.parametrize(
    ("places", "are_good"), [([0, 1, 1], True), ([0, 2], False), ([-1, 0], False), ([], True)]
)
def test_a_place_that_no_distinct_value_has_is_seen(places, are_good, kind):
    indices = pa.array([7, *places], kind)
    column = pa.DictionaryArray.from_arrays(indices, pa.array(["a", "b"]), safe=False)
    assert have_places(column[1:]) == are_good
    assert not have_places(column)


@pytest.mark.parametrize("lines", [["1,2", "3"], ["1,2,3"], ["1,2", "3,4"]])
def test_pyarrow_has_let_go_of_what_it_asks_when_reading_ends(tmp_path, monkeypatch, lines):
    """A thread that gave it back while the interpreter goes would abort the process."""
    path, asked = tmp_path / "rows.csv", []

    class Stop(delimited._Stop):
        def __init__(self, bad_rows):
            super().__init__(bad_rows)
            asked.append(weakref.ref(self))

    monkeypatch.setattr(delimited, "_Stop", Stop)
    path.write_text("\n".join(["a,b", *lines]))
    batches = delimited.delimited_batches(path, ",", ["a"])
    with suppress(DataError):  # of the others the rest is left
        next(batches)
        batches.close()
    assert asked
    assert not any(one() for one in asked)


def test_the_cache_goes_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("AUTOMTL_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_root() == tmp_path / "own"
    monkeypatch.delenv("AUTOMTL_CACHE")
    assert cache_root() == tmp_path / "xdg" / "automtl"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_root() == tmp_path / ".cache" / "automtl"


# ---- describing columns ----------------------------------------------------------------------

TYPED = pl.DataFrame(
    {
        "user": [3, 1, 3, None],
        "price": [0.5, float("nan"), 2.0, None],
        "code": ["007", "12", "9", "9"],
        "ok": [True, False, None, True],
        "day": ["2022-05-01", "2022-04-30", "2022-05-01", "2022-05-02"],
        "seen": [[5, 9], [5], None, []],
        "nothing": [None] * 4,
    }
)


def described(path):
    is_text = path.suffix != ".parquet"
    return {column.name: column for column in describe_columns(read_frame(path), is_text=is_text)}


def test_columns_of_a_parquet_file_are_what_the_file_says(tmp_path):
    odd = TYPED.with_columns(
        pl.col("day").str.to_date(),
        clock=pl.time(18, 30),
        length=pl.duration(days=1),
        blob=pl.lit(b"x"),
        struct=pl.struct("user"),
        deep=[[[1]]] * 4,
    )
    odd.write_parquet(tmp_path / "a.parquet")
    columns = described(tmp_path / "a.parquet")
    assert {name: column.kind for name, column in columns.items()} == {
        "user": "int",
        "price": "float",
        "code": "string",
        "ok": "bool",
        "day": "date",
        "seen": "list",
        "nothing": "string",
        "clock": "string",
    }
    assert columns["user"] == ColumnInfo(
        name="user",
        kind="int",
        num_unique=2,
        num_null=1,
        num_rows=4,
        minimum=1,
        median=3,
        maximum=3,
        examples=(3, 1),
    )
    assert (columns["price"].num_null, columns["price"].minimum) == (2, 0.5)
    assert (columns["seen"].num_null, columns["seen"].maximum, columns["seen"].examples) == (
        1,
        9,
        (5, 9),
    )


def test_columns_of_a_text_file_are_what_their_values_say(tmp_path):
    text = TYPED.with_columns(pl.col("seen").cast(pl.List(pl.String)).list.join("|"))
    text.write_csv(tmp_path / "a.csv")
    columns = described(tmp_path / "a.csv")
    assert {name: column.kind for name, column in columns.items()} == {
        "user": "int",
        "price": "float",
        "code": "string",
        "ok": "bool",
        "day": "date",
        "seen": "list",
        "nothing": "string",
    }
    assert columns["user"].examples == (3, 1)
    assert (columns["price"].num_null, columns["price"].maximum) == (2, 2.0)
    assert (columns["seen"].minimum, columns["seen"].maximum) == (5, 9)
    assert (columns["day"].minimum, columns["day"].num_unique) == ("2022-04-30", 3)
    assert (columns["nothing"].num_unique, columns["nothing"].num_null) == (0, 4)


def test_one_column_whose_name_holds_a_separator_is_one_column(tmp_path):
    (tmp_path / "a.csv").write_text("likes;dislikes\n7\n")
    assert column_names(tmp_path / "a.csv") == ["likes;dislikes"]


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        ("2022-04-30 10:00:00+01:00", "date"),
        ("2022-04-30T10:00:00.25+0100", "date"),
        ("2022-04-30 10:00:00 UTC", "date"),
        ("2022-02-30", "string"),
        ("2022-04-30 ok", "string"),
    ],
)
def test_text_is_a_date_where_it_can_be_read_as_a_time(tmp_path, last, kind):
    pl.DataFrame({"t": ["2022-04-25", last]}).write_csv(tmp_path / "a.csv")
    assert described(tmp_path / "a.csv")["t"].kind == kind


@pytest.mark.parametrize(
    ("values", "has_commas"),
    [
        (["25,42", "3", None, "NA"], True),
        (["25,420.00", "960.00"], True),
        (["1.234,5", "1\u202f234,5", "-0,5"], True),
        (["1'234", "12"], True),
        (["110 001", "110 002"], False),
        (["1,2,3", "2,3"], False),
        (["25,42", "S"], False),
        (["a", None], False),
        (["1.5", "2"], False),
    ],
)
def test_text_that_is_numbers_with_commas_is_told_from_other_text(values, has_commas):
    (column,) = describe_columns(pl.DataFrame({"x": values}), is_text=True)
    assert column.has_commas is has_commas
