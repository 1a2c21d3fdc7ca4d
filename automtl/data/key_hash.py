"""The hash of a key's text: the same on every machine, in every version and for every batch.

64-bit FNV-1a over the bytes in UTF-8, then the last steps of splitmix64, whose low bits are as good
as its high ones. Fowler, Noll and Vo, "The FNV Non-Cryptographic Hash Algorithm", RFC 9923.

Shapes: N keys, J those of them that have a byte at some place.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from automtl.data.mixing import mixed

__all__ = ["key_hashes"]

FIRST = 0xCBF29CE484222325
PRIME = np.uint64(0x100000001B3)


def key_hashes(keys: pl.Series) -> npt.NDArray[np.uint64]:
    """The hash [N] of each text; that of the empty text where there is none."""
    array = keys.fill_null("").rechunk().to_arrow().cast(pa.large_string())
    _, offsets, text = array.buffers()
    starts_N, bytes_M = np.zeros(len(keys) + 1, dtype=np.int64), np.zeros(0, dtype=np.uint8)
    if len(keys):
        starts_N = np.frombuffer(offsets, dtype=np.int64)[: len(keys) + 1]
        bytes_M = np.frombuffer(text, dtype=np.uint8) if text is not None else bytes_M
    length_N = np.diff(starts_N)
    longest_first = np.argsort(-length_N, kind="stable")
    starts_J = starts_N[:-1][longest_first]
    shorter_J = length_N[longest_first][::-1]
    hashes_J = np.full(len(keys), FIRST, dtype=np.uint64)
    for place in range(int(length_N.max(initial=0))):  # all keys at once, byte by byte
        num = len(keys) - int(np.searchsorted(shorter_J, place, side="right"))
        hashes_J[:num] ^= bytes_M[starts_J[:num] + place]
        hashes_J[:num] *= PRIME
    hashes_N = np.empty_like(hashes_J)
    hashes_N[longest_first] = hashes_J
    return mixed(hashes_N)
