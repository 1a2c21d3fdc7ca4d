"""Two passes over batches: what they gather merges, and no batch size changes the result."""

import errno
import itertools
import os
import time

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from support.data_spec import make_spec

from automtl.data import arrays, delimited, key_counts, row_hash, source, totals, vocabulary
from automtl.data.ahead import ahead, mapped
from automtl.data.arrays import ArrayWriter, reserve
from automtl.data.batch import Batch
from automtl.data.cache import open_data
from automtl.data.fit import Gathered
from automtl.data.hash_index import HashIndex
from automtl.data.key_counts import KeyCounts, build_vocabulary
from automtl.data.parquet import parquet_batches
from automtl.data.row_hash import nth_smallest, row_hashes
from automtl.data.sample import SIZE, RowSample
from automtl.data.scaling import Moments
from automtl.data.vocabulary import Lookup
from automtl.errors import DataError

pytestmark = pytest.mark.usefixtures("loops")
TASKS = {
    "click": {"label": "click"},
    "spend": {"label": "spend", "type": "regression", "given": "click"},
}
DATA = {
    "path": "*.parquet",
    "categorical": ["user", "code", "flag"],
    "numeric": ["age"],
    "sequence": {"seen": {"shares": "user", "max_len": 2}},
}
NUM_ROWS = 500


