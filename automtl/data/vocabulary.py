"""Category keys to ids: 0 missing (and padding), 1 never seen in train, 2 and up the vocabulary."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from automtl.data.columns import as_keys, plain

__all__ = ["FIRST_ID", "MISSING", "UNSEEN", "build_vocabulary", "count_keys", "look_up"]

MISSING = 0
UNSEEN = 1
FIRST_ID = 2


def count_keys(values: pl.Series) -> pl.DataFrame:
    """How often each key occurs, missing values left out: columns `key`, `count`."""
    counts = plain(values).alias("value").value_counts(name="count")
    keyed = counts.select(as_keys(counts["value"]).alias("key"), pl.col("count").cast(pl.Int64))
    return _total(keyed.drop_nulls("key"))


def build_vocabulary(
    counts: Iterable[pl.DataFrame], *, min_count: int = 1, max_vocab: int | None = None
) -> pl.Series:
    """The keys in the order of their ids: by falling count, ties by the key's text.

    `counts` are results of `count_keys`, of one column or of several (or of several batches).
    """
    total = _total(pl.concat(list(counts)))
    kept = total.filter(pl.col("count") >= min_count).sort(
        ["count", "key"], descending=[True, False]
    )
    return (kept if max_vocab is None else kept.head(max_vocab))["key"]


def look_up(values: pl.Series, vocabulary: pl.Series) -> pl.Series:
    """The id of each value, Int32. Keys are made once a distinct value, not once a row."""
    values = plain(values)
    distinct = values.unique().drop_nulls()
    ids = pl.Series(range(FIRST_ID, FIRST_ID + len(vocabulary)), dtype=pl.Int32)
    distinct_ids = as_keys(distinct).replace_strict(
        vocabulary, ids, default=UNSEEN, return_dtype=pl.Int32
    )
    found = values.replace_strict(distinct, distinct_ids, default=UNSEEN, return_dtype=pl.Int32)
    return found.zip_with(values.is_not_null(), pl.Series([MISSING], dtype=pl.Int32))


def _total(counts: pl.DataFrame) -> pl.DataFrame:
    return counts.group_by("key").agg(pl.col("count").sum())
