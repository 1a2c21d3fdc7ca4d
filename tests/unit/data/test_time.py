"""What columns of times become: hour and weekday as ids, the age at another time as a number."""

import datetime as dt
import math
import re
from statistics import fmean, pstdev
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.data_spec import make_spec

from automtl.data.batch import Batch
from automtl.data.encode import Encoder
from automtl.data.fit import Gathered, fit_encoder
from automtl.data.instants import text_instants
from automtl.data.split import TRAIN
from automtl.errors import DataError

CLICK = {"click": {"label": "click"}}
BOTH = {"shown": {}, "born": {"parts": [], "age_at": "shown", "age_in": "days"}}
ZONES = ["UTC", "Asia/Shanghai", "America/New_York", "Asia/Kathmandu"]
UTC = dt.UTC


def spec_of(time, **data):
    return make_spec({"path": "rows.parquet", "time": time, **data}, CLICK)


def fit(frame, time, **data):
    return fit_encoder(frame.with_columns(click=pl.lit(0)), spec_of(time, **data))


def ids(column, train=None, **block):
    """The ids of hour and weekday of a column, fitted on `train`, itself if left out."""
    encoder = fit(pl.DataFrame({"t": column if train is None else train}), {"t": block})
    return encoder.transform(pl.DataFrame({"t": column})).ids_NC.tolist()


def expected(moment, zone="UTC"):
    """Ids follow the clock and the week from 2 on, as in every table."""
    if moment is None:
        return [0, 0]
    local = moment.astimezone(ZoneInfo(zone))
    return [2 + local.hour, 2 + local.weekday()]


MOMENTS = st.one_of(
    st.none(),
    st.datetimes(dt.datetime(1974, 1, 1), dt.datetime(2100, 1, 1)).map(
        lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
    ),
)


@settings(deadline=None, max_examples=60)
@given(moments=st.lists(MOMENTS, min_size=1), zone=st.sampled_from(ZONES))
def test_the_same_times_have_the_same_ids_however_they_are_written(moments, zone):
    rows = [expected(moment, zone) for moment in moments]
    naive = pl.Series([m and m.replace(tzinfo=None) for m in moments], dtype=pl.Datetime("ms"))
    seconds = pl.Series([m and int(m.timestamp()) for m in moments], dtype=pl.Int64)
    ahead = dt.timezone(dt.timedelta(hours=-3, minutes=-30))
    texts = [m and str(m.astimezone(ahead)) for m in moments]
    ways = [
        naive,
        naive.dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin"),
        seconds,
        seconds.cast(pl.Float64) * 1000,
        seconds * 1_000_000,
        seconds * 1_000_000_000,
        seconds.cast(pl.String),
        pl.Series(texts, dtype=pl.String),
        pl.Series([t and t.replace(" ", "T") for t in texts], dtype=pl.Categorical),
        naive.dt.strftime("%Y-%m-%d %H:%M:%SZ"),
    ]
    for way in ways:
        assert ids(way, zone=zone) == rows, way


WRITTEN = (
    "2022-04-25", "2022-04-25 18:30", "2022-04-25 18:30:00", "2022-04-25T18:30:00.5",
    "2022-04-25 18:30:00Z", "2022-04-25 18:30:00 UTC", "2022-04-25T18:30:00.123-03:30",
    "2022-04-25 18:30:00+0800", "2022-04-25 18:30:00+08", "2022-04-31", "2022-04-25 25:00:00", "x",
)  # fmt: skip


@pytest.mark.parametrize("text", WRITTEN)
def test_text_means_the_same_alone_and_beside_what_is_written_otherwise(text):
    """A column that is written alike is read without taking it apart."""
    together = text_instants(pl.Series(WRITTEN))[WRITTEN.index(text)]
    assert text_instants(pl.Series([text, None])).to_list() == [together, None]
    try:
        moment = dt.datetime.fromisoformat(text.replace(" UTC", "Z"))
    except ValueError:
        assert together is None
    else:
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        assert together == round(moment.timestamp() * 1_000_000)


@settings(deadline=None, max_examples=60)
@given(rows=st.lists(st.tuples(MOMENTS, MOMENTS), min_size=1))
def test_an_age_is_the_logarithm_of_the_days_between_standardised(rows):
    frame = pl.DataFrame(rows, schema=dict.fromkeys(["born", "shown"], pl.Datetime("us", "UTC")),
                         orient="row")  # fmt: skip
    encoder = fit(frame, BOTH)
    ages = [
        None if born is None or shown is None else (shown - born).total_seconds() / 86_400
        for born, shown in rows
    ]
    logs = [None if a is None else math.copysign(math.log1p(abs(a)), a) for a in ages]
    known = [one for one in logs if one is not None]
    mean, std = (fmean(known), pstdev(known)) if known else (0, 1)
    numeric_NF = encoder.transform(frame).numeric_NF
    for log, number_F in zip(logs, numeric_NF, strict=True):
        if log is None:
            assert number_F.tolist() == [0, 1]
        elif len(set(known)) == 1:
            assert number_F[0] == 0
        elif std > 1e-9:
            assert number_F[0] == pytest.approx((log - mean) / std, abs=1e-5)
    names = ["born:age", *(["born:age:missing"] if None in logs else [])]
    assert [one.name for one in encoder.features.numeric] == names