def rows(num_rows=NUM_ROWS, seed=0):
    rng = np.random.default_rng(seed)
    user = rng.integers(0, 40, num_rows)
    click = rng.integers(0, 2, num_rows)
    return pl.DataFrame(
        {
            "user": pl.Series(user).scatter([3, 77], None),
            "code": [None if i % 9 == 0 else f"c{i % 23}" for i in range(num_rows)],
            "flag": user % 2 == 0,
            "age": pl.Series(rng.normal(size=num_rows)).scatter([5, 400], None),
            "seen": [user[max(0, i - 3) : i].tolist() for i in range(num_rows)],
            "click": click,
            "spend": np.where(click == 1, rng.lognormal(size=num_rows), 0.0),
            "split": rng.choice(["train", "valid", "test"], num_rows, p=[0.7, 0.2, 0.1]),
            "day": (np.arange(num_rows) // 20) ** 4,  # a byte holds those of the first batch
        }
    )


SPLITS = [
    {"column": "split"},
    {"time": "day"},
    {"group": "user"},
    {"random": True},
]


@pytest.mark.parametrize("split", SPLITS, ids=lambda split: next(iter(split)))
def test_the_size_of_batches_and_of_files_changes_nothing(tmp_path, monkeypatch, split):
    opened = []
    for name, batch_rows, cuts in (("one", 1 << 16, [0, NUM_ROWS]), ("many", 61, [0, 90, 91, 500])):
        folder = tmp_path / name
        folder.mkdir()
        for number, (low, high) in enumerate(itertools.pairwise(cuts)):
            rows()[low:high].write_parquet(folder / f"{number}.parquet")
        monkeypatch.setattr(source, "BATCH_ROWS", batch_rows)
        opened.append(open_data(make_spec({**DATA, "split": split}, TASKS, base_dir=folder)))
    one, many = opened
    assert one.num_rows == many.num_rows
    assert one.features.tables == many.features.tables
    for side in ("train", "valid", "test"):
        np.testing.assert_array_equal(one.source_rows(side), many.source_rows(side))
        for array in ("ids_NC", "labels_NK"):
            np.testing.assert_array_equal(
                getattr(one.rows(side), array), getattr(many.rows(side), array)
            )
        np.testing.assert_allclose(one.rows(side).numeric_NF, many.rows(side).numeric_NF, rtol=1e-6)
    for left, right in zip(one.tasks, many.tasks, strict=True):
        assert (left.mean, left.std) == pytest.approx((right.mean, right.std))


def test_what_parts_of_the_rows_gather_merges_into_what_all_of_them_gather():
    spec, frame = make_spec(DATA, TASKS), rows()
    side_N = np.arange(NUM_ROWS, dtype=np.int8) % 3
    whole = Gathered(spec)
    whole.add(Batch(frame), side_N)
    parts = []
    for start in range(0, NUM_ROWS, 120):
        parts.append(Gathered(spec))
        parts[-1].add(Batch(frame[start : start + 120], start=start), side_N[start : start + 120])
    merged = parts[2]
    for part in (parts[0], *parts[3:], parts[1]):
        merged.merge(part)
    assert merged.num_rows == whole.num_rows
    left, right = merged.encoder(), whole.encoder()
    assert left.features.tables == right.features.tables
    for table, keys in right.vocabularies.items():
        assert left.vocabularies[table].to_list() == keys.to_list()
    assert left.scalings[0].std == pytest.approx(right.scalings[0].std)
    np.testing.assert_allclose(left.features.numeric[0].edges, right.features.numeric[0].edges)
    assert left.tasks[1].std == pytest.approx(right.tasks[1].std)


def test_an_error_names_the_file_and_the_row_in_it_whatever_the_batch(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "BATCH_ROWS", 7)
    rows().write_parquet(tmp_path / "0.parquet")
    age = pl.when(pl.int_range(pl.len()) == 40).then(np.inf).otherwise("age")
    click = pl.when(pl.int_range(pl.len()) == 41).then(3).otherwise("click")
    rows().with_columns(age=age, click=click).write_parquet(tmp_path / "1.parquet")
    found = (
        r"1\.parquet: column 'age', row 40 \(counted from 0\): inf is infinite.*\n"
        r".*1\.parquet: column 'click' .*, row 41 \(counted from 0\): 3 is not 0 or 1"
    )
    with pytest.raises(DataError, match=found):
        open_data(make_spec(DATA, TASKS, base_dir=tmp_path))


FLAT = {**DATA, "path": "*", "sequence": {}}


@pytest.mark.parametrize("split", SPLITS, ids=lambda split: next(iter(split)))
@pytest.mark.parametrize("where", [None, "age > -1"])
def test_text_files_become_what_the_same_rows_in_parquet_become(
    tmp_path, monkeypatch, split, where
):
    monkeypatch.setattr(delimited, "BLOCK", 4000)  # several batches
    opened = []
    for kind in ("csv", "parquet"):
        folder = tmp_path / kind
        folder.mkdir()
        for number in range(2):
            flat = rows(seed=number).drop("seen").with_columns(day=pl.col("day") + number)
            getattr(flat, f"write_{kind}")(folder / f"{number}.{kind}")
        data = {**FLAT, "split": split, "where": where}
        opened.append(open_data(make_spec(data, TASKS, base_dir=folder)))
    text, parquet = opened
    assert text.num_rows == parquet.num_rows
    for side in ("train", "valid", "test"):
        for name in ("ids_NC", "numeric_NF", "labels_NK"):
            of_text, of_parquet = (getattr(data.rows(side), name) for data in opened)
            np.testing.assert_array_equal(of_text, of_parquet)
        np.testing.assert_array_equal(text.source_rows(side), parquet.source_rows(side))


@pytest.mark.parametrize("where", [None, "day > 9"])
@pytest.mark.parametrize("split", SPLITS, ids=lambda split: next(iter(split)))
def test_an_error_names_the_row_of_a_text_file_in_whichever_pass(
    tmp_path, monkeypatch, split, where
):
    monkeypatch.setattr(delimited, "BLOCK", 4000)
    frame = rows().drop("seen")
    frame.write_csv(tmp_path / "0.csv")
    age = pl.when(pl.int_range(pl.len()) == 140).then(pl.lit("old")).otherwise("age")
    frame.with_columns(age=age).write_csv(tmp_path / "1.csv")
    data = {**FLAT, "split": split, "where": where}
    found = r"1\.csv: column 'age', row 140 \(counted from 0\): 'old' is not a number; name the"
    with pytest.raises(DataError, match=found):
        open_data(make_spec(data, TASKS, base_dir=tmp_path))


# ---- keys ------------------------------------------------------------------------------------

BIG = [2**62, -(2**62), 2**63 - 1, -(2**63)]
ROUND = [10, 100, 1000, -10, -100, 10**18, -(10**18)]  # whose text begins with that of another
INTEGERS = st.lists(
    st.one_of(st.integers(-5, 5), st.integers(10**6, 10**6 + 9), st.sampled_from([*BIG, *ROUND])),
    min_size=1,
)


@settings(max_examples=30)
@given(st.lists(INTEGERS, min_size=1), st.sampled_from([1, 4, 1 << 22]))
def test_integers_are_counted_and_found_whether_they_lie_near_or_far(batches, widest):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_counts, "WIDEST", widest)
        patch.setattr(vocabulary, "WIDEST", widest)
        patch.setattr(totals, "MANY_PENDING", 3)
        counts = [KeyCounts(), KeyCounts()]
        for number, values in enumerate(batches):
            counts[number % 2].add(pl.Series(values, dtype=pl.Int64))
        keys = build_vocabulary(counts)
        every = [value for values in batches for value in values]
        expected = sorted(set(every), key=lambda value: (-every.count(value), str(value)))
        assert keys.to_list() == [str(value) for value in expected]
        asked = pl.Series([*every, None, 77], dtype=pl.Int64)
        ids = [expected.index(value) + 2 for value in every] + [0, 1]
        assert Lookup(keys).ids(asked).tolist() == ids
        assert Lookup(keys).ids(asked.cast(pl.String)).tolist() == ids


