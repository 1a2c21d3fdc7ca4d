"""Cut points in time: how many rows each time has, and from which time on rows are valid and test.

Times are numbers, dates, timestamps, or text of any of them, which `instants.py` reads. What is
counted fits memory if the distinct times do.

Shapes: N values, T distinct times.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.data.batch import Batch
from automtl.data.coded import Coded
from automtl.data.columns import ColumnError, Wrong, row_of
from automtl.data.instants import known_text, text_instants
from automtl.errors import DataError

__all__ = ["Cuts", "TimeCounts"]

MANY_PENDING = 1 << 18  # distinct times that wait to be added up
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
WIDER: Mapping[pl.DataType, pl.DataType] = {pl.UInt64(): pl.Int128()}  # a limit may be below 0
TextOf = Literal["int", "float", "date"]
HINT = "write a number, or a date such as 2022-04-25 18:30:00, or leave the row out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuts:
    """Rows before `train_until` are train; from `valid_from` and before `valid_until` valid; from
    `test_from` on test. None: no row is. What lies between is left out.

    `text_of` is what the column's text stands for, None where it is not text.
    """

    text_of: TextOf | None
    train_until: Any
    valid_from: Any
    valid_until: Any
    test_from: Any

    def passed(self, times: pl.Series | npt.NDArray[Any]) -> npt.NDArray[np.int8]:
        """How many of the four limits, as they are listed, each time has reached [N]."""
        times = self._comparable(times) if isinstance(times, pl.Series) else times
        if isinstance(times, pl.Series) and times.dtype == pl.Int64 and not times.null_count():
            times = times.to_numpy()  # a few are compared ten times as fast there
        passed_N = np.zeros(len(times), dtype=np.int8)
        for limit in (self.train_until, self.valid_from, self.valid_until, self.test_from):
            if limit is not None:
                is_past = times >= limit
                if isinstance(is_past, pl.Series):
                    is_past = is_past.fill_null(value=False).to_numpy()
                passed_N += is_past
        return passed_N

    def _comparable(self, values: pl.Series) -> pl.Series:
        times = values
        if self.text_of is not None and _is_text(values.dtype):
            times = _of_text(values, self.text_of)
        if times.dtype.is_integer():  # a limit may be beyond what those of a batch need
            times = times.cast(WIDER.get(times.dtype, pl.Int64()))
        return times


class TimeCounts:
    """How many rows each time has; of parts of the rows, then merged."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._parts: list[pl.DataFrame] = []
        self._num_pending = self._num_missing = 0
        self._text_of: TextOf | None = None
        self._first: tuple[bool, Any] | None = None  # whether it is a date; what was written

    def add(self, batch: Batch) -> None:
        """Raises ColumnError for a column that can hold no times, and for values that are none."""
        coded = batch.coded(self._name)
        if coded is not None:
            self._add_text(coded)
            return
        if (integers_N := batch.integers(self._name)) is not None:
            self._add_numbers(pl.Series(integers_N[:1]))
            self._keep(_counts_of(integers_N))
            return
        values = batch[self._name]
        if _is_text(values.dtype):  # by its categories
            self.add(Batch(values.cast(pl.String).to_frame()))
            return
        if not (values.dtype.is_temporal() or values.dtype.is_numeric()):
            self._fail(f"holds {values.dtype}; a time is a number, a date, or text of either")
        if values.dtype.is_float():
            values = values.fill_nan(None)
            if (endless := values.is_infinite()).any():
                self._fail(f"{values[row_of(endless)]} is no time; {HINT}", row_of(endless))
        if values.dtype.is_numeric():
            self._add_numbers(values)
        self._num_missing += values.null_count()
        counts = values.alias("time").value_counts(name="count").drop_nulls("time")
        self._keep(counts.with_columns(pl.col("count").cast(pl.Int64)))

    def merge(self, other: TimeCounts) -> None:
        """Adds what was counted of later rows. Raises ColumnError where one part has numbers and
        the other dates."""
        if self._first is not None and other._first is not None:
            (is_date, first), (is_later_date, later) = self._first, other._first
            if is_date != is_later_date:
                self._fail(_of_both(later, first, is_date=is_later_date))
        self._first = self._first or other._first
        kinds = {self._text_of, other._text_of} - {None}
        self._text_of = "float" if "float" in kinds else next(iter(kinds), None)
        self._num_missing += other._num_missing
        for part in other._parts:
            self._keep(part)

    def _add_text(self, coded: Coded) -> None:
        counts_D = np.bincount(coded.codes_N, minlength=len(coded.values) + 1)[:-1]
        text = known_text(coded.values)
        numbers = text.cast(pl.Float64, strict=False)
        is_known_D = (text.is_not_null() & ~numbers.is_nan().fill_null(value=False)).to_numpy()
        places_T = np.flatnonzero(is_known_D & (counts_D > 0))  # some occur in no row
        counts_T = counts_D[places_T]
        self._num_missing += len(coded.codes_N) - int(counts_T.sum())
        if not len(places_T):
            return
        text, numbers = text[places_T], numbers[places_T]
        is_date = numbers.is_null()
        instants = text_instants(text.set(~is_date, None)) if is_date.any() else None
        wrong = numbers.is_infinite().fill_null(value=False)
        if instants is not None:
            wrong |= is_date & instants.is_null()
        if wrong.any():
            row = _first_row(coded, places_T[wrong.to_numpy()])
            self._fail(f"{_written(coded, row)!r} is neither a number nor a date; {HINT}", row)
        self._check_kind(coded, places_T, is_date)
        if instants is not None:
            times, self._text_of = instants.cast(pl.Datetime("us")), "date"
        else:
            integers = text.cast(pl.Int64, strict=False)
            times = numbers if integers.null_count() else integers
            is_float = times.dtype.is_float() or self._text_of == "float"
            self._text_of = "float" if is_float else "int"
        self._keep(pl.DataFrame({"time": times, "count": counts_T}))

    def _add_numbers(self, values: pl.Series) -> None:
        """Numbers may be what other batches hold as text."""
        if values.null_count() == len(values):
            return
        row = row_of(values.is_not_null())
        self._first = self._first or (False, values[row])
        if self._first[0]:
            self._fail(_of_both(values[row], self._first[1], is_date=False), row)

    def _check_kind(self, coded: Coded, places_T: npt.NDArray[Any], is_date: pl.Series) -> None:
        """Numbers and dates have no order among each other."""
        if self._first is None:
            row = _first_row(coded, places_T)
            [place] = np.flatnonzero(places_T == coded.codes_N[row])
            self._first = (bool(is_date[int(place)]), _written(coded, row))
        is_first_date, first = self._first
        if (differs := is_date != is_first_date).any():
            row = _first_row(coded, places_T[differs.to_numpy()])
            self._fail(_of_both(_written(coded, row), first, is_date=not is_first_date), row)

    def _fail(self, rule: str, row: int | None = None) -> NoReturn:
        raise ColumnError([Wrong(f"column {self._name!r}", rule, row)])

    def cuts(self, *, valid: float, test: float, gap: float | str | None = None) -> Cuts:
        """The latest times are test, those before them valid: the cuts nearest to these shares.

        `gap` is how long before a cut rows are left out: in the unit of numbers, `12h` for dates.
        Raises DataError where a row has no time, or the gap is not of the column's kind.
        """
        if self._num_missing:
            raise DataError(
                f"column {self._name!r}: {self._num_missing} rows have no time, so none can be on"
                " a side of the cut; leave these rows out or split by another column"
            )
        counts = self._total().sort("time", descending=True)
        counts_T, num_rows = counts["count"].to_numpy(), int(counts["count"].sum())
        num_test = _nearest_prefix(counts_T, test * num_rows)
        num_valid = _nearest_prefix(counts_T[num_test:], valid * num_rows)
        times = counts["time"]
        valid_from = times[num_test + num_valid - 1] if num_valid else None
        test_from = times[num_test - 1] if num_test else None
        valid_until = self._before(test_from, gap)
        if valid_until is not None and valid_from is not None:
            valid_until = max(valid_until, valid_from)  # a gap may take all of valid, no more
        return Cuts(
            text_of=self._text_of,
            train_until=self._before(valid_from, gap),
            valid_from=valid_from,
            valid_until=valid_until,
            test_from=test_from,
        )

    def _before(self, cut: Any, gap: float | str | None) -> Any:
        if cut is None or gap is None:
            return cut
        is_number = isinstance(cut, int | float)
        if is_number == isinstance(gap, str):
            what, hint = ("numbers", "3600") if is_number else ("dates", "12h or 7d")
            raise DataError(
                f"data.split.gap: {gap!r}, but column {self._name!r} holds {what}; write {hint}"
            )
        if is_number:
            return cut - gap
        length = dt.timedelta(**{UNITS[str(gap)[-1]]: float(str(gap)[:-1])})
        return cut - length

    def _keep(self, counts: pl.DataFrame) -> None:
        self._parts.append(counts)
        self._num_pending += counts.height
        if self._num_pending > max(MANY_PENDING, 2 * self._parts[0].height):
            self._total()

    def _total(self) -> pl.DataFrame:
        parts = self._parts or [_counts_of(np.empty(0, np.int64))]
        total = pl.concat(parts, how="vertical_relaxed")
        total = total.group_by("time").agg(pl.col("count").sum())
        self._parts, self._num_pending = [total], total.height
        return total


