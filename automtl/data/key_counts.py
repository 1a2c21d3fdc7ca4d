"""How often each key of a column occurs, and the vocabulary that follows.

Integers in a narrow range are counted by place, other integers and text by grouping, or by a table
where loops are compiled; text once a distinct value of a batch, not once a row. What is counted
grows with the distinct keys, not with the rows.

Shapes: N values, D distinct values, V keys of a vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.data.coded import Coded, Distinct
from automtl.data.columns import as_integers, as_keys, plain
from automtl.data.loops import compiled, fixed
from automtl.data.numbered_text import NumberedRows, NumberedText
from automtl.data.totals import CountsByNumber, IntegerTotals, Totals, added_up
from automtl.data.written import TENS, num_digits

__all__ = ["WIDEST", "KeyCounts", "build_vocabulary"]

WIDEST = 1 << 22  # integers between the smallest and the largest that have a place each
Ints = npt.NDArray[np.int64]


class KeyCounts:
    """How often each key occurs, missing values left out. Of parts of the rows, then merged."""

    def __init__(self) -> None:
        self._narrow = _NarrowCounts()
        self._wide, self._text = IntegerTotals(), Totals(pl.String)
        self._coded, self._numbered = _CodedCounts(), _NumberedCounts()

    def add(self, values: pl.Series) -> None:
        """Counts a column of single values. Raises ColumnError for what is none."""
        values = plain(values)
        if (integers := as_integers(values)) is not None:
            self.add_integers(integers)
            return
        counts = values.alias("value").value_counts(name="count").drop_nulls("value")
        self._text.add_counted(as_keys(counts["value"]), counts["count"])

    def add_integers(self, values_N: Ints) -> None:
        """Counts integers of any width, none of them missing."""
        if len(values_N) and not self._narrow.add(values_N):
            self._wide.add(values_N)

    def add_coded(self, column: Coded, rows: npt.NDArray[np.int64] | None = None) -> None:
        """Counts a column of text; `rows` are those that count, None: all."""
        codes_N = column.codes_N if rows is None else column.codes_N[rows]
        self._coded.add(column.distinct, codes_N, self._text)

    def add_numbered(self, column: NumberedRows, rows: npt.NDArray[np.int64] | None = None) -> None:
        """Counts a column of text that is numbered, likewise."""
        numbers_N = column.numbers_N if rows is None else column.numbers_N[rows]
        self._numbered.add(column.text, numbers_N)

    def merge(self, other: KeyCounts) -> None:
        """Adds what `other` counted."""
        values, counts = other._narrow.totals()
        if len(values) and not self._narrow.add_counted(values, counts):
            self._wide.add_counted(pl.Series(values), pl.Series(counts))
        other._flush()
        for mine, theirs in ((self._wide, other._wide), (self._text, other._text)):
            total = theirs.total()
            mine.add_counted(total["key"], total["count"])

    def vocabulary(self, *, min_count: int = 1) -> pl.Series:
        """The keys that occur so often: by falling count, ties by the key's text."""
        values, counts = self._integers()
        self._flush()
        text = self._text.total()
        if not text.height:
            frequent = counts >= min_count
            values, counts = values[frequent], counts[frequent]
            ordered = values[np.lexsort((*_by_text(values), -counts))]
            return pl.Series("key", ordered).cast(pl.String)
        if len(values):  # `2` and "2" are one key
            integers = pl.DataFrame({"key": values, "count": counts})
            text = added_up(pl.concat([integers.cast({"key": pl.String}), text]))
        kept = text.filter(pl.col("count") >= min_count)
        by_text = kept["key"].arg_sort().to_numpy()  # polars takes half as long again for both
        order = by_text[np.argsort(-kept["count"].to_numpy()[by_text], kind="stable")]
        return kept["key"].gather(order)

    def _flush(self) -> None:
        """Puts what is counted of text together."""
        self._coded.flush(self._text)
        self._numbered.flush(self._text)

    def _integers(self) -> tuple[Ints, Ints]:
        """Those that occur, and how often."""
        values, counts = self._narrow.totals()
        wide = self._wide.total()
        if not wide.height:
            return values, counts
        if len(values):  # some batches were narrow, others not
            self._wide.add_counted(pl.Series(values), pl.Series(counts))
            self._narrow = _NarrowCounts()
            wide = self._wide.total()
        return wide["key"].to_numpy(), wide["count"].to_numpy()