def test_hours_are_told_in_the_zone_of_the_column_and_stay_so_for_other_rows():
    noon = pl.Series([dt.datetime(2022, 4, 25, 12)])
    here = noon.dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Shanghai")
    monday = 2
    assert ids(noon) == [[2 + 12, monday]]
    assert ids(here) == [[2 + 20, monday]]
    assert ids(noon, train=here) == [[2 + 20, monday]]
    assert ids(here, zone="UTC") == [[2 + 12, monday]]


def test_days_may_be_dates_or_written_as_numbers():
    day = dt.date(2022, 4, 24)
    sunday = [2 + 0, 2 + 6]
    assert ids(pl.Series([day, None])) == [sunday, [0, 0]]
    assert ids(pl.Series(["2022-04-24", ""])) == [sunday, [0, 0]]
    assert ids(pl.Series([20220424, None]), unit="ymd") == [sunday, [0, 0]]
    assert ids(pl.Series(["20220424", "NA"]), unit="ymd") == [sunday, [0, 0]]
    assert ids(pl.Series([0, 3600]), unit="s") == [[2, 2 + 3], [3, 2 + 3]]


@pytest.mark.parametrize(
    ("column", "block", "message"),
    [
        ([1.65e9, 20220425], {}, "'t', row 1 (counted from 0): 20220425.0 could be of any unit; "
         "write unit: one of s, ms, us, ns, ymd"),
        ([1650000000, 1650000000000], {}, "has numbers that look like ms and s; write the unit"),
        (["2022-04-25", "25.4.2022"], {}, "row 1 (counted from 0): '25.4.2022' is no time; write"),
        (["2022-02-30"], {}, "'2022-02-30' is no time"),
        ([20220230], {"unit": "ymd"}, "20220230 is no day such as 20220425"),
        ([1e300], {"unit": "ms"}, "1e+300 lies outside the years 1 to 9999"),
        ([float("inf")], {}, "inf lies outside the years 1 to 9999"),
        ([True], {}, "holds Boolean; a time is a date, a timestamp, a number"),
        ([[1]], {}, "holds List(Int64); a time is"),
    ],
)  # fmt: skip
def test_what_is_no_time_is_told(column, block, message):
    with pytest.raises(DataError, match=re.escape(message)):
        ids(pl.Series(column), **block)


def test_files_in_several_zones_need_a_stated_one():
    parts = []
    for zone in ("Asia/Shanghai", "Europe/Berlin"):
        frame = pl.DataFrame({"t": [dt.datetime(2022, 4, 25)], "click": [0]})
        frame = frame.with_columns(pl.col("t").dt.replace_time_zone(zone))
        parts.append(Gathered(spec_of({"t": {}})))
        parts[-1].add(Batch(frame), np.full(1, TRAIN, dtype=np.int8))
    parts[0].merge(parts[1])
    with pytest.raises(DataError, match="is in the time zones Asia/Shanghai and Europe/Berlin"):
        parts[0].encoder()


@settings(deadline=None, max_examples=15)
@given(rows=st.lists(st.tuples(MOMENTS, MOMENTS), min_size=2), cut=st.integers(0, 5))
def test_parts_of_the_rows_gather_what_all_of_them_do(rows, cut):
    frame = pl.DataFrame(rows, schema=dict.fromkeys(["born", "shown"], pl.Datetime("us")),
                         orient="row").with_columns(click=pl.lit(0))  # fmt: skip
    whole, merged = fit(frame, BOTH), None
    for start, part in ((0, frame[:cut]), (cut, frame[cut:])):
        gathered = Gathered(spec_of(BOTH))
        gathered.add(Batch(part, start=start), np.full(part.height, TRAIN, dtype=np.int8))
        if merged is None:
            merged = gathered
        else:
            merged.merge(gathered)
    left, right = merged.encoder().ages[0].scaling, whole.ages[0].scaling
    assert (left.mean, left.std) == (pytest.approx(right.mean), pytest.approx(right.std))
    assert left.indicator == right.indicator


def test_a_saved_encoder_reads_times_alike_and_knows_its_columns(tmp_path):
    start = dt.datetime(2022, 4, 25, tzinfo=UTC)
    frame = pl.DataFrame(
        {
            "user": ["a", "b", None],
            "shown": [start, start + dt.timedelta(hours=30), None],
            "born": [1.6e9, 1.4e9, 1.5e9],
        }
    )
    encoder = fit(frame, BOTH, categorical=["user"])
    assert encoder.columns == ("user", "shown", "born")
    assert [table.name for table in encoder.features.tables] == [
        "user", "shown:hour", "shown:weekday"
    ]  # fmt: skip
    encoder.save(tmp_path)
    loaded = Encoder.load(tmp_path)
    assert (loaded.features, loaded.calendars, loaded.ages) == (
        encoder.features,
        encoder.calendars,
        encoder.ages,
    )
    for rows in (frame, frame.head(0), frame.with_columns(pl.col("shown").cast(pl.String))):
        before, after = encoder.transform(rows), loaded.transform(rows)
        np.testing.assert_array_equal(before.ids_NC, after.ids_NC)
        np.testing.assert_array_equal(before.numeric_NF, after.numeric_NF)
