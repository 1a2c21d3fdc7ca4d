"""Counts of integers that lie far apart, and of text: of distinct keys, as they come.

The keys of some batches wait, and are then grouped by polars. Loops that are compiled number
integers by a table instead.

Shapes: N values, V distinct ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.data.loops import always_compiled, compiled, fixed

if TYPE_CHECKING:
    from automtl.data.numbering import IntegerNumbers

__all__ = ["CountsByNumber", "IntegerTotals", "Totals", "added_up"]

MANY_PENDING = 1 << 19  # distinct keys that wait to be added up
OCCURS = pl.col("key").is_not_null() & (pl.col("count") > 0)
Counts = npt.NDArray[np.int64]


class Totals:
    """Counts by key that are added up when many wait, so that each key is sorted seldom."""

    def __init__(self, dtype: type[pl.DataType]) -> None:
        self._added = pl.DataFrame(schema={"key": dtype, "count": pl.Int64})
        self._pending: list[pl.DataFrame] = []
        self._num_pending = 0

    def add_counted(
        self, keys: pl.Series, counts: pl.Series, *, are_distinct: bool = False
    ) -> None:
        """Keys that are null, or were counted 0 times, are left out when they are added up: at once
        where there is nothing to add, as the first keys `are_distinct`."""
        dtype = self._added.schema["key"]
        part = pl.DataFrame({"key": keys.cast(dtype), "count": counts.cast(pl.Int64)})
        if are_distinct and not self._pending and not self._added.height:
            self._added = part.filter(OCCURS)
            return
        self._pending.append(part)
        self._num_pending += part.height
        if self._num_pending > max(MANY_PENDING, self._added.height):
            self._add_up()

    def total(self) -> pl.DataFrame:
        """The `key` and `count` of each."""
        if self._pending:
            self._add_up()
        return self._added

    def _add_up(self) -> None:
        self._added = added_up(pl.concat([self._added, *self._pending]))
        self._pending, self._num_pending = [], 0


class CountsByNumber:
    """How often each number occurs, of things that compiled loops have numbered."""

    def __init__(self) -> None:
        self._counts_V = np.zeros(0, dtype=np.int64)

    def add(self, numbers_N: npt.NDArray[Any], *, num: int) -> None:
        """Counts numbers below `num`."""
        self._make_room(num)
        always_compiled().count(fixed(numbers_N), 0, self._counts_V)

    def taken(self, num: int) -> Counts:
        """Of the numbers below `num` [num]; then all are 0 again."""
        self._make_room(num)
        counts_V, self._counts_V = self._counts_V, np.zeros(0, dtype=np.int64)
        return counts_V[:num]

    def _make_room(self, num: int) -> None:
        if num > len(self._counts_V):
            longer_V = np.zeros(2 * num, dtype=np.int64)
            longer_V[: len(self._counts_V)] = self._counts_V
            self._counts_V = longer_V


class IntegerTotals(Totals):
    """Of 64-bit integers."""

    def __init__(self) -> None:
        super().__init__(pl.Int64)
        self._numbered: IntegerNumbers | None = None
        self._counts = CountsByNumber()

    def add(self, values_N: npt.NDArray[Any]) -> None:
        """Counts integers of any width, none of them missing."""
        if compiled() is None:
            self.add_counted(*map(pl.Series, np.unique(values_N, return_counts=True)))
            return
        from automtl.data.numbering import IntegerNumbers

        self._numbered = self._numbered or IntegerNumbers()
        numbers_N = self._numbered.add(values_N)
        self._counts.add(numbers_N, num=self._numbered.num)

    def total(self) -> pl.DataFrame:
        if (numbered := self._numbered) is not None:
            self._numbered = None
            counts_V = self._counts.taken(numbered.num)
            keys = pl.Series(numbered.values_V)
            self.add_counted(keys, pl.Series(counts_V), are_distinct=True)
        return super().total()


def added_up(counts: pl.DataFrame) -> pl.DataFrame:
    """The sum of the counts of each `key` that occurs."""
    return counts.lazy().filter(OCCURS).group_by("key").agg(pl.col("count").sum()).collect()
