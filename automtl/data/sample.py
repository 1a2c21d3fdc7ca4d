"""Some of the train rows as they are in the source, for what cannot be added up: quantiles.

All of them up to SIZE; of more, SIZE that their places choose at random. The result is the same
however the rows come in batches. The share of the sample that lies below a value is off by 0.1 %
of the rows on average (one standard deviation, at the median), 0.5 % at most in a million columns
(Dvoretzky-Kiefer-Wolfowitz); one of 32 bins holds 3.1 %.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.data.batch import Batch
from automtl.data.row_hash import rows_below

__all__ = ["SIZE", "RowSample"]

SIZE = 1 << 18
SEED = 0
HASH = "automtl:hash"  # of the row's place, beside its columns
LARGEST = 2**64 - 1


class RowSample:
    """The sampled rows of `columns`; parts of the rows merge."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = list(columns)
        self._parts: list[pl.DataFrame] = []
        self._num_seen = self._num_kept = 0

    def add(self, batch: Batch, rows: npt.NDArray[np.int64] | None) -> None:
        """Adds the train rows of a batch, those numbered `rows` (None: all)."""
        if not self._columns:
            return
        self._num_seen += batch.height if rows is None else len(rows)
        sampled, hashes = rows_below(self._limit(), batch.start, batch.height, seed=SEED)
        if rows is not None:
            of_these = np.isin(sampled, rows, assume_unique=True)
            sampled, hashes = sampled[of_these], hashes[of_these]
        part = batch.frame(self._columns, sampled)
        self._keep([part.hstack([pl.Series(HASH, hashes)])])

    def merge(self, other: RowSample) -> None:
        self._num_seen += other._num_seen
        self._keep(other._parts)

    def frame(self) -> pl.DataFrame:
        """The rows of the sample, as they came."""
        if not self._parts:
            return pl.DataFrame(schema=dict.fromkeys(self._columns, pl.Null))
        rows = pl.concat(self._parts, how="vertical_relaxed")
        if rows.height > SIZE:  # sorting them by the hash would take six times as long
            last = np.partition(rows[HASH].to_numpy(), SIZE - 1)[SIZE - 1]
            rows = rows.filter(pl.col(HASH) <= pl.lit(int(last), dtype=pl.UInt64))
        return rows.drop(HASH)

    def _limit(self) -> np.uint64:
        """Rows beyond it are not among the SIZE smallest, as more lie below it: a tenth more, which
        is 50 standard deviations of how many they are."""
        share = min(1.0, 1.1 * SIZE / max(1, self._num_seen))
        return np.uint64(min(LARGEST, int(share * 2**64)))

    def _keep(self, parts: Sequence[pl.DataFrame]) -> None:
        self._parts += parts
        self._num_kept += sum(part.height for part in parts)
        if self._num_kept > 3 * SIZE:
            rows = pl.concat(self._parts, how="vertical_relaxed")
            rows = rows.filter(pl.col(HASH) <= pl.lit(int(self._limit()), dtype=pl.UInt64))
            self._parts, self._num_kept = [rows], rows.height
