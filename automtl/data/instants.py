"""A column of times as instants: microseconds since 1970-01-01 UTC.

A time is a date or timestamp, text such as `2022-04-25 18:30:00` (UTC, unless it ends in an offset
such as `+08:00`), or a number in a unit. A number's unit may be left out where its size tells it:
from 1973 on, seconds, milliseconds, microseconds and nanoseconds lie a factor of ten apart at
least. Smaller numbers could be anything, `20220425` among them.

Shapes: N rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.config import TimeUnit
from automtl.data.columns import MISSING_NUMBERS, ColumnError, Wrong, row_of

__all__ = ["SECOND", "Times", "are_times", "known_text", "read_times", "text_instants"]

SECOND = 1_000_000  # microseconds
MICROSECONDS: Mapping[TimeUnit, float] = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}
# from this number on it is of this unit; the first three end where the next begins
SMALLEST: Mapping[TimeUnit, float] = {"s": 1e8, "ms": 1e11, "us": 1e14, "ns": 1e17}
FIRST, LAST = -62_135_596_800 * SECOND, 253_402_300_800 * SECOND  # the years 1 to 9999
DAY, CLOCK, OFFSET = r"\d{4}-\d{2}-\d{2}", r"\d{2}:\d{2}:\d{2}", r"[+-]\d{2}(?::?\d{2})?"
TEXT = rf"^({DAY})(?:[ T](\d{{2}}:\d{{2}})(:\d{{2}}(?:\.\d+)?)?\s?(Z|UTC|{OFFSET})?)?$"
# how whole columns are written: these need not be taken apart, which takes several times as long
ALIKE: Mapping[str, str] = {
    rf"^{DAY}$": "%Y-%m-%d",
    rf"^{DAY} {CLOCK}$": "%Y-%m-%d %H:%M:%S",
    rf"^{DAY} {CLOCK}\.\d+$": "%Y-%m-%d %H:%M:%S%.f",
    rf"^{DAY} {CLOCK}(\.\d+)?(Z|{OFFSET})$": "%Y-%m-%d %H:%M:%S%.f%#z",
}
HINT = "write a date such as 2022-04-25 18:30:00, or leave the field empty where there is none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """`us`: the instants [N], Int64, null where missing. `units`: those that numbers were read in.
    `zone`: that of the column's type, None where it has none."""

    us: pl.Series
    units: frozenset[TimeUnit]
    zone: str | None


def read_times(column: pl.Series, unit: TimeUnit | None) -> Times:
    """The instants of a column; `unit` is that of numbers, None: each by its size.

    Raises ColumnError for a column that can hold no times, and for values that are none.
    """
    dtype = column.dtype
    if isinstance(dtype, pl.Datetime) or dtype == pl.Date:
        us = column.cast(pl.Datetime("us", getattr(dtype, "time_zone", None))).cast(pl.Int64)
        _check_years(us, column)
        return Times(us=us, units=frozenset(), zone=getattr(dtype, "time_zone", None))
    if dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum):
        text = known_text(column.cast(pl.String))
        numbers = text.cast(pl.Float64, strict=False)
        of_numbers, units = _of_numbers(numbers.fill_nan(None), column, unit)
        is_rest = numbers.is_null() & text.is_not_null()
        if not is_rest.any():
            return Times(us=of_numbers, units=units, zone=None)
        of_text = text_instants(text.set(~is_rest, None))
        if (wrong := is_rest & of_text.is_null()).any():
            _fail(column, wrong, lambda value: f"{value!r} is no time; {HINT}")
        _check_years(of_text, column)
        us = of_text.zip_with(is_rest, of_numbers)
        return Times(us=us, units=units, zone=None)
    if dtype.is_numeric() or dtype == pl.Null:
        us, units = _of_numbers(column.cast(pl.Float64).fill_nan(None), column, unit)
        return Times(us=us, units=units, zone=None)
    rule = f"holds {dtype}; a time is a date, a timestamp, a number, or text of one of them"
    raise ColumnError([Wrong(f"column {column.name!r}", rule)])


def known_text(text: pl.Series) -> pl.Series:
    """Without what stands around it, and null for what means that a value is missing."""
    text = text.str.strip_chars()
    return text.set(text.is_in(MISSING_NUMBERS), None)


