"""Where rows may come from: directories, partitions, URLs, encodings; and damage of every kind."""

import gzip
import uuid

import fsspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.data_spec import make_spec

from automtl.data.cache import find_cached, open_data
from automtl.data.paths import data_files
from automtl.data.read import read_frame
from automtl.errors import DataError, SpecError

pytestmark = pytest.mark.usefixtures("loops")

CLICK = {"click": {"label": "click"}}
DATA = {"path": "rows", "categorical": ["user"], "numeric": ["age"], "split": {"time": "day"}}


def rows(day, num_rows=20):
    index = np.arange(num_rows)
    return pl.DataFrame({"user": index % 3, "age": index / 7, "click": (index + day) % 2})


def write_days(root, *, days=10):
    for day in range(days):
        folder = root / f"day=2022-05-{day + 1:02}"
        folder.mkdir(parents=True)
        rows(day).write_parquet(folder / "part-0.parquet")


def test_a_directory_of_days_is_read_with_what_its_directories_say(tmp_path):
    write_days(tmp_path / "rows")
    (tmp_path / "rows" / "_SUCCESS").touch()
    (tmp_path / "rows" / ".tmp").mkdir()
    rows(0).write_parquet(tmp_path / "rows" / ".tmp" / "half.parquet")
    frame = read_frame("rows", ["day", "age"], base_dir=tmp_path)
    assert frame.shape == (200, 2)
    assert frame["day"].unique().sort().to_list() == [f"2022-05-{day:02}" for day in range(1, 11)]
    data = open_data(make_spec(DATA, CLICK, tmp_path))
    assert dict(data.num_rows) == {"train": 160, "valid": 20, "test": 20}


def test_an_empty_directory_is_told(tmp_path):
    (tmp_path / "rows").mkdir()
    with pytest.raises(DataError, match=r"rows: the directory holds no data file \(\.parquet"):
        data_files("rows", base_dir=tmp_path)


@pytest.fixture
def bucket():
    root = f"memory://{uuid.uuid4().hex}"
    yield root
    fsspec.filesystem("memory").rm(root.removeprefix("memory:/"), recursive=True)


def put(url, content):
    with fsspec.open(url, "wb") as file:
        file.write(content)


def parquet_bytes(frame, tmp_path):
    frame.write_parquet(tmp_path / "one")
    return (tmp_path / "one").read_bytes()


def test_rows_behind_a_url_are_those_of_the_same_files_here(tmp_path, bucket):
    write_days(tmp_path / "rows")
    for file in sorted((tmp_path / "rows").rglob("*.parquet")):
        put(f"{bucket}/{file.relative_to(tmp_path)}", file.read_bytes())
    here = open_data(make_spec(DATA, CLICK, tmp_path))
    for path in (f"{bucket}/rows", f"{bucket}/rows/*/*.parquet"):
        there = open_data(make_spec({**DATA, "path": path}, CLICK, tmp_path))
        assert there.fingerprint == here.fingerprint
        for side in ("train", "valid", "test"):
            np.testing.assert_array_equal(there.rows(side).ids_NC, here.rows(side).ids_NC)
    text = rows(0).write_csv().encode()
    put(f"{bucket}/rows.csv.gz", gzip.compress(text))
    assert read_frame(f"{bucket}/rows.csv.gz").height == 20


def test_a_file_that_changed_behind_a_url_has_another_cache(tmp_path, bucket):
    write_days(tmp_path / "rows")
    data = {**DATA, "path": f"{bucket}/a.parquet", "split": {"random": True, "valid": 0.5}}
    put(f"{bucket}/a.parquet", parquet_bytes(rows(0), tmp_path))
    spec = make_spec(data, CLICK, tmp_path)
    open_data(spec)
    assert find_cached(spec) is not None
    put(f"{bucket}/a.parquet", parquet_bytes(rows(1), tmp_path))
    assert find_cached(spec) is None


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("memory://nowhere/a.parquet", "no such file, and no file matches"),
        ("nosuch://bucket/a.parquet", r"cannot be opened \(Protocol not known: nosuch"),
    ],
)
def test_a_url_that_leads_nowhere(url, message):
    with pytest.raises(DataError, match=message):
        data_files(url, base_dir=None)


