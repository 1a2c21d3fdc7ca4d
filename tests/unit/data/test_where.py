"""`data.where`: which rows are read, and what need not be read to leave the others out."""

import datetime as dt
import re

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.data_spec import make_spec

from automtl.data.batch import Batch
from automtl.data.build import raw_columns
from automtl.data.cache import open_data
from automtl.data.header import own_columns
from automtl.data.parquet import parquet_batches
from automtl.data.where import Where
from automtl.errors import DataError

pytestmark = pytest.mark.usefixtures("loops")

MAY_4 = dt.date(2024, 5, 4)
CLICK = {"click": {"label": "click"}}
DATA = {"path": "rows.parquet", "numeric": ["x"]}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOMTL_CACHE", str(tmp_path / "cache"))


def rows(num_rows=80):
    number = np.arange(num_rows)
    return pl.DataFrame(
        {
            "x": number / 2,
            "tab": [None if i % 11 == 0 else f"t{i % 3}" for i in number],
            "day": [dt.date(2024, 5, 1) + dt.timedelta(days=int(i) // 10) for i in number],
            "click": number // 4 % 2,
            "split": ["train", "train", "valid", "test"] * (num_rows // 4),
        }
    )


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("tab == 't1' and x > 8", (pl.col("tab") == "t1") & (pl.col("x") > 8)),
        ("tab != 't1'", pl.col("tab") != "t1"),  # what is unknown is not kept
        ("day >= '2024-05-04' or x < 4", (pl.col("day") >= MAY_4) | (pl.col("x") < 4)),
        ("x / 2 > 5", pl.col("x") > 10),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["parquet", "csv", "frame"])
def test_rows_are_those_of_the_file_without_the_others(tmp_path, where, kept, kind):
    frame = rows()
    frame.write_parquet(tmp_path / "rows.parquet", row_group_size=16)
    frame.write_csv(tmp_path / "rows.csv")
    path = "rows.csv" if kind == "csv" else "rows.parquet"
    spec = make_spec({**DATA, "path": path, "where": where}, CLICK, tmp_path)
    data = open_data(spec, frame=frame if kind == "frame" else None)
    wanted = frame.filter(kept)
    assert (data.num_all, data.num_read) == (80, wanted.height)
    for split in ("train", "valid", "test"):
        expected = wanted.filter(pl.col("split") == split)
        assert data.num_rows[split] == expected.height
        got = data.rows(split)
        np.testing.assert_array_equal(got.labels_NK[:, 0], expected["click"].to_numpy())
        if kind != "frame":  # the numbers of rows find them again
            again = raw_columns(spec, ["x"])["x"][data.source_rows(split)]
            assert again.cast(pl.Float64).to_list() == expected["x"].to_list()


def test_another_where_is_another_cache_and_other_rows(tmp_path):
    rows().write_parquet(tmp_path / "rows.parquet")
    specs = [make_spec({**DATA, "where": w}, CLICK, tmp_path) for w in (None, "x > 1", "x > 2")]
    assert len({open_data(spec).fingerprint for spec in specs}) == 3


def test_an_error_names_the_row_of_the_file(tmp_path):
    frame = rows().with_columns(
        x=pl.when(pl.col("x") == 35).then(pl.lit("many")).otherwise(pl.lit("1"))
    )
    frame.write_parquet(tmp_path / "rows.parquet", row_group_size=16)
    with pytest.raises(DataError, match=re.escape("column 'x', row 70 (counted from 0): 'many'")):
        open_data(make_spec({**DATA, "where": "day > '2024-05-03'"}, CLICK, tmp_path))


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("x > 1000", "of which 'x > 1000' is true; a search needs"),
        ("nothing == 3", "no column 'nothing'"),
        ("tab > 3", "'t1' is not a number; 'tab > 3' reads it as a number"),
    ],
)
def test_what_keeps_no_row_or_cannot_be_told_is_an_error(tmp_path, where, says):
    rows().write_parquet(tmp_path / "rows.parquet")
    with pytest.raises(DataError, match=re.escape(says)):
        open_data(make_spec({**DATA, "where": where}, CLICK, tmp_path))


