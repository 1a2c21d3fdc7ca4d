"""A table of another library as a polars frame."""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import Any

import polars as pl
import pyarrow as pa

from automtl.data.zones import UTC, in_known_zones, is_known_zone
from automtl.errors import DataError

__all__ = ["as_polars"]

# PanicException is no Exception: how polars ends where it does not know what to do
ERRORS = (
    TypeError,
    ValueError,
    ImportError,
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
)


def as_polars(frame: Any, columns: Collection[str] | None = None) -> pl.DataFrame:
    """A polars or pandas frame, or whatever hands out Arrow data; nothing is copied that can be
    shared.

    `columns` are those that are wanted, None: all; others are left out where they cannot be read.
    Raises DataError for what is no table, and for a column whose values are not of one type.
    """
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    if isinstance(frame, pl.DataFrame):
        return frame
    try:
        if _is_of_pandas(frame):
            return _of_pandas(frame, columns)
        if hasattr(frame, "__arrow_c_stream__"):
            frame = in_known_zones(pa.table(frame))
        elif hasattr(frame, "__dataframe__"):
            return pl.from_pandas(frame)
        return pl.DataFrame(frame)
    except DataError:
        raise
    except ERRORS as error:
        raise DataError(
            f"data: {type(frame).__name__} is no table ({error}); give a pandas or polars frame,"
            " or an Arrow table"
        ) from error


def _is_of_pandas(frame: Any) -> bool:
    pandas = sys.modules.get("pandas")  # who has such a frame has imported it
    return pandas is not None and isinstance(frame, pandas.DataFrame)


def _of_pandas(frame: Any, columns: Collection[str] | None) -> pl.DataFrame:
    frame = _in_known_zones(frame)
    try:
        return pl.DataFrame(frame)
    except ERRORS:
        readable = [place for place in range(frame.shape[1]) if _reads(frame, place, columns)]
        if len(readable) == frame.shape[1]:
            raise  # it is none of its columns
        return pl.DataFrame(frame.iloc[:, readable])


def _reads(frame: Any, place: int, columns: Collection[str] | None) -> bool:
    """Whether polars can read a column; raises DataError for one that is wanted."""
    try:
        pl.DataFrame(frame.iloc[:, [place]])
    except ERRORS as error:
        name = frame.columns[place]
        if columns is not None and name not in columns:
            return False
        reason = str(error).strip().splitlines()[0]
        raise DataError(
            f"data: column {name!r} of the frame cannot be read as one type ({reason}); give it"
            f" one, such as frame[{name!r}].astype(str)"
        ) from error
    return True


def _in_known_zones(frame: Any) -> Any:
    """The frame with timestamps in UTC where polars does not know their zone."""
    unknown = [place for place, dtype in enumerate(frame.dtypes) if not _is_known(dtype)]
    if unknown:
        frame = frame.copy(deep=False)
        for place in unknown:
            frame.isetitem(place, frame.iloc[:, place].dt.tz_convert(UTC))
    return frame


def _is_known(dtype: Any) -> bool:
    """Whether polars knows the zone of a type of pandas, if it has one."""
    of_arrow = getattr(dtype, "pyarrow_dtype", dtype)
    zone = getattr(of_arrow, "tz", None)
    if zone is None:
        return True
    return is_known_zone(zone if isinstance(zone, str) else pa.lib.tzinfo_to_string(zone))
