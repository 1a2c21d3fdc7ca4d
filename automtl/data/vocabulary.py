"""Category keys to ids: 0 missing (and padding), 1 never seen in train, 2 and up the vocabulary.

Integers in a narrow range are counted and looked up by place, other integers and text by hashing;
text once a distinct value of a batch, not once a row. What is counted grows with the distinct keys,
not with the rows.

Shapes: N values, D distinct values, V keys of a vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.data.batch import Coded
from automtl.data.columns import as_keys, plain
from automtl.data.hash_index import HashIndex
from automtl.data.key_hash import key_hashes

__all__ = [
    "FIRST_ID",
    "MISSING",
    "UNSEEN",
    "BucketLookup",
    "KeyCounts",
    "Lookup",
    "build_vocabulary",
]

MISSING = 0
UNSEEN = 1
FIRST_ID = 2
WIDEST = 1 << 22  # integers between the smallest and the largest that are counted by place
MANY_PENDING = 1 << 18  # distinct keys that wait to be added up
LARGEST_INT = 2**63 - 1
Ids = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]


class KeyCounts:
    """How often each key occurs, missing values left out. Of parts of the rows, then merged."""

    def __init__(self) -> None:
        self._narrow = _NarrowCounts()
        self._wide = _Totals(pl.Int64)
        self._text = _Totals(pl.String)

    def add(self, values: pl.Series) -> None:
        """Counts a column of single values. Raises ColumnError for what is none."""
        values = plain(values)
        if (integers := _as_integers(values)) is not None:
            if len(integers):
                self._add_integers(integers)
            return
        counts = values.alias("value").value_counts(name="count").drop_nulls("value")
        self._text.add(as_keys(counts["value"]), counts["count"])

    def add_coded(self, column: Coded, rows: npt.NDArray[np.int64] | None = None) -> None:
        """Counts a column of text; `rows` are those that count, None: all."""
        codes_N = column.codes_N if rows is None else column.codes_N[rows]
        counts_D = np.bincount(codes_N, minlength=len(column.values) + 1)[:-1]
        keys = as_keys(column.values)
        self._text.add(keys, pl.Series(counts_D))

    def merge(self, other: KeyCounts) -> None:
        """Adds what `other` counted."""
        values, counts = other._narrow.totals()
        if len(values) and not self._narrow.add(values, counts):
            self._wide.add(pl.Series(values), pl.Series(counts))
        for mine, theirs in ((self._wide, other._wide), (self._text, other._text)):
            total = theirs.total()
            mine.add(total["key"], total["count"])

    def total(self) -> pl.DataFrame:
        """Columns `key` (text) and `count`, a row a key."""
        values, counts = self._narrow.totals()
        self._wide.add(pl.Series(values), pl.Series(counts))
        self._narrow = _NarrowCounts()
        integers = self._wide.total().select(pl.col("key").cast(pl.String), "count")
        return _added_up(pl.concat([integers, self._text.total()]))

    def _add_integers(self, values_N: Ints) -> None:
        if not self._narrow.add(values_N):
            self._wide.add(*map(pl.Series, np.unique(values_N, return_counts=True)))


class _NarrowCounts:
    """Counts of integers that lie within WIDEST of each other, by place."""

    def __init__(self) -> None:
        self._first, self._counts = 0, np.zeros(0, dtype=np.int64)

    def add(self, values_N: Ints, counts: Ints | int = 1) -> bool:
        """False, and nothing is counted, if the integers are too far apart."""
        low, high = int(values_N.min()), int(values_N.max())
        if len(self._counts):
            low, high = min(low, self._first), max(high, self._first + len(self._counts) - 1)
        if high - low >= WIDEST:
            return False
        if high - low >= len(self._counts):
            self._widen(low, high)
        np.add.at(self._counts, values_N - self._first, counts)
        return True

    def totals(self) -> tuple[Ints, Ints]:
        """The integers that occur, rising, and how often."""
        places = np.flatnonzero(self._counts)
        return places + self._first, self._counts[places]

    def _widen(self, low: int, high: int) -> None:
        """Makes place for `low` to `high`, and as much again above so that it is rarely done."""
        wider = np.zeros(min(2 * (high - low + 1), WIDEST), dtype=np.int64)
        start = self._first - low
        if len(self._counts):
            used = self._counts[: len(wider) - start]  # beyond the largest value all is 0
            wider[start : start + len(used)] = used
        self._first, self._counts = low, wider


class _Totals:
    """Counts by key that are added up when many wait, so that each key is sorted seldom."""

    def __init__(self, dtype: type[pl.DataType]) -> None:
        self._added = pl.DataFrame(schema={"key": dtype, "count": pl.Int64})
        self._pending: list[pl.DataFrame] = []
        self._num_pending = 0

    def add(self, keys: pl.Series, counts: pl.Series) -> None:
        """Keys that are null, or were counted 0 times, are left out when they are added up."""
        dtype = self._added.schema["key"]
        part = pl.DataFrame({"key": keys.cast(dtype), "count": counts.cast(pl.Int64)})
        self._pending.append(part)
        self._num_pending += part.height
        if self._num_pending > max(MANY_PENDING, self._added.height):
            self.total()

    def total(self) -> pl.DataFrame:
        if self._pending:
            self._added = _added_up(pl.concat([self._added, *self._pending]))
            self._pending, self._num_pending = [], 0
        return self._added


def _added_up(counts: pl.DataFrame) -> pl.DataFrame:
    known = counts.lazy().filter(pl.col("key").is_not_null() & (pl.col("count") > 0))
    return known.group_by("key").agg(pl.col("count").sum()).collect()


def build_vocabulary(
    counts: Iterable[KeyCounts], *, min_count: int = 1, max_vocab: int | None = None
) -> pl.Series:
    """The keys in the order of their ids: by falling count, ties by the key's text."""
    merged = KeyCounts()
    for one in counts:
        merged.merge(one)
    kept = merged.total().filter(pl.col("count") >= min_count)
    kept = kept.sort(["count", "key"], descending=[True, False])
    return (kept if max_vocab is None else kept.head(max_vocab))["key"]