def test_text_in_another_encoding(tmp_path):
    text = "user,age,click,split\n" + "".join(
        f"{'é' if i % 2 else 'ü'},{i},{i // 2 % 2},{side}\n"
        for side in ("train", "valid", "test")
        for i in range(8)
    )
    (tmp_path / "rows.csv").write_bytes(text.encode("latin1"))
    data = {"path": "rows.csv", "categorical": ["user"], "numeric": ["age"]}
    with pytest.raises(
        DataError, match=r"rows\.csv: is not UTF-8 text, see line 2.*`encoding: lat"
    ):
        open_data(make_spec(data, CLICK, tmp_path))
    opened = open_data(make_spec({**data, "encoding": "latin1"}, CLICK, tmp_path))
    assert sorted(opened.encoder.vocabularies["user"].to_list()) == ["é", "ü"]
    with pytest.raises(SpecError, match="there is no encoding 'latin12'; write utf8, latin1"):
        make_spec({**data, "encoding": "latin12"}, CLICK, tmp_path)


@pytest.mark.parametrize(
    ("codec", "name"),
    [("utf-16", "utf-16"), ("utf-16-be", "utf-16"), ("utf-32-le", "utf-32")],
)
def test_text_whose_first_bytes_say_what_it_is(tmp_path, codec, name):
    text = "user,click,split\n" + "".join(
        f"é,{i % 2},{side}\n" for side in ("train", "valid", "test") for i in range(8)
    )
    start = b"" if codec == "utf-16" else "\ufeff".encode(codec)
    (tmp_path / "rows.csv").write_bytes(start + text.encode(codec))
    data = {"path": "rows.csv", "categorical": ["user"]}
    message = rf"mark of {name.upper()}; write `encoding: {name}` under data .*iconv -f {name} -t"
    with pytest.raises(DataError, match=message):
        open_data(make_spec(data, CLICK, tmp_path))
    opened = open_data(make_spec({**data, "encoding": name}, CLICK, tmp_path))
    assert opened.encoder.vocabularies["user"].to_list() == ["é"]


def test_texts_that_stand_for_a_missing_value(tmp_path):
    text = "user\tage\tclick\tsplit\n" + "".join(
        f"{('x', marker)[i % 2]}\t{(i, marker)[i % 2]}\t{i // 2 % 2}\t{side}\n"
        for side in ("train", "valid", "test")
        for i, marker in enumerate(["NA", r"\N"] * 4)
    )
    (tmp_path / "rows.tsv").write_text(text)
    data = {"path": "rows.tsv", "categorical": ["user"], "numeric": ["age"]}
    plain = open_data(make_spec(data, CLICK, tmp_path))
    assert sorted(plain.encoder.vocabularies["user"].to_list()) == [r"\N", "x"]
    opened = open_data(make_spec({**data, "missing": [r"\N"]}, CLICK, tmp_path))
    assert opened.encoder.vocabularies["user"].to_list() == ["x"]
    assert (opened.rows("train").ids_NC[:, 0] == 0).sum() == 4
    assert opened.encoder.missing_texts == (r"\N",)
    np.testing.assert_array_equal(plain.rows("train").numeric_NF, opened.rows("train").numeric_NF)
    assert plain.fingerprint != opened.fingerprint


def test_without_such_texts_caches_and_specs_are_those_of_before(tmp_path):
    rows(0).with_columns(split=pl.Series(["train", "valid"] * 10)).write_csv(tmp_path / "a.csv")
    spec = make_spec({"path": "a.csv", "categorical": ["user"]}, CLICK, tmp_path)
    assert "missing" not in spec.to_dict()["data"]


