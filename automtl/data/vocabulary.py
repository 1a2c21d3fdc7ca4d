"""Category keys to ids: 0 missing (and padding), 1 never seen in train, 2 and up the vocabulary.

Integers in a narrow range are looked up by place, other integers and text by hashing; text once a
distinct value of a batch, not once a row.

Shapes: N values, D distinct values, V keys of a vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.data.coded import Distinct
from automtl.data.columns import as_integers, as_keys, plain
from automtl.data.hash_index import HashIndex
from automtl.data.key_counts import WIDEST
from automtl.data.key_hash import key_hashes
from automtl.data.placing import Found
from automtl.data.remembered import Remembered
from automtl.data.written import num_digits

__all__ = [
    "FIRST_ID",
    "MISSING",
    "UNSEEN",
    "BucketLookup",
    "Lookup",
]

MISSING = 0
UNSEEN = 1
FIRST_ID = 2
AT_ONCE = 1 << 20  # keys that are looked up
Ids = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]


class Lookup:
    """The ids of values by a vocabulary: its tables are made when they are first needed."""

    def __init__(self, vocabulary: pl.Series) -> None:
        self._keys = vocabulary
        self._integers: _NarrowIds | _WideIds | None = None
        self._text: _TextIds | None = None
        self._by_code = _ByCode(self._of_keys)
        self.remembered = Remembered()

    def ids(self, values: pl.Series) -> Ids:
        """The id of each value of a column [N]."""
        values = plain(values)
        if (integers := as_integers(values)) is not None:
            ids_N = self.integer_ids(integers)
            return ids_N if len(ids_N) == len(values) else _spread(ids_N, values)
        distinct = values.unique().drop_nulls()
        ids_D = pl.Series(self._of_keys(as_keys(distinct)))
        return (
            values.replace_strict(distinct, ids_D, default=MISSING, return_dtype=pl.Int32)
        ).to_numpy()

    def integer_ids(self, values_N: npt.NDArray[Any]) -> Ids:
        """The id of each integer [N], of any width."""
        return self._integer_table.find(values_N.astype(np.int64, copy=False))

    def distinct_ids(self, distinct: Distinct) -> Ids:
        """The id of each of the distinct values of a column of text, then MISSING [D + 1]."""
        return self._by_code.ids(distinct)

    def found(self, values_N: npt.NDArray[Any]) -> Found | None:
        """The id of each integer [N], of any width, to be looked up where it is put; None where
        that cannot be."""
        return self._integer_table.found(values_N)

    @property
    def _integer_table(self) -> _NarrowIds | _WideIds:
        self._integers = self._integers or _integer_ids(self._keys)
        return self._integers

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
        self._by_code = _ByCode(self._of_keys)
        self.remembered = Remembered()

    def ids(self, values: pl.Series) -> Ids:
        """The id of each value of a column [N]."""
        return self._of_keys(as_keys(values))

    def integer_ids(self, values_N: npt.NDArray[Any]) -> Ids:
        """The id of each integer [N], of any width."""
        return self._of_keys(pl.Series(values_N).cast(pl.String))

    def distinct_ids(self, distinct: Distinct) -> Ids:
        """The id of each of the distinct values of a column of text, then MISSING [D + 1]."""
        return self._by_code.ids(distinct)

    def found(self, values_N: npt.NDArray[Any]) -> None:
        """None: what is hashed has no table."""

    def _of_keys(self, keys_D: pl.Series) -> Ids:
        ids_D = (key_hashes(keys_D) % self._num_buckets).astype(np.int32) + np.int32(FIRST_ID)
        ids_D[keys_D.is_null().to_numpy()] = MISSING
        return ids_D


class _ByCode:
    """The ids of distinct text, which are kept as long as the batches share it."""

    def __init__(self, of_keys: Callable[[pl.Series], Ids]) -> None:
        self._of_keys = of_keys
        self._known: tuple[Distinct, Ids] | None = None  # one value, as several threads may ask

    def ids(self, distinct: Distinct) -> Ids:
        """The id of each, then MISSING for rows that have none [D + 1]."""
        known = self._known
        if known is None or known[0] is not distinct:
            keys = distinct.keys
            ids_D = np.full(len(keys) + 1, MISSING, dtype=np.int32)
            for start in range(0, len(keys), AT_ONCE):  # there may be millions
                part = slice(start, min(start + AT_ONCE, len(keys)))
                ids_D[part] = self._of_keys(keys[part])
            known = self._known = (distinct, ids_D)
        return known[1]


class _NarrowIds:
    """The ids of integers by place."""

    def __init__(self, integers_V: Ints, ids_V: Ids) -> None:
        self._first = int(integers_V.min())
        self._last = int(integers_V.max())
        self._ids = np.full(self._last - self._first + 2, UNSEEN, dtype=np.int32)
        self._ids[integers_V - self._first] = ids_V

    def find(self, values_N: Ints) -> Ids:
        places_N = values_N - self._first if self._first else values_N
        last = self._last - self._first
        if places_N.view(np.uint64).max(initial=0) > last:  # those below the first are large there
            places_N = np.where((places_N >= 0) & (places_N <= last), places_N, last + 1)
        return self._ids.take(places_N)

    def found(self, values_N: npt.NDArray[Any]) -> Found:
        """The same, to be looked up where it is put."""
        return Found(values_N=values_N, first=self._first, table_V=self._ids)


class _WideIds:
    """The ids of integers by hashing."""

    def __init__(self, integers_V: Ints, ids_V: Ids) -> None:
        self._index = HashIndex(integers_V.view(np.uint64))
        self._ids = np.append(ids_V, np.int32(UNSEEN))

    def find(self, values_N: Ints) -> Ids:
        return self._ids.take(self._index.find(values_N.view(np.uint64)))  # -1: the last

    def found(self, values_N: npt.NDArray[Any]) -> Found:
        """The same, to be looked up where it is put."""
        values_N = values_N.astype(np.int64, copy=False)
        return Found(values_N=self._index.find(values_N.view(np.uint64)), table_V=self._ids)


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
        asked = keys_D if len(rows) == len(keys_D) else keys_D[rows]
        same = self._keys[places_D[rows]] == asked
        rows = rows[(same.fill_null(value=False) if same.null_count() else same).to_numpy()]
        ids_D = np.full(len(keys_D), UNSEEN, dtype=np.int32)
        ids_D[rows] = places_D[rows] + FIRST_ID
        return ids_D

    def _hashes(self, keys: pl.Series) -> pl.Series:
        return keys.hash(seed=self._seed)


def _integer_ids(keys: pl.Series) -> _NarrowIds | _WideIds:
    """The part of a vocabulary that integers can meet: keys that are written as one. Others that
    stand for one, such as `007` and `+7`, are longer than that."""
    integers = keys.cast(pl.Int64, strict=False)
    integers_V = integers.fill_null(0).to_numpy()
    meets_V = keys.str.len_bytes().to_numpy() == num_digits(integers_V) + (integers_V < 0)
    if integers.null_count():
        meets_V &= integers.is_not_null().to_numpy()
    ids_V = np.flatnonzero(meets_V).astype(np.int32) + np.int32(FIRST_ID)
    integers_V = integers_V[meets_V]
    if len(integers_V) and int(integers_V.max()) - int(integers_V.min()) < WIDEST:
        return _NarrowIds(integers_V, ids_V)
    return _WideIds(integers_V, ids_V)


def _spread(ids_M: Ids, values: pl.Series) -> Ids:
    """The ids of the known values, each at its row; MISSING elsewhere."""
    ids_N = np.full(len(values), MISSING, dtype=np.int32)
    ids_N[values.is_not_null().to_numpy()] = ids_M
    return ids_N