@pytest.mark.parametrize("dtype", [pl.Int8, pl.UInt16, pl.Int64])
def test_integers_come_as_they_are_from_arrow_and_from_a_frame(dtype):
    frame = pl.DataFrame({"id": pl.Series([5, 3, 7, 5], dtype=dtype)})
    arrow = frame.to_arrow().to_batches()[0]
    for rows in (Batch(frame[1:]), Batch(arrow.slice(1))):
        values_N = rows.integers("id")
        assert values_N.dtype == frame["id"].to_numpy().dtype
        assert values_N.tolist() == [3, 7, 5]


def test_a_column_with_missing_values_or_beyond_64_bits_has_no_plain_integers():
    frame = pl.DataFrame(
        {"holes": [1, None], "big": pl.Series([1, 2**64 - 1], dtype=pl.UInt64), "real": [1.0, 2.0]}
    )
    for rows in (Batch(frame), Batch(frame.to_arrow().to_batches()[0])):
        assert [rows.integers(name) for name in frame.columns] == [None, None, None]


def test_batches_of_one_row_group_share_the_keys_of_their_text(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "BATCH_ROWS", 100)
    file = tmp_path / "rows.parquet"
    rows().write_parquet(file, row_group_size=300)  # batches of 100 rows: three, then two
    columns = [batch.coded("code") for batch in source.FileSource([file]).batches(["code"])]
    assert [one.distinct is columns[0].distinct for one in columns] == [True] * 3 + [False] * 2
    assert columns[3].distinct is columns[4].distinct
    keys = [[*one.distinct.keys, None][code] for one in columns for code in one.codes_N]
    assert keys == rows()["code"].to_list()


@given(st.sets(st.integers(0, 2**64 - 1)), st.lists(st.integers(0, 2**64 - 1)))
def test_an_index_finds_its_keys_and_no_others(keys, others):
    listed = list(keys)
    index = HashIndex(np.array(listed, dtype=np.uint64))
    assert index.find(np.array(listed, dtype=np.uint64)).tolist() == list(range(len(listed)))
    expected = [listed.index(other) if other in keys else -1 for other in others]
    assert index.find(np.array(others, dtype=np.uint64)).tolist() == expected


def test_keys_that_share_a_slot_are_found_behind_each_other():
    inverse = pow(0x9E3779B97F4A7C15, -1, 2**64)  # all hash to the last slot, and wrap around
    keys = [(2**64 - 1 - low) * inverse % 2**64 for low in range(7)]
    index = HashIndex(np.array(keys, dtype=np.uint64))
    assert index.find(np.array([*keys, 1], dtype=np.uint64)).tolist() == [*range(7), -1]


def test_text_of_the_hash_of_another_key_is_not_that_key(monkeypatch):
    lookup = Lookup(pl.Series(["a", "b"]))
    assert lookup.ids(pl.Series(["a", "b"])).tolist() == [2, 3]
    monkeypatch.setattr(
        vocabulary._TextIds,
        "_hashes",
        lambda self, keys: pl.Series(
            [{"a": 1, "b": 2}.get(key, 1) for key in keys], dtype=pl.UInt64
        ),
    )
    assert Lookup(pl.Series(["a", "b"])).ids(pl.Series(["x", "b", "a"])).tolist() == [1, 3, 2]


def test_integers_beyond_64_bits_are_keys_too():
    values = pl.Series([2**64 - 1, 5, 2**64 - 1], dtype=pl.UInt64)
    counts = KeyCounts()
    counts.add(values)
    keys = build_vocabulary([counts])
    assert keys.to_list() == [str(2**64 - 1), "5"]
    assert Lookup(keys).ids(values).tolist() == [2, 3, 2]
    assert Lookup(keys).ids(pl.Series([5, 6])).tolist() == [3, 1]


