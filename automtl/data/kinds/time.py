"""A column of times: parts of the clock and the calendar as ids, its age as a number.

Shapes: N rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.config import (
    AGE,
    AgeUnit,
    CategoricalFeature,
    NumericFeature,
    Table,
    TimePart,
    TimeUnit,
    input_name,
)
from automtl.data.batch import Batch
from automtl.data.instants import SECOND, read_times
from automtl.data.kinds.numeric import numeric_features
from automtl.data.scaling import Moments, Scaling, finite_array, fit_edges, scaled
from automtl.data.vocabulary import FIRST_ID, MISSING
from automtl.errors import DataError

__all__ = [
    "Age",
    "AgeFit",
    "Calendar",
    "CalendarFit",
    "TimeColumn",
]

UTC = "UTC"
NUM_VALUES: Mapping[TimePart, int] = {
    "hour": 24,
    "weekday": 7,
}  # of each part: 0 to 23, Monday to Sunday
IN_SECONDS: Mapping[AgeUnit, int] = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeColumn:
    """How a column is read; `unit` is that of its numbers, None: each by its size."""

    name: str
    unit: TimeUnit | None


class _ColumnFit:
    """What a column's values say of how it is read; of parts of the rows, then merged."""

    def __init__(self, column: TimeColumn) -> None:
        self._name, self._unit = column.name, column.unit
        self._units, self._zones = set[TimeUnit](), set[str]()

    def read(self, batch: Batch) -> pl.Series:
        """The instants of a batch [N]."""
        times = read_times(batch[self._name], self._unit)
        self._units |= times.units
        self._zones |= {times.zone} if times.zone is not None else set()
        return times.us

    def merge(self, other: _ColumnFit) -> None:
        self._units |= other._units
        self._zones |= other._zones

    def column(self) -> TimeColumn:
        """Raises DataError if its numbers seem to be of several units."""
        if len(self._units) > 1:
            units = " and ".join(sorted(self._units))
            raise DataError(
                f"column {self._name!r}: has numbers that look like {units}; write the unit under"
                f" data.time: {self._name}: {{unit: {min(self._units)}}}, or correct the column"
            )
        unit = next(iter(self._units), self._unit)
        return TimeColumn(name=self._name, unit=unit)

    def zone(self) -> str:
        """That of the column's type, UTC without. Raises DataError if files have several."""
        if len(self._zones) > 1:
            zones = " and ".join(sorted(self._zones))
            raise DataError(
                f"column {self._name!r}: is in the time zones {zones}; write the one that hours are"
                f" told in under data.time: {self._name}: {{zone: {min(self._zones)}}}"
            )
        return next(iter(self._zones), UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Parts of a column's times, told in a time zone."""

    column: TimeColumn
    parts: tuple[TimePart, ...]
    zone: str

    def features(self) -> tuple[CategoricalFeature, ...]:
        names = (input_name(self.column.name, part) for part in self.parts)
        return tuple(CategoricalFeature(name=name, table=name) for name in names)

    def tables(self) -> tuple[Table, ...]:
        return tuple(
            Table(name=input_name(self.column.name, part), num_rows=FIRST_ID + NUM_VALUES[part])
            for part in self.parts
        )

    def ids(self, batch: Batch) -> npt.NDArray[np.int32]:
        """The id of each part [N, parts]: in the order of the clock and the week."""
        us = read_times(batch[self.column.name], self.column.unit).us
        local = us.cast(pl.Datetime("us", UTC)).dt.convert_time_zone(self.zone)
        ids_NP = np.empty((batch.height, len(self.parts)), dtype=np.int32)
        for place, part in enumerate(self.parts):
            number = local.dt.hour() if part == "hour" else local.dt.weekday() - 1
            ids_NP[:, place] = (number.cast(pl.Int32) + FIRST_ID).fill_null(MISSING).to_numpy()
        return ids_NP


class CalendarFit:
    """Looks how a column of times is read."""

    def __init__(
        self, column: TimeColumn, *, zone: str | None, parts: tuple[TimePart, ...]
    ) -> None:
        self._column, self._zone, self._parts = _ColumnFit(column), zone, parts

    def add(self, batch: Batch, rows: npt.NDArray[np.int64] | None) -> None:
        """Checks every row of a batch."""
        self._column.read(batch)

    def merge(self, other: CalendarFit) -> None:
        self._column.merge(other._column)

    def calendar(self) -> Calendar:
        """Raises DataError where the column has several units or zones."""
        zone = self._zone or self._column.zone()
        return Calendar(column=self._column.column(), parts=self._parts, zone=zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """How long before `at` a column's times lie, scaled; missing where one of the two is."""

    column: TimeColumn
    at: TimeColumn
    unit: AgeUnit
    scaling: Scaling

    def numbers(self, batch: Batch) -> npt.NDArray[np.float32]:
        """[N], or [N, 2], as `scaled` has them."""
        born, at = (read_times(batch[one.name], one.unit).us for one in (self.column, self.at))
        ages = _ages(born, at, self.unit).alias(self.scaling.name)
        return scaled(finite_array(ages), self.scaling)


class AgeFit:
    """Adds up what the scaling of an age needs of train rows."""

    def __init__(self, column: TimeColumn, *, at: TimeColumn, unit: AgeUnit) -> None:
        self._born, self._at, self._unit = _ColumnFit(column), _ColumnFit(at), unit
        self._name = input_name(column.name, AGE)
        self._moments = Moments("log1p")

    def add(self, batch: Batch, rows: npt.NDArray[np.int64] | None) -> None:
        """Adds the train rows of a batch, those numbered `rows` (None: all); checks every row."""
        ages = _ages(self._born.read(batch), self._at.read(batch), self._unit)
        numbers_N = finite_array(ages)
        self._moments.add(numbers_N if rows is None else numbers_N[rows])

    def merge(self, other: AgeFit) -> None:
        self._born.merge(other._born)
        self._at.merge(other._at)
        self._moments.merge(other._moments)

    def age(self) -> Age:
        """Raises DataError where a column has several units."""
        return Age(
            column=self._born.column(),
            at=self._at.column(),
            unit=self._unit,
            scaling=self._moments.scaling(self._name),
        )

    def features(self, age: Age, sample: pl.DataFrame) -> list[NumericFeature]:
        """The number with its bins, and an indicator if it has one; `sample`: some train rows."""
        born, at = (read_times(sample[one.name], one.unit).us for one in (age.column, age.at))
        ages = _ages(born, at, age.unit)
        edges = fit_edges(ages, age.scaling, bounds=self._moments.bounds())
        return numeric_features(age.scaling, edges)


def _ages(born: pl.Series, at: pl.Series, unit: AgeUnit) -> pl.Series:
    """`at` − `born` [N] in `unit`, Float64, null where one is missing."""
    return (at - born).cast(pl.Float64) / (IN_SECONDS[unit] * SECOND)
