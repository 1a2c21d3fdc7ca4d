"""Which row goes where, and what is said when nothing goes somewhere."""

import numpy as np
import polars as pl
import pytest
from support.data_spec import make_spec

from automtl.data.batch import Batch
from automtl.data.split import split_column, split_frame
from automtl.data.times import Cuts, TimeCounts
from automtl.errors import DataError

pytestmark = pytest.mark.usefixtures("loops")

CLICK = {"click": {"label": "click"}}


def split_of(**split):
    return make_spec(
        {"path": "a.parquet", "split": split, "categorical": ["user"]}, CLICK
    ).data.split


def names(frame, rows, column):
    return {side: sorted(set(frame[column][indices].to_list())) for side, indices in rows.items()}


def test_a_column_names_the_side_of_each_row():
    frame = pl.DataFrame({"part": ["valid", "train", "test", "train"]})
    rows = split_frame(frame, split_of(column="part"))
    assert {side: indices.tolist() for side, indices in rows.items()} == {
        "train": [1, 3],
        "valid": [0],
        "test": [2],
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            ["train", "val", "test"],
            r"'part', row 1 .*: 'val' is no split \(did you mean 'valid'\?",
        ),
        (["train", None, "valid", "test"], "'null' is no split, in 1 rows; write one of train,"),
        (["train", "valid"], r"column 'part': no test rows \(1 train, 1 valid, 0"),
        (["test", "valid"], r"no train rows \(0 train"),
    ],
)
def test_a_column_that_does_not_split(values, message):
    with pytest.raises(DataError, match=message):
        split_frame(pl.DataFrame({"part": values}), split_of(column="part"))


def test_by_time_the_latest_rows_are_test_and_one_time_is_never_cut():
    days = [20220425 + day for day in range(10) for _ in range(10)]
    frame = pl.DataFrame({"date": days}).sample(fraction=1, shuffle=True, seed=0)
    rows = split_frame(frame, split_of(time="date", valid=0.2, test=0.1))
    assert names(frame, rows, "date") == {
        "train": list(range(20220425, 20220432)),
        "valid": [20220432, 20220433],
        "test": [20220434],
    }
    # 13 % of the rows lie within the second day from the end: the cut nearest to it is taken
    rows = split_frame(frame, split_of(time="date", valid=0.17, test=0.13))
    assert (len(rows["test"]), len(rows["valid"])) == (10, 20)


@pytest.mark.parametrize(
    "times",
    [
        [9, 10, 11],
        ["9", "10", "11"],
        ["9.5", "10", "11"],
        ["2022-04-09", "2022-04-10T00:00:01", "2022-04-10 01:00:00Z"],
        ["2022-04-10 01:00:00+02:00", "2022-04-10T00:00:00+00:30", "2022-04-10 00:00:00 UTC"],
        ["2022-04-10 09:00:00.123+0800", "2022-04-10 01:00:00.124", "2022-04-10 01:00:01+00"],
        pl.Series(["9", "10", "11"]).cast(pl.Categorical),
        pl.Series([9, 10, 11]).cast(pl.Date),
    ],
)
def test_times_are_numbers_dates_or_text_of_either(times):
    frame = pl.DataFrame({"t": times})[[2, 0, 1]]
    rows = split_frame(frame, split_of(time="t", valid=1 / 3, test=1 / 3))
    assert {side: indices.tolist() for side, indices in rows.items()} == {
        "train": [1],
        "valid": [2],
        "test": [0],
    }


@pytest.mark.parametrize("dtype", [pl.Int8, pl.UInt8, pl.UInt32, pl.UInt64, pl.Int64])
def test_a_limit_may_be_beyond_what_the_integers_of_a_batch_can_be(dtype):
    """Of rows in the order of time the first batch may hold small integers only."""
    times = pl.Series([0, 1, 100], dtype=dtype)
    cuts = Cuts(text_of=None, train_until=-5, valid_from=1, valid_until=300, test_from=10**12)
    assert cuts.passed(times).tolist() == [1, 2, 2]


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([1, None, 3], "column 't': 1 rows have no time"),
        (["1", "NaN", "NA", "-nan", "", "3"], "column 't': 4 rows have no time"),
        (["2022-04-25", "nan", "2022-04-26"], "column 't': 1 rows have no time"),
        (["05/13/2022", "05/14/2022"], r"'t', row 0 .*: '05/13/2022' is neither a number nor a d"),
        (["1", "3", "xx", "2", "xx"], r"row 2 .*: 'xx' is neither a number nor a date; write"),
        (["2022-02-28", "2022-02-30"], r"row 1 .*: '2022-02-30' is neither a number nor a date"),
        (["1", "2", "inf"], r"row 2 .*: 'inf' is neither a number nor a date"),
        ([1.0, 2.0, float("inf")], r"row 2 .*: inf is no time; write a number"),
        (["2022", "2022-04-25"], r"row 1 .*: '2022-04-25' is a date, but '2022' before it is a n"),
        (["2022-04-25", "2022"], r"row 1 .*: '2022' is a number, but '2022-04-25' before it is a"),
        ([[1], [2]], "holds List.*; a time is a number, a date, or text of either"),
        ([1, 1, 2], "no train rows.*too few different values"),
    ],
)
def test_times_that_cannot_be_cut(times, message):
    with pytest.raises(DataError, match=message):
        split_frame(pl.DataFrame({"t": times}), split_of(time="t", valid=0.3, test=0.3))


