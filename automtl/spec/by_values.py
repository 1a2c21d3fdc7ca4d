"""What a column of whole numbers is, told by its values where its name does not say it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial

from automtl.spec.column_info import (
    QUANTITIES,
    ColumnInfo,
    has_word,
    is_id_name,
    is_number,
    is_time_name,
)

__all__ = ["DATES", "MAX_CATEGORIES", "MAX_COUNTED", "id_by_values", "time_by_values", "times_of"]

MAX_CATEGORIES = 200  # whole numbers with more values than this are quantities, if no ids
MAX_COUNTED = 50  # the same for what is named after a quantity
FIRST, LAST = dt.datetime(2000, 1, 1), dt.datetime(2035, 1, 1)
EPOCH = dt.datetime(1970, 1, 1)
DATES = "dates"  # written 20220425
UNITS = {"seconds": 1, "milliseconds": 1000, "microseconds": 1_000_000}
MIN_REPEATS = 1.1  # rows a value: quantities of a wide range seldom come again
HASHED = 2**31  # few quantities are larger
DENSE, MANY_DENSE = 0.5, 1000  # ids count up without gaps
WIDE = 10_000  # of a range, to look at where its middle lies


def time_by_values(column: ColumnInfo) -> str:
    """`seconds since 1970, 2022-04-25 to 2022-05-08`, or "" for what is no time.

    All values must be times between 2000 and 2035, as seconds, milliseconds or microseconds since
    1970, or as dates written 20220425.
    """
    found = times_of(column)
    if found is None:
        return ""
    unit, (first, last, *_) = found
    said = unit if unit == DATES else f"{unit} since 1970"
    return f"{said}, {first:%Y-%m-%d} to {last:%Y-%m-%d}"


def times_of(column: ColumnInfo) -> tuple[str, list[dt.datetime]] | None:
    """(The unit, or DATES; the smallest, the largest and some other times) of whole numbers."""
    is_quantity = has_word(column, QUANTITIES) and not is_time_name(column.name)
    if column.kind != "int" or is_id_name(column) or is_quantity:
        return None
    values = [column.minimum, column.maximum, *column.examples]
    if not all(is_number(value) for value in values):
        return None
    for unit, per_s in UNITS.items():
        if times := _all_of(values, partial(_since_epoch, per_s=per_s)):
            return unit, times
    times = _all_of(values, _written_date)
    return (DATES, times) if times else None


def _all_of(values: list[int], read: Callable[[int], dt.datetime | None]) -> list[dt.datetime]:
    """The values as times between FIRST and LAST, or nothing where one is not."""
    times = [read(value) for value in values]
    known = [time for time in times if time is not None and FIRST <= time < LAST]
    return known if len(known) == len(values) else []


def _since_epoch(value: int, *, per_s: int) -> dt.datetime | None:
    try:
        return EPOCH + dt.timedelta(seconds=value / per_s)
    except OverflowError:
        return None


def _written_date(value: int) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(str(value), "%Y%m%d")
    except ValueError:
        return None


def id_by_values(column: ColumnInfo) -> str:
    """Why a column of many whole numbers holds ids and no quantity, or "" if it does not.

    Ids come again although they are large, fill their range, or lie about its middle as often as
    about its ends; counts, prices and durations crowd at the low end.
    """
    if column.kind != "int" or column.num_unique <= MAX_CATEGORIES or column.minimum < 0:
        return ""
    if has_word(column, QUANTITIES):
        return ""
    width = column.maximum - column.minimum + 1
    repeats = (column.num_rows - column.num_null) / column.num_unique
    if repeats < MIN_REPEATS:
        return ""
    if column.maximum >= HASHED:
        return "numbers above two billion that come again"
    if column.num_unique >= MANY_DENSE and column.num_unique >= DENSE * width:
        return f"{column.num_unique:,} of the {width:,} numbers in their range"
    if width >= WIDE and is_number(column.median):
        place = (column.median - column.minimum) / width
        if 0.25 <= place <= 0.75:
            return "spread over their whole range, as quantities seldom are"
    return ""
