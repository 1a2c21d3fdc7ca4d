"""What columns of times can be as features: parts of the clock and the week, ages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from automtl.spec.by_values import DATES, times_of
from automtl.spec.column_info import CLICK, EVENTS, FUNNEL, OUTCOMES, ColumnInfo, has_word

__all__ = ["TimeGuess", "guess_times"]

WEEKS_DAYS = 14  # so that train has seen every day of the week


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeGuess:
    """`features` are blocks of `data.time` by column; `ages` could be, if the column is known by
    then."""

    features: dict[str, dict[str, Any]]
    ages: dict[str, dict[str, Any]]


def guess_times(columns: Sequence[ColumnInfo], split: dict[str, Any]) -> TimeGuess:
    """The parts of the time of the row, which is that of the split, else the first; the ages of
    others at it. What is named after an event or an outcome is known only afterwards."""
    after = (*CLICK, *FUNNEL, *EVENTS, *OUTCOMES)
    found = {
        column.name: read
        for column in columns
        if not has_word(column, after) and (read := _times(column))
    }
    row = split.get("time", next(iter(found), None))
    if row not in found:
        return TimeGuess(features={}, ages={})
    unit, times = found[row]
    parts = ["hour"] if any(time.time() != dt.time() for time in times) else []
    parts += ["weekday"] if max(times) - min(times) >= dt.timedelta(days=WEEKS_DAYS) else []
    features = {row: {"parts": parts, **_unit(unit)}} if parts else {}
    ages = {
        name: {"parts": [], "age_at": row, "age_in": "days", **_unit(unit)}
        for name, (unit, _) in found.items()
        if name != row
    }
    return TimeGuess(features=features, ages=ages)


def _unit(unit: str) -> dict[str, str]:
    """What must be said of numbers, as their size does not tell it."""
    return {"unit": "ymd"} if unit == DATES else {}


def _times(column: ColumnInfo) -> tuple[str, list[dt.datetime]] | None:
    """(The unit of its numbers, or "", and its smallest, largest and some other times)."""
    if column.kind != "date":
        return times_of(column)
    values = [column.minimum, column.maximum, *column.examples]
    try:
        texts = [str(value).removesuffix(" UTC") for value in values if value is not None]
        times = [dt.datetime.fromisoformat(text) for text in texts]
    except ValueError:
        return None
    return ("", [time.replace(tzinfo=None) for time in times]) if times else None