def test_numbers_and_dates_do_not_mix_over_batches():
    """A text file's batch may come as numbers where all of it was written as such."""
    dates, numbers = pl.DataFrame({"t": ["2022-04-25"]}), pl.DataFrame({"t": [7]})
    none = pl.DataFrame({"t": [None]}, schema={"t": pl.Float64})
    for first, second in [(dates, numbers), (numbers, dates)]:
        times = TimeCounts("t")
        for batch in (none, first, none):
            times.add(Batch(batch))
        with pytest.raises(DataError, match=r"row 0 .* before it is a"):
            times.add(Batch(second))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([3, 1], [2, 5, 4]),
        (["3", "1"], ["2.5", "5", "4"]),
        (["2.5", "1"], ["3", "5", "4"]),
        (["2022-04-03", "2022-04-01"], ["2022-04-02", "2022-04-05", "2022-04-04 00:00 UTC"]),
        (["3", "1"], [2, 5, 4]),
    ],
)
def test_parts_that_are_merged_are_cut_like_all_rows(first, second):
    whole, parts = TimeCounts("t"), [TimeCounts("t"), TimeCounts("t")]
    for values, part in zip((first, second), parts, strict=True):
        batch = Batch(pl.DataFrame({"t": values}))
        part.add(batch)
        whole.add(batch)
    parts[0].merge(parts[1])
    assert parts[0].cuts(valid=0.2, test=0.2) == whole.cuts(valid=0.2, test=0.2)


def test_parts_of_numbers_and_of_dates_do_not_merge():
    parts = [TimeCounts("t"), TimeCounts("t")]
    for part, values in zip(parts, (["7"], ["2022-04-25"]), strict=True):
        part.add(Batch(pl.DataFrame({"t": values})))
    with pytest.raises(DataError, match="'2022-04-25' is a date, but '7' before it is a number"):
        parts[0].merge(parts[1])


def test_a_gap_before_the_cut_of_text():
    """It is as long as that of the dates that the text means."""
    text = [f"2022-04-{day:02} 00:00:00+01:00" for day in range(1, 11)]
    split = split_of(time="t", valid=0.2, test=0.2, gap="1d")
    dates = pl.Series(text).str.to_datetime("%Y-%m-%d %H:%M:%S%z")
    for times in (text, dates):
        rows = split_frame(pl.DataFrame({"t": times}), split)
        sizes = {side: len(indices) for side, indices in rows.items()}
        assert sizes == {"train": 5, "valid": 1, "test": 2}


def test_by_group_a_group_has_one_side_whatever_the_file_and_the_other_rows():
    users = np.random.default_rng(0).integers(0, 300, 2000)
    frame = pl.DataFrame({"user": users})
    split = split_of(group="user", valid=0.2, test=0.2, seed=3)
    rows = split_frame(frame, split)
    sides = names(frame, rows, "user")
    assert 0.15 < len(sides["test"]) / 300 < 0.25
    as_text = frame.select(pl.col("user").cast(pl.Float64).cast(pl.String))
    assert all(np.array_equal(part, rows[k]) for k, part in split_frame(as_text, split).items())
    fewer = frame.filter(pl.col("user") < 150)
    for side, users_of_side in names(fewer, split_frame(fewer, split), "user").items():
        assert set(users_of_side) <= set(sides[side])
    other = split_frame(frame, split_of(group="user", valid=0.2, test=0.2, seed=4))
    assert not np.array_equal(other["test"], rows["test"])


def test_the_hash_of_a_group_is_pinned():
    frame = pl.DataFrame({"user": range(20)})
    rows = split_frame(frame, split_of(group="user", valid=0.3, test=0.3, seed=0))
    assert rows["test"].tolist() == [3, 7, 8, 9, 11, 12, 18]


def test_at_random_the_sizes_are_exact_and_the_seed_decides():
    frame = pl.DataFrame({"x": range(100)})
    rows = split_frame(frame, split_of(random=True, valid=0.2, test=0.1, seed=1))
    assert {side: len(indices) for side, indices in rows.items()} == {
        "train": 70,
        "valid": 20,
        "test": 10,
    }
    again = split_frame(frame, split_of(random=True, valid=0.2, test=0.1, seed=1))
    other = split_frame(frame, split_of(random=True, valid=0.2, test=0.1, seed=2))
    assert np.array_equal(rows["test"], again["test"])
    assert not np.array_equal(rows["test"], other["test"])


@pytest.mark.parametrize("kind", [{"time": "x"}, {"group": "x"}, {"random": True}])
def test_test_may_be_empty_only_where_it_is_asked_for(kind):
    frame = pl.DataFrame({"x": range(10)})
    rows = split_frame(frame, split_of(**kind, valid=0.5, test=0.0))
    assert len(rows["test"]) == 0
    assert len(rows["train"]) + len(rows["valid"]) == 10
    tiny = pl.DataFrame({"x": [1, 2]})
    with pytest.raises(DataError, match=r"split by .*: no (train|valid|test) rows"):
        split_frame(tiny, split_of(**kind, valid=0.1, test=0.1))


def test_the_column_of_a_split():
    assert split_column(split_of(column="part")) == "part"
    assert split_column(split_of(time="date")) == "date"
    assert split_column(split_of(group="user")) == "user"
    assert split_column(split_of(random=True)) is None


def test_a_split_by_a_column_that_is_not_there():
    with pytest.raises(DataError, match=r"no column 'prt' \(did you mean 'part'\?\)"):
        split_frame(pl.DataFrame({"part": ["train"]}), split_of(column="prt"))