def _counts_of(integers_N: npt.NDArray[Any]) -> pl.DataFrame:
    """How often each occurs."""
    integers_N = integers_N.astype(np.int64, copy=False)
    if not len(integers_N):
        return pl.DataFrame(schema={"time": pl.Int64, "count": pl.Int64})
    low = int(integers_N.min())
    if int(integers_N.max()) - low < len(integers_N):  # by place: sorting takes ten times as long
        counts_T = np.bincount(integers_N - low)
        times_T = np.flatnonzero(counts_T)
        return pl.DataFrame({"time": times_T + low, "count": counts_T[times_T]})
    times_T, counts_T = np.unique(integers_N, return_counts=True)
    return pl.DataFrame({"time": times_T, "count": counts_T})


def _nearest_prefix(counts: npt.NDArray[np.int64], target: float) -> int:
    """How many leading counts sum up to `target` most nearly; at least one if it is above 0."""
    if target <= 0 or len(counts) == 0:
        return 0
    return int(np.abs(np.cumsum(counts) - target).argmin()) + 1


def _is_text(dtype: pl.DataType) -> bool:
    return dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum)


def _first_row(coded: Coded, places: npt.NDArray[Any]) -> int:
    """The first row that holds one of some distinct values."""
    return int(np.isin(coded.codes_N, places).argmax())


def _written(coded: Coded, row: int) -> str:
    return str(coded.values[int(coded.codes_N[row])])


def _of_both(value: Any, first: Any, *, is_date: bool) -> str:
    kind, other = ("date", "number") if is_date else ("number", "date")
    return (
        f"{value!r} is a {kind}, but {first!r} before it is a {other}, and neither is the later;"
        " write all times of the column alike"
    )


def _of_text(text: pl.Series, kind: TextOf) -> pl.Series:
    """Text as values whose order is that of time."""
    text = known_text(text.cast(pl.String))
    match kind:
        case "int":
            return text.cast(pl.Int64, strict=False)
        case "float":
            return text.cast(pl.Float64, strict=False)
        case "date":
            return text_instants(text).cast(pl.Datetime("us"))