# ---- a gap in time ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "gap"),
    [
        (pl.int_range(20), 2),
        (pl.int_range(20).cast(pl.Date), "2d"),
        (pl.int_range(20).cast(pl.Date).cast(pl.Datetime("ms")), "48h"),
        (pl.int_range(20).cast(pl.Date).cast(pl.String), "2d"),
    ],
)
def test_rows_in_the_gap_before_a_cut_are_on_no_side(tmp_path, column, gap):
    frame = pl.select(day=column).with_columns(
        user=pl.int_range(20), age=pl.int_range(20), click=pl.int_range(20) % 2
    )
    frame.write_parquet(tmp_path / "rows.parquet")
    split = {"time": "day", "valid": 0.3, "test": 0.2, "gap": gap}
    data = open_data(make_spec({**DATA, "path": "rows.parquet", "split": split}, CLICK, tmp_path))
    assert data.source_rows("train").tolist() == list(range(8))
    assert data.source_rows("valid").tolist() == list(range(10, 14))
    assert data.source_rows("test").tolist() == list(range(16, 20))


@pytest.mark.parametrize(
    ("gap", "message"),
    [
        ("2d", "data.split.gap: '2d', but column 'day' holds numbers; write 3600"),
        (99, "split by time 'day': no train rows"),
    ],
)
def test_a_gap_that_cannot_be(tmp_path, gap, message):
    rows(0).with_columns(day=pl.int_range(20)).write_parquet(tmp_path / "rows.parquet")
    split = {"time": "day", "gap": gap}
    with pytest.raises(DataError, match=message):
        open_data(make_spec({**DATA, "path": "rows.parquet", "split": split}, CLICK, tmp_path))
    with pytest.raises(SpecError, match=r"must be a stretch of time, not 2 days; write 90s, 30m"):
        make_spec({**DATA, "split": {"time": "day", "gap": "2 days"}}, CLICK, tmp_path)


# ---- damage ----------------------------------------------------------------------------------


def test_an_empty_file_among_many_and_a_file_without_rows(tmp_path):
    for name, text in {"1.csv": "x,y\n1,2\n", "2.csv": "x,y\n", "3.csv": "x,y\n3,4\n"}.items():
        (tmp_path / name).write_text(text)
    assert read_frame("*.csv", base_dir=tmp_path)["x"].to_list() == ["1", "3"]
    (tmp_path / "2.csv").write_text("")
    with pytest.raises(DataError, match=r"2\.csv: is empty; write a header line and rows"):
        read_frame("*.csv", base_dir=tmp_path)


def test_a_row_that_is_cut_short_far_down_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n" + "1,2\n" * 70_000 + "1\n" + "1,2\n" * 5)
    with pytest.raises(DataError, match=r"a\.csv: row 70000 \(counted from 0\): has fewer fields"):
        read_frame("a.csv", base_dir=tmp_path)


FUZZED = settings(max_examples=150)
WHOLE = pl.DataFrame(
    {"a": ["x", None, "zz"] * 20, "b": [1, 2, None] * 20, "c": [[1], [], [2, 3]] * 20}
)


def is_read_or_told(folder, name, content, columns):
    (folder / name).write_bytes(content)
    told = ""
    try:
        assert read_frame(name, columns, base_dir=folder).columns == columns
    except DataError as error:
        told = str(error)
    assert not told or name in told


@FUZZED
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(alphabet='ab,"\n\r\t1é|', max_size=80).map(lambda text: text.encode()),
    ),
    st.sampled_from(["a.csv", "a.tsv", "a.csv.gz", "a.csv.zst", "a.parquet"]),
)
def test_any_bytes_are_rows_or_an_error_that_names_the_file(tmp_path_factory, content, name):
    folder = tmp_path_factory.getbasetemp()
    if name.endswith(".gz"):
        content = gzip.compress(content)[: -1 if len(content) % 3 == 0 else None]
    is_read_or_told(folder, name, content, ["a", "b"])


@FUZZED
@given(st.data())
def test_a_damaged_parquet_file_is_rows_or_an_error_that_names_it(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp()
    content = bytearray(parquet_bytes(WHOLE, folder))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(content))))
    is_read_or_told(folder, "a.parquet", bytes(content[:cut]), ["a", "b", "c"])