def test_integers_meet_only_keys_that_are_written_as_they_are():
    others = ["+5", "05", "1e2", "-0", " 8", "8 ", "1_0", "5.0", "0x5", "", "a", str(2**63)]
    plain = ["7", "-12", "0", str(2**63 - 1), str(-(2**63))]
    asked = pl.Series([5, 100, 8, 10, *map(int, plain)])
    for keys in (plain, [*others, *plain], [*plain, *others]):
        at = [keys.index(one) + 2 for one in plain]
        assert Lookup(pl.Series(keys)).ids(asked).tolist() == [1, 1, 1, 1, *at]
        narrow = [one for one in keys if len(one) < 5]
        assert Lookup(pl.Series(narrow)).ids(asked).tolist()[:4] == [1, 1, 1, 1]


# ---- numbers ---------------------------------------------------------------------------------


def normal(x):
    """Without the numbers whose squares are lost."""
    return x if abs(x) > 1e-100 else 0.0


@given(st.lists(st.lists(st.floats(-1e300, 1e300).map(normal), max_size=5), min_size=1))
def test_moments_of_parts_are_those_of_the_whole(parts):
    moments = Moments()
    for part in parts:
        moments.add(np.array(part, dtype=np.float64))
    whole = Moments()
    whole.add(np.array([x for part in parts for x in part], dtype=np.float64))
    left, right = moments.scaling("x"), whole.scaling("x")
    size = max([abs(x) for part in parts for x in part], default=0.0)
    assert left.mean == pytest.approx(right.mean, rel=1e-9, abs=1e-12 * size)
    assert left.std == pytest.approx(right.std, rel=1e-6, abs=1e-7 * size)


def test_a_sample_is_the_same_however_the_rows_come_and_its_quantiles_are_near():
    num_rows = 4 * SIZE
    values = pl.DataFrame({"x": np.random.default_rng(0).normal(size=num_rows)})
    samples = []
    for step in (100_003, num_rows):
        sample = RowSample(["x"])
        for start in range(0, num_rows, step):
            part = RowSample(["x"])
            part.add(Batch(values[start : start + step], start=start), None)
            sample.merge(part)
        samples.append(sample.frame())
    assert_frame_equal(*samples)
    shares = np.linspace(0.01, 0.99, 99)
    cuts = np.quantile(samples[0]["x"], shares)
    found = np.searchsorted(np.sort(values["x"].to_numpy()), cuts) / num_rows
    assert np.abs(found - shares).max() < 0.005
    assert samples[0].height == SIZE


@pytest.mark.parametrize(("num_rows", "places"), [(10, [0, 3, 10]), (200_000, [1, 99_999])])
def test_so_many_rows_lie_below_the_limit(num_rows, places, monkeypatch):
    monkeypatch.setattr(row_hash, "CHUNK", 70_000)
    hashes = row_hashes(0, num_rows, seed=5)
    assert len(np.unique(hashes)) == num_rows
    for place, limit in zip(places, nth_smallest(num_rows, places, seed=5), strict=True):
        below = num_rows if limit == 2**64 else (hashes < np.uint64(limit)).sum()
        assert below == place


# ---- writing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [7, 64, 200])
def test_an_array_is_written_in_parts_and_read_by_numpy(tmp_path, monkeypatch, block):
    """Whatever of it comes first, and wherever a block ends."""
    monkeypatch.setattr(arrays, "BLOCK", block)  # bytes
    whole = np.arange(60, dtype=np.int32).reshape(20, 3)
    with ArrayWriter(tmp_path / "a.npy", "int32", (20, 3)) as writer:
        late, early = writer.section(13), writer.section(0)
        late.write(whole[13:15])
        for start, stop in ((0, 1), (1, 1), (1, 9), (9, 13)):
            early.write(whole[start:stop].copy())
        late.write(whole[15:])
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), whole)
    with ArrayWriter(tmp_path / "none.npy", "float32", (20, 0)) as writer:
        writer.section(0).write(np.zeros((20, 0), dtype=np.float32))
    assert np.load(tmp_path / "none.npy").shape == (20, 0)


@pytest.mark.parametrize("can", [True, False])
def test_a_file_that_has_its_place_on_the_disk_keeps_what_is_in_it(tmp_path, monkeypatch, can):
    def cannot(*_):
        raise OSError(errno.EOPNOTSUPP, "not by this file system")

    if not can:
        monkeypatch.setattr(os, "posix_fallocate", cannot)
    (tmp_path / "a").write_bytes(b"abc")
    with (tmp_path / "a").open("r+b") as file:
        reserve(file.fileno(), 5)
    assert (tmp_path / "a").read_bytes() == b"abc\0\0"