class Lookup:
    """The ids of values by a vocabulary: its tables are made when they are first needed."""

    def __init__(self, vocabulary: pl.Series) -> None:
        self._keys = vocabulary
        self._integers: _NarrowIds | _WideIds | None = None
        self._text: _TextIds | None = None

    def ids(self, values: pl.Series) -> Ids:
        """The id of each value of a column [N]."""
        values = plain(values)
        if (integers := _as_integers(values)) is not None:
            self._integers = self._integers or _integer_ids(self._keys)
            ids_N = self._integers.find(integers)
            return ids_N if len(ids_N) == len(values) else _spread(ids_N, values)
        distinct = values.unique().drop_nulls()
        ids_D = pl.Series(self._of_keys(as_keys(distinct)))
        return (
            values.replace_strict(distinct, ids_D, default=MISSING, return_dtype=pl.Int32)
        ).to_numpy()

    def coded_ids(self, column: Coded) -> Ids:
        """The id of each value of a column of text [N]."""
        return _by_code(self._of_keys(as_keys(column.values)), column)

    def _of_keys(self, keys_D: pl.Series) -> Ids:
        self._text = self._text or _TextIds(self._keys)
        ids_D = self._text.find(keys_D)
        if keys_D.null_count():
            ids_D[keys_D.is_null().to_numpy()] = MISSING
        return ids_D


class BucketLookup:
    """The ids of values by the hash of their key: FIRST_ID on, and nothing is ever unseen."""

    def __init__(self, num_buckets: int) -> None:
        self._num_buckets = np.uint64(num_buckets)

    def ids(self, values: pl.Series) -> Ids:
        """The id of each value of a column [N]."""
        return self._of_keys(as_keys(values))

    def coded_ids(self, column: Coded) -> Ids:
        """The id of each value of a column of text [N]."""
        return _by_code(self._of_keys(as_keys(column.values)), column)

    def _of_keys(self, keys_D: pl.Series) -> Ids:
        ids_D = (key_hashes(keys_D) % self._num_buckets).astype(np.int32) + np.int32(FIRST_ID)
        ids_D[keys_D.is_null().to_numpy()] = MISSING
        return ids_D


