"""Distinct values numbered as they come, by compiled loops: tables that grow.

Shapes: N values, D texts, V distinct ones, S slots.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from automtl.data import compiled
from automtl.data.hash_index import EMPTY
from automtl.data.written import text_parts

__all__ = ["IntegerNumbers", "TextNumbers"]

Numbers = npt.NDArray[np.int32]
FIRST_BITS = 12  # of a table: 4096 slots


class IntegerNumbers:
    """Integers by hashing; at most half of the slots are taken."""

    def __init__(self) -> None:
        self.num = 0
        self._make_table(FIRST_BITS)

    def add(self, values_N: npt.NDArray[Any]) -> Numbers:
        """The number of each integer [N]; new ones get the next."""
        numbers_N = np.empty(len(values_N), dtype=np.int32)
        start = 0
        while start < len(values_N):
            room = len(self._keys_S) // 2 - self.num
            if room < min(len(values_N) - start, len(self._keys_S) // 8):
                self._grow()
                continue
            part = slice(start, start + room)
            self.num = self._put(values_N[part], numbers_N[part])
            start += room
        return numbers_N

    @property
    def values_V(self) -> npt.NDArray[np.int64]:
        """By number."""
        taken = np.flatnonzero(self._numbers_S >= 0)
        values_V = np.empty(self.num, dtype=np.int64)
        values_V[self._numbers_S[taken]] = self._keys_S[taken]
        return values_V

    def _make_table(self, bits: int) -> None:
        self._bits, self._shift = bits, np.uint64(64 - bits)
        self._keys_S = np.zeros(1 << bits, dtype=np.int64)
        self._numbers_S = np.full(1 << bits, EMPTY, dtype=np.int32)

    def _grow(self) -> None:
        values_V = self.values_V
        self._make_table(self._bits + 1)
        self.num = 0
        self.num = self._put(values_V, np.empty(len(values_V), dtype=np.int32))

    def _put(self, values_N: npt.NDArray[Any], numbers_N: Numbers) -> int:
        table = (self._keys_S, self._numbers_S, self._shift)
        return int(compiled.number_integers(values_N, *table, self.num, numbers_N))


class TextNumbers:
    """Text by hashing and comparing; all texts lie behind each other. No text has the number 0:
    that is for those that are missing."""

    def __init__(self) -> None:
        self.num = 1
        self._entries_S = np.full(1 << FIRST_BITS, compiled.FREE)
        self._hashes_V = np.zeros(1 << FIRST_BITS - 1, dtype=np.uint64)
        self._ends_V = np.zeros(len(self._hashes_V) + 1, dtype=np.int64)
        self._letters = np.zeros(1 << FIRST_BITS, dtype=np.uint8)

    def add(self, text: pa.LargeStringArray) -> Numbers:
        """The number of each text [D], none of which is missing; new ones get the next."""
        ends_D, letters = text_parts(text)
        self._make_room(len(text), int(ends_D[-1]) - int(ends_D[0]))
        numbers_D = np.empty(len(text), dtype=np.int32)
        table = (self._entries_S, self._hashes_V, self._ends_V, self._letters)
        self.num = int(compiled.number_text(ends_D, letters, *table, self.num, numbers_D))
        return numbers_D

    def texts(self) -> pa.LargeStringArray:
        """By number, the first missing; in the same memory, where nothing changes any more."""
        num = self.num  # first: more may come meanwhile
        is_known_V = np.ones(num, dtype=np.bool_)
        is_known_V[0] = False
        ends_V = self._ends_V[: num + 1]
        letters = self._letters[: ends_V[-1]]
        parts = np.packbits(is_known_V, bitorder="little"), ends_V, letters
        return pa.Array.from_buffers(pa.large_string(), num, [pa.py_buffer(one) for one in parts])

    def _make_room(self, num_texts: int, num_letters: int) -> None:
        num = self.num + num_texts
        if num > len(self._hashes_V):
            bits = num.bit_length()
            self._hashes_V = _longer(self._hashes_V, 1 << bits)
            self._ends_V = _longer(self._ends_V, (1 << bits) + 1)
            self._entries_S = np.full(2 << bits, compiled.FREE)
            compiled.number_again(self._hashes_V[: self.num], self._entries_S)
        end = int(self._ends_V[self.num]) + num_letters
        if end > len(self._letters):
            self._letters = _longer(self._letters, 2 * end)


def _longer(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    longer = np.zeros(size, dtype=array.dtype)
    longer[: len(array)] = array
    return longer