def test_what_the_system_writes_in_part_is_written_on(tmp_path, monkeypatch):
    whole, pwritev = np.arange(60, dtype=np.int32), os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda file, parts, at: pwritev(file, [parts[0][:5]], at))
    with ArrayWriter(tmp_path / "a.npy", "int32", (60,)) as writer:
        section = writer.section(0)
        section.write(whole[:7])
        section.write(whole[7:])
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), whole)


@pytest.mark.parametrize(
    ("call", "is_begun"), [("fdatasync", False), ("fdatasync", True), ("fsync", True)]
)
def test_what_the_disk_could_not_write_meanwhile_is_told_at_the_end(
    tmp_path, monkeypatch, call, is_begun
):
    """The system says it once: who asks again is told that all is well."""
    errors = iter([OSError(errno.EIO, "the disk")])

    def fails(_):
        if (error := next(errors, None)) is not None:
            raise error

    def write():
        with ArrayWriter(tmp_path / "a.npy", "int32", (9,)) as writer:
            writer.section(0).write(np.arange(9, dtype=np.int32))
            if is_begun:
                writer.begin_to_finish()

    monkeypatch.setattr(arrays, "SYNC_BYTES", 1)
    monkeypatch.setattr(os, call, fails)
    with pytest.raises(OSError, match="the disk"):
        write()


def test_items_come_in_order_and_an_error_comes_where_it_happened():
    def items():
        yield from range(3)
        raise DataError("x")

    coming = ahead(items())
    assert [next(coming), next(coming), next(coming)] == [0, 1, 2]
    with pytest.raises(DataError, match="x"):
        next(coming)


def test_what_is_made_of_items_comes_in_their_order_the_first_by_itself():
    begun = []

    def made(item):
        begun.append(item)
        if item == 5:
            raise DataError("x")
        time.sleep(0.01 * (item == 1))  # the next is done before it
        return -item

    def items(num):
        try:
            yield from range(num)
        finally:
            begun.append("closed")

    coming = mapped(made, items(9), num_threads=3)
    assert next(coming) == 0
    assert begun == [0]
    assert [next(coming) for _ in range(4)] == [-1, -2, -3, -4]
    with pytest.raises(DataError, match="x"):
        next(coming)
    assert begun[-1] == "closed"
    assert list(mapped(made, items(0), num_threads=2)) == []


def test_row_groups_are_read_together_as_far_as_a_batch_holds_them(tmp_path):
    """So that rows of text share their distinct values, and none are cut for nothing."""
    file = tmp_path / "rows.parquet"
    rows(500).write_parquet(file, row_group_size=100)
    heights = {}
    for batch_rows in (70, 100, 250, 1000):
        batches = list(parquet_batches(file, ["day"], batch_rows=batch_rows))
        heights[batch_rows] = [batch.num_rows for batch, _, _ in batches]
        assert [first for _, first, _ in batches] == [0, *np.cumsum(heights[batch_rows])[:-1]]
    assert heights[70] == [70, 30] * 5
    assert heights[100] == [100] * 5
    assert heights[250] == [200, 200, 100]
    assert heights[1000] == [500]


def test_wide_rows_come_in_smaller_batches(monkeypatch):
    monkeypatch.setattr(source, "BATCH_VALUES", 1000)
    frame = pl.DataFrame({f"x{place}": range(600) for place in range(4)})
    heights = [
        [batch.height for batch in source.FrameSource(frame, "rows").batches(frame.columns[:num])]
        for num in (1, 4)
    ]
    assert heights == [[600], [250, 250, 100]]


def test_rows_made_of_others_share_what_is_known_of_their_text():
    """Rows that `data.where` keeps, and rows to score."""
    codes, words = pa.array([0, 1, 0, 1], pa.int32()), pa.array(["a", "b"])
    column = pa.DictionaryArray.from_arrays(codes, words)
    batch = Batch(pa.RecordBatch.from_arrays([column], names=["c"]))
    kept = batch.kept(np.array([True, False, True, True]), ["c"], start=0)
    assert kept.coded("c").distinct is batch.coded("c").distinct
    assert kept.coded("c").codes_N.tolist() == [0, 0, 1]
