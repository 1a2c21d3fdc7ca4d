"""Scores that do not depend on which rows stand beside a row.

A matrix product of few rows is summed up by another kernel than one of many, so the same row would
get other last digits in a request of 3 rows than in a file of a million. Here the model always sees
`BLOCK_ROWS` rows, the last block padded: one shape, one kernel, one result.

Shapes: N rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor

import numpy as np
import polars as pl

from automtl.data.encode import Inputs
from automtl.export.bundle import Bundle

__all__ = ["BLOCK_ROWS", "score_rows"]

BLOCK_ROWS = 128  # a usual request in one; of files no more than a few per cent of the time


def score_rows(bundle: Bundle, inputs: Inputs, *, pool: Executor | None = None) -> pl.DataFrame:
    """`bundle.score` of N rows, block by block: the same bits for a row whatever N is.

    So they are on one machine and one engine, within `threads.single_threaded`, as the number of
    threads decides how sums are split; another processor may have other kernels. `pool` scores
    several blocks at once.
    """
    num_rows = len(inputs.ids_NC)
    if not num_rows:
        return bundle.score(inputs)
    blocks = _blocks(inputs)
    parts = map(bundle.score, blocks) if pool is None else pool.map(bundle.score, blocks)
    return pl.concat(parts).head(num_rows)


def _blocks(inputs: Inputs) -> Iterator[Inputs]:
    """All rows, `BLOCK_ROWS` at a time; zeros fill the last ones up."""
    num_rows = len(inputs.ids_NC)
    for start in range(0, num_rows, BLOCK_ROWS):
        ids_NC = inputs.ids_NC[start : start + BLOCK_ROWS]
        numeric_NF = inputs.numeric_NF[start : start + BLOCK_ROWS]
        if lacking := BLOCK_ROWS - len(ids_NC):
            ids_NC = np.pad(ids_NC, ((0, lacking), (0, 0)))
            numeric_NF = np.pad(numeric_NF, ((0, lacking), (0, 0)))
        yield Inputs(ids_NC=ids_NC, numeric_NF=numeric_NF)
