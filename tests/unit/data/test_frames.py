"""Frames of other libraries: what polars makes of them, and what it cannot read by itself."""

import datetime as dt

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.data_spec import make_spec

from automtl.data.build import raw_columns
from automtl.data.frames import as_polars
from automtl.data.preview import preview
from automtl.data.read import describe_columns
from automtl.errors import DataError

MOMENTS = [dt.datetime(2024, 3, 1, 4, 30, tzinfo=dt.UTC), None]
ZONES = ["+05:30", "-03:30", "+00:00", "Asia/Kolkata", "Nowhere/At-All"]


class Stream:
    """What hands out Arrow data and says nothing else of itself."""

    def __init__(self, table):
        self._table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


def in_zone(zone):
    return pa.table({"t": pa.array(MOMENTS, pa.timestamp("ms", zone)), "click": [0, 1]})


@pytest.mark.parametrize("zone", ZONES)
def test_a_moment_is_the_same_in_a_zone_that_polars_does_not_know(zone, tmp_path):
    table = in_zone(zone)
    pq.write_table(table, tmp_path / "rows.parquet")
    spec = make_spec(
        {"path": "rows.parquet", "time": {"t": {}}}, {"click": {"label": "click"}}, tmp_path
    )
    frames = [raw_columns(spec, ["click", "t"])]
    frames += [as_polars(one) for one in (table, table.to_batches()[0], Stream(table))]
    for frame in frames:
        assert frame["t"].dt.convert_time_zone("UTC").to_list() == MOMENTS


@pytest.mark.parametrize("small_bytes", [0, 1 << 20])
def test_a_file_in_such_a_zone_is_looked_at(tmp_path, small_bytes):
    pq.write_table(in_zone("+05:30"), tmp_path / "rows.parquet")
    seen = preview(tmp_path / "rows.parquet", small_bytes=small_bytes)
    assert [one.kind for one in describe_columns(seen.frame, is_text=False)] == ["date", "int"]


def test_a_frame_of_pandas_may_be_in_such_a_zone():
    ahead = dt.timezone(dt.timedelta(hours=5, minutes=30))
    times = pd.Series(pd.to_datetime(MOMENTS)).dt.tz_convert(ahead)
    frame = pd.DataFrame(
        {"t": times, "arrow": times.astype(pd.ArrowDtype(pa.timestamp("us", "+05:30")))}
    )
    read = as_polars(frame)
    assert read["t"].to_list() == read["arrow"].to_list() == MOMENTS
    assert frame["t"].dt.tz == ahead


def test_a_column_of_several_types_is_named_and_matters_only_where_it_is_wanted():
    frame = pd.DataFrame({"user": [1, 2], "item": pd.Series([7, "8"], dtype=object)})
    for wanted in (None, ["item"]):
        with pytest.raises(DataError, match=r"^data: column 'item' of the frame .*\.astype\(str\)"):
            as_polars(frame, wanted)
    assert as_polars(frame, ["user"]).to_dict(as_series=False) == {"user": [1, 2]}
    as_text = frame.assign(item=frame["item"].astype(str))
    assert as_polars(as_text)["item"].to_list() == ["7", "8"]
    fitting = pl.DataFrame({"user": [1], "item": ["7"]})
    assert as_polars(fitting, ["user"]) is fitting
