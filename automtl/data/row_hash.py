"""A 64-bit number for each row by its place in the source: what "at random" means here.

It depends on nothing but the place and the seed, so any part of the rows is decided by itself, and
no two rows have the same number (each step of splitmix64 can be undone).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from automtl.data.loops import compiled
from automtl.data.mixing import GOLDEN, mixed

__all__ = ["nth_smallest", "row_hashes", "rows_below"]

Hashes = npt.NDArray[np.uint64]
LARGEST = 2**64 - 1
BUCKET_BITS = 16
CHUNK = 1 << 20  # rows


def row_hashes(start: int, count: int, *, seed: int) -> Hashes:
    """The numbers of the rows `start` to `start + count` [count]."""
    return mixed(np.arange(start, start + count, dtype=np.uint64) * GOLDEN + _first(seed))


def rows_below(
    limit: np.uint64, start: int, count: int, *, seed: int
) -> tuple[npt.NDArray[np.int64], Hashes]:
    """Those of the rows `start` to `start + count` whose numbers are at most `limit`, counted from
    `start`, and these numbers."""
    if (loops := compiled()) is None:
        hash_N = row_hashes(start, count, seed=seed)
        rows = np.flatnonzero(hash_N <= limit)
        return rows, hash_N[rows]
    rows_N, hash_N = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.uint64)
    num = loops.rows_below(start, _first(seed), limit, hash_N, rows_N)
    return rows_N[:num], hash_N[:num]


def _first(seed: int) -> np.uint64:
    return np.uint64(mixed(np.array([seed & LARGEST], dtype=np.uint64))[0])


def nth_smallest(num_rows: int, places: Sequence[int], *, seed: int) -> list[int]:
    """For each place, a number below which exactly so many of the rows' numbers lie.

    Takes the memory of CHUNK rows: the numbers are made three times rather than kept.
    """
    counts = np.zeros(1 << BUCKET_BITS, dtype=np.int64)
    for hashes in _chunks(num_rows, seed):
        counts += np.bincount(_buckets(hashes), minlength=len(counts))
    below = np.cumsum(counts)
    limits = []
    for place in places:
        if place >= num_rows:
            limits.append(LARGEST + 1)
            continue
        bucket = int(np.searchsorted(below, place, side="right"))
        parts = [hashes[_buckets(hashes) == bucket] for hashes in _chunks(num_rows, seed)]
        within = place - int(below[bucket] - counts[bucket])
        limits.append(int(np.sort(np.concatenate(parts))[within]))
    return limits


def _chunks(num_rows: int, seed: int) -> Iterator[Hashes]:
    for start in range(0, num_rows, CHUNK):
        yield row_hashes(start, min(CHUNK, num_rows - start), seed=seed)


def _buckets(hashes: Hashes) -> npt.NDArray[np.int64]:
    return (hashes >> np.uint64(64 - BUCKET_BITS)).astype(np.int64)