def test_days_that_are_not_wanted_are_not_read(tmp_path, monkeypatch):
    for day in range(1, 5):
        folder = tmp_path / "rows" / f"day=2024-05-0{day}"
        folder.mkdir(parents=True)
        rows().drop("day").write_parquet(folder / "a.parquet")
    read = []

    def noted(file, *args, **kwargs):
        read.append(file.parent.name)
        return parquet_batches(file, *args, **kwargs)

    monkeypatch.setattr("automtl.data.source.parquet_batches", noted)
    spec = make_spec({**DATA, "path": "rows", "where": "day >= '2024-05-03'"}, CLICK, tmp_path)
    assert open_data(spec).num_read == 160
    assert set(read) == {"day=2024-05-03", "day=2024-05-04"}


TERMS = st.sampled_from(
    ["n >= 3", "n == 7", "4 > n", "f < 2.5", "f >= -1", "n is not null", "f is not null",
     "d >= '2024-01-05'", "d == '2024-01-03'", "t == 'a'", "n < 2.5", "n != 3", "f / n > 1",
     "not n < 4", "n in (1, 2)", "(n > 8 or f > 0)"]
)  # fmt: skip
ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(-2, 12)),
        st.one_of(st.none(), st.just(float("nan")), st.floats(-5, 5)),
        st.one_of(st.none(), st.integers(1, 9)),
        st.sampled_from([None, "a", " a", "b"]),
    ),
    min_size=1,
    max_size=24,
)


@settings(deadline=None, max_examples=60)
@given(ROWS, st.lists(TERMS, min_size=1, max_size=3), st.integers(1, 5))
def test_a_row_group_is_left_out_only_if_no_row_of_it_is_kept(tmp_path_factory, rows, terms, size):
    n, f, d, t = zip(*rows, strict=True)
    frame = pl.DataFrame(
        {
            "n": pl.Series(n, dtype=pl.Int32),
            "f": pl.Series(f, dtype=pl.Float64),
            "d": pl.Series([one and dt.date(2024, 1, one) for one in d], dtype=pl.Date),
            "t": pl.Series(t, dtype=pl.String),
            "row": np.arange(len(rows)),
        }
    )  # fmt: skip
    file = tmp_path_factory.mktemp("groups") / "rows.parquet"
    pq.write_table(frame.to_arrow(), file, row_group_size=size)
    where = Where(" and ".join(terms))
    kept = frame["row"].filter(pl.Series(where.keeps(Batch(frame)))).to_list()
    found, places = [], []
    names = own_columns(file)
    for batch, first, _ in parquet_batches(file, names, batch_rows=4, where=where.filter):
        numbers = batch.column("row").to_pylist()
        places += numbers
        assert numbers[0] == first
        is_kept = where.keeps(Batch(batch))
        found += [number for number, one in zip(numbers, is_kept, strict=True) if one]
    assert found == kept
    assert places == sorted(places)


def test_sorted_rows_are_read_in_part(tmp_path):
    pq.write_table(rows().to_arrow(), tmp_path / "rows.parquet", row_group_size=10)
    for where, groups in [
        ("x >= 30", 2),
        ("x >= 30 and tab == 't1'", 2),
        ("day == '2024-05-02'", 1),
        ("tab == 't1'", 8),
    ]:
        batches = parquet_batches(
            tmp_path / "rows.parquet", ["x"], batch_rows=100, where=Where(where).filter
        )
        assert sum(batch.num_rows for batch, _, _ in batches) == 10 * groups, where


@pytest.mark.parametrize("split", [{"random": True}, {"time": "t"}, {"group": "c"}])
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_condition_that_no_row_fits_is_told_whatever_the_split(tmp_path, kind, split):
    """Parquet says of whole row groups that none fits, so that none is read."""
    frame = pl.DataFrame({"c": [1, 2], "t": [1, 2], "click": [0, 1]})
    getattr(frame, f"write_{kind}")(tmp_path / f"rows.{kind}")
    data = {"path": f"*.{kind}", "split": split, "categorical": ["c"], "where": "t > 800"}
    spec = make_spec(data, {"click": {"label": "click"}}, base_dir=tmp_path)
    with pytest.raises(DataError, match="has no rows of which 't > 800' is true"):
        open_data(spec)