class _NarrowIds:
    """The ids of integers by place."""

    def __init__(self, integers_V: Ints, ids_V: Ids) -> None:
        self._first = int(integers_V.min())
        self._last = int(integers_V.max())
        self._ids = np.full(self._last - self._first + 2, UNSEEN, dtype=np.int32)
        self._ids[integers_V - self._first] = ids_V

    def find(self, values_N: Ints) -> Ids:
        if not len(values_N):
            return np.zeros(0, dtype=np.int32)
        low, high = int(values_N.min()), int(values_N.max())
        if self._first <= low and high <= self._last:
            return self._ids.take(values_N - self._first)
        inside_N = (values_N >= self._first) & (values_N <= self._last)
        places_N = np.where(inside_N, values_N, self._last + 1) - self._first
        return self._ids.take(places_N)


class _WideIds:
    """The ids of integers by hashing."""

    def __init__(self, integers_V: Ints, ids_V: Ids) -> None:
        self._index = HashIndex(integers_V.view(np.uint64))
        self._ids = np.append(ids_V, np.int32(UNSEEN))

    def find(self, values_N: Ints) -> Ids:
        return self._ids.take(self._index.find(values_N.view(np.uint64)))  # -1: the last


class _TextIds:
    """The ids of text by hashes; a text of another key's hash is told by comparing."""

    def __init__(self, keys: pl.Series) -> None:
        self._keys, self._seed = keys, 0
        while (hashes := self._hashes(keys)).n_unique() < len(keys):
            self._seed += 1
        self._index = HashIndex(hashes.to_numpy())

    def find(self, keys_D: pl.Series) -> Ids:
        places_D = self._index.find(self._hashes(keys_D).to_numpy())
        found_D = places_D >= 0
        rows = np.flatnonzero(found_D)
        same = self._keys[places_D[rows]] == keys_D[rows]
        rows = rows[(same.fill_null(value=False) if same.null_count() else same).to_numpy()]
        ids_D = np.full(len(keys_D), UNSEEN, dtype=np.int32)
        ids_D[rows] = places_D[rows] + FIRST_ID
        return ids_D

    def _hashes(self, keys: pl.Series) -> pl.Series:
        return keys.hash(seed=self._seed)


def _integer_ids(keys: pl.Series) -> _NarrowIds | _WideIds:
    """The part of a vocabulary that integers can meet: keys that are written as one."""
    integers = keys.cast(pl.Int64, strict=False)
    meets = integers.is_not_null() & (integers.cast(pl.String) == keys)
    ids_V = np.flatnonzero(meets.to_numpy()).astype(np.int32) + np.int32(FIRST_ID)
    integers_V = integers.filter(meets).to_numpy()
    if len(integers_V) and int(integers_V.max()) - int(integers_V.min()) < WIDEST:
        return _NarrowIds(integers_V, ids_V)
    return _WideIds(integers_V, ids_V)


def _as_integers(values: pl.Series) -> Ints | None:
    """The known values of a column of integers; None for another type, or beyond 64 bits."""
    if not values.dtype.is_integer():
        return None
    known = values.drop_nulls() if values.null_count() else values
    if values.dtype in (pl.UInt64, pl.Int128, pl.UInt128):
        low, high = known.min(), known.max()
        if low is not None and not -LARGEST_INT <= int(str(low)) <= int(str(high)) <= LARGEST_INT:
            return None
    return known.cast(pl.Int64).to_numpy()


def _by_code(ids_D: Ids, column: Coded) -> Ids:
    """The id of each row's value, from those of the distinct values; MISSING where it has none."""
    return np.append(ids_D, np.int32(MISSING)).take(column.codes_N)


def _spread(ids_M: Ids, values: pl.Series) -> Ids:
    """The ids of the known values, each at its row; MISSING elsewhere."""
    ids_N = np.full(len(values), MISSING, dtype=np.int32)
    ids_N[values.is_not_null().to_numpy()] = ids_M
    return ids_N