def are_times(text: pl.Series) -> bool:
    """Whether all of a column of text, without missing values, are dates or timestamps."""
    return bool(text.str.contains(TEXT).all()) and not text_instants(text).null_count()


def text_instants(text: pl.Series) -> pl.Series:
    """The instants of dates and timestamps, Int64; null for what is neither."""
    spaced = text.str.replace("T", " ", literal=True)
    for shape, form in ALIKE.items():
        if spaced.str.contains(shape).all():
            times = spaced.str.to_datetime(form, time_unit="us", strict=False)
            return times.cast(pl.Int64)
    day, minute, second, offset = text.str.extract_groups(TEXT).struct.unnest()
    whole = day + "T" + minute.fill_null("00:00") + second.fill_null(":00")
    local = whole.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    offset = offset.replace(["Z", "UTC"], "+0000").fill_null("+0000").str.replace(":", "")
    offset = offset.str.pad_end(5, "0")
    minutes = offset.str.slice(1, 2).cast(pl.Int64) * 60 + offset.str.slice(3, 2).cast(pl.Int64)
    ahead = minutes.zip_with(offset.str.starts_with("+"), -minutes) * (60 * SECOND)
    return local.cast(pl.Int64) - ahead


def _of_numbers(
    numbers: pl.Series, column: pl.Series, unit: TimeUnit | None
) -> tuple[pl.Series, frozenset[TimeUnit]]:
    known = numbers.is_not_null()
    if not known.any():
        return pl.Series(column.name, [None] * len(numbers), dtype=pl.Int64), frozenset()
    if unit == "ymd":
        return _of_days(numbers, column), frozenset([unit])
    values_N = numbers.fill_null(0).to_numpy()
    known_N = known.to_numpy()
    units: frozenset[TimeUnit] = frozenset() if unit is None else frozenset([unit])
    if unit is None:
        smallest = np.array(list(SMALLEST.values()))
        place_N = np.searchsorted(smallest, np.abs(values_N), side="right") - 1
        if (unclear_N := known_N & (place_N < 0)).any():
            every = ", ".join(get_args(TimeUnit))
            rule = (
                f"could be of any unit; write unit: one of {every} (ymd: 20220425), or leave the "
                "field empty where there is no time"
            )
            _fail(column, pl.Series(unclear_N), lambda value: f"{value} {rule}")
        factor_N = np.array(list(MICROSECONDS.values()))[place_N]
        units = frozenset(list(SMALLEST)[place] for place in np.unique(place_N[known_N]))
    else:
        factor_N = np.full(len(values_N), MICROSECONDS[unit])
    with np.errstate(over="ignore", invalid="ignore"):
        us_N = np.floor(values_N * factor_N)
    _check_bounds(us_N, known_N, column)
    us = pl.Series(column.name, np.where(known_N, us_N, 0).astype(np.int64))
    return us.set(~known, None), units


def _of_days(numbers: pl.Series, column: pl.Series) -> pl.Series:
    whole = numbers.set(~numbers.is_finite() | (numbers.abs() >= 1e9), None).cast(pl.Int64)
    days = whole.cast(pl.String).str.to_date("%Y%m%d", strict=False)
    days = days.set((whole < 10_000_000) | (whole != numbers), None)
    if (wrong := numbers.is_not_null() & days.is_null()).any():
        _fail(column, wrong, lambda value: f"{value} is no day such as 20220425; correct it")
    us = days.cast(pl.Datetime("us")).cast(pl.Int64)
    _check_years(us, column)
    return us


def _check_years(us: pl.Series, column: pl.Series) -> None:
    if us.null_count() < len(us):
        known_N = us.is_not_null().to_numpy()
        _check_bounds(us.fill_null(0).to_numpy().astype(np.float64), known_N, column)


def _check_bounds(
    us_N: npt.NDArray[np.float64], known_N: npt.NDArray[np.bool_], column: pl.Series
) -> None:
    outside_N = known_N & ~((us_N >= FIRST) & (us_N < LAST))
    if outside_N.any():
        rule = "lies outside the years 1 to 9999; write the unit that it is in, or correct it"
        _fail(column, pl.Series(outside_N), lambda value: f"{value} {rule}")


def _fail(column: pl.Series, wrong: pl.Series, rule: Callable[[object], str]) -> None:
    row = row_of(wrong)
    raise ColumnError([Wrong(f"column {column.name!r}", rule(column[row]), row)])
