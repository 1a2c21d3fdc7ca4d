"""Where 64-bit keys stand in a list: a hash table in NumPy, built once and asked batch by batch.

Fibonacci hashing, open addressing with linear probing, at most half full. Polars and pyarrow build
their tables anew at every call, which a vocabulary of millions would pay for at every batch.

Shapes: V keys of the list, M keys to find.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from automtl.data.loops import compiled, fixed
from automtl.data.mixing import GOLDEN

__all__ = ["HashIndex"]

Keys = npt.NDArray[np.uint64]
EMPTY = -1


class HashIndex:
    """The places of `keys_V`, which must be distinct."""

    def __init__(self, keys_V: Keys) -> None:
        bits = max(4, (2 * len(keys_V)).bit_length())
        self._shift, self._last = np.uint64(64 - bits), (1 << bits) - 1
        self._keys = np.zeros(1 << bits, dtype=np.uint64)
        self._places = np.full(1 << bits, EMPTY, dtype=np.int32)
        if (loops := compiled()) is not None:
            table = (self._keys.view(np.int64), self._places, self._shift)
            places_V = np.empty(len(keys_V), dtype=np.int32)
            loops.number_integers(fixed(keys_V.view(np.int64)), *table, 0, places_V)
            return
        left = np.arange(len(keys_V), dtype=np.int32)
        slots = self._slots(keys_V)
        while len(left):
            free = self._places[slots] == EMPTY
            self._places[slots[free]] = left[free]  # of several that want one slot the last has it
            settled = self._places[slots] == left
            self._keys[slots[settled]] = keys_V[left[settled]]
            left, slots = left[~settled], (slots[~settled] + 1) & self._last

    def find(self, keys_M: Keys) -> npt.NDArray[np.int32]:
        """The place of each key in the list, -1 for those that are not in it."""
        if (loops := compiled()) is not None:
            places_M = np.empty(len(keys_M), dtype=np.int32)
            table = (fixed(self._keys.view(np.int64)), fixed(self._places), self._shift)
            loops.find_integers(fixed(keys_M.view(np.int64)), *table, places_M)
            return places_M
        slots = self._slots(keys_M)
        places_M = self._places.take(slots)
        wrong = np.flatnonzero((places_M != EMPTY) & (self._keys.take(slots) != keys_M))
        slots = slots[wrong]
        while len(wrong):
            slots = (slots + 1) & self._last
            found = self._places[slots]
            places_M[wrong] = found
            still = (found != EMPTY) & (self._keys[slots] != keys_M[wrong])
            wrong, slots = wrong[still], slots[still]
        return places_M

    def _slots(self, keys_M: Keys) -> npt.NDArray[np.int64]:
        return ((keys_M * GOLDEN) >> self._shift).astype(np.int64)