def build_vocabulary(
    counts: Sequence[KeyCounts], *, min_count: int = 1, max_vocab: int | None = None
) -> pl.Series:
    """The keys in the order of their ids: by falling count, ties by the key's text."""
    merged = counts[0]
    if len(counts) > 1:
        merged = KeyCounts()
        for one in counts:
            merged.merge(one)
    keys = merged.vocabulary(min_count=min_count)
    return keys if max_vocab is None else keys.head(max_vocab)


class _NarrowCounts:
    """Counts of integers that lie within WIDEST of each other, by place."""

    def __init__(self) -> None:
        self._first, self._counts = 0, np.zeros(0, dtype=np.int64)

    def add(self, values_N: npt.NDArray[Any]) -> bool:
        """False, and nothing is counted, if the integers are too far apart."""
        loops, values_N = compiled(), fixed(values_N)
        if not self._make_room(int(values_N.min()), int(values_N.max())):
            return False
        if loops is not None:
            loops.count(values_N, self._first, self._counts)
            return True
        places_N = self._places(values_N)
        if len(self._counts) < len(places_N):
            self._counts += np.bincount(places_N, minlength=len(self._counts))
        else:
            np.add.at(self._counts, places_N, 1)
        return True

    def add_counted(self, values_V: Ints, counts_V: Ints) -> bool:
        """Distinct integers that occurred so often, likewise."""
        if not self._make_room(int(values_V.min()), int(values_V.max())):
            return False
        self._counts[self._places(values_V)] += counts_V
        return True

    def totals(self) -> tuple[Ints, Ints]:
        """The integers that occur, rising, and how often."""
        places = np.flatnonzero(self._counts)
        return places + self._first, self._counts[places]

    def _places(self, values_N: npt.NDArray[Any]) -> Ints:
        values_N = values_N.astype(np.int64, copy=False)
        return values_N - self._first if self._first else values_N

    def _make_room(self, low: int, high: int) -> bool:
        """Whether all from `low` to `high` can have a place."""
        if len(self._counts):
            low, high = min(low, self._first), max(high, self._first + len(self._counts) - 1)
        if high - low >= WIDEST:
            return False
        if high - low >= len(self._counts):
            self._widen(low, high)
        return True

    def _widen(self, low: int, high: int) -> None:
        """Makes place for `low` to `high`, and as much again above so that it is rarely done."""
        wider = np.zeros(min(2 * (high - low + 1), WIDEST), dtype=np.int64)
        start = self._first - low
        if len(self._counts):
            used = self._counts[: len(wider) - start]  # beyond the largest value all is 0
            wider[start : start + len(used)] = used
        self._first, self._counts = low, wider


class _CodedCounts:
    """Counts of the distinct values of the last batches of text, as long as they share them."""

    def __init__(self) -> None:
        self._distinct: Distinct | None = None
        self._counts_D = np.zeros(0, dtype=np.int64)

    def add(self, distinct: Distinct, codes_N: npt.NDArray[np.int32], text: Totals) -> None:
        """The code of a missing value is behind all others."""
        if distinct is not self._distinct:
            self.flush(text)
            self._distinct = distinct
            self._counts_D = np.zeros(len(distinct.array) + 1, dtype=np.int64)
        self._counts_D += np.bincount(codes_N, minlength=len(self._counts_D))

    def flush(self, text: Totals) -> None:
        """Adds them to those of all text."""
        if self._distinct is not None:
            text.add_counted(self._distinct.keys, pl.Series(self._counts_D[:-1]))
        self._distinct = None


class _NumberedCounts:
    """Counts of text by its number."""

    def __init__(self) -> None:
        self._text: NumberedText | None = None
        self._counts = CountsByNumber()

    def add(self, text: NumberedText, numbers_N: npt.NDArray[Any]) -> None:
        self._text = text
        self._counts.add(numbers_N, num=text.num)

    def flush(self, text: Totals) -> None:
        """Adds them to those of all text."""
        if self._text is not None:
            distinct = self._text.distinct
            counts = pl.Series(self._counts.taken(len(distinct.array)))
            text.add_counted(distinct.keys, counts, are_distinct=distinct.are_keys)
        self._text = None


def _by_text(values: Ints) -> tuple[npt.NDArray[Any], ...]:
    """What integers are to be sorted by for the order of their text, the last first: the sign (`-`
    comes before the digits), the digits with zeros behind, and how many there are."""
    digits, size = num_digits(values), np.abs(values).view(np.uint64)
    return digits, size * TENS[len(TENS) - digits], (values >= 0).view(np.int8)
