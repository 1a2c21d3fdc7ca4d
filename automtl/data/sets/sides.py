"""Which rows go to validation where the publisher made no such part: a tenth, or a half, by a hash.

The same rows go to the same side on every machine, in whatever pieces a file is read.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.data.mixing import GOLDEN, mixed

__all__ = ["one_in", "side"]


def one_in(share: int, keys: pl.Series | Iterable[str]) -> npt.NDArray[np.bool_]:
    """True for about one in `share` of the keys (integers or text), equal keys alike."""
    if isinstance(keys, pl.Series) and keys.dtype.is_integer():
        numbers = mixed(keys.cast(pl.Int64).to_numpy().astype(np.uint64) + GOLDEN)
    else:
        numbers = np.fromiter((zlib.crc32(key.encode()) for key in keys), np.uint64)
    chosen: npt.NDArray[np.bool_] = numbers % np.uint64(share) == 0
    return chosen


def side(chosen: npt.NDArray[np.bool_], yes: str, no: str) -> pl.Series:
    """The column `split`: `yes` where chosen, `no` elsewhere."""
    return pl.Series("split", np.where(chosen, yes, no), dtype=pl.String)
