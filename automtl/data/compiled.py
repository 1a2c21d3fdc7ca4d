"""Loops over rows that Numba compiles: what `loops.py` hands out where there are many rows.

They are compiled at their first use, for each type of values by itself, and kept beside this file
(or in Numba's own cache where nothing can be written there). Nothing in them is checked: places lie
within what they index, tables have room. The interpreter's lock is free meanwhile.

Shapes: N rows, S slots of a table (a power of two), V distinct values, D texts, C and F columns.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from automtl.data.mixing import GOLDEN, mixed

__all__ = [
    "any_infinite",
    "count",
    "find_integers",
    "moments",
    "number_again",
    "number_integers",
    "number_text",
    "put_found",
    "put_missing",
    "put_scaled",
    "rows_below",
]


class _Kept:
    """What Numba keeps of a function on the disk; where that is damaged, or cannot be written, the
    function is compiled anew. Numba itself raises then, at the first call."""

    def __init__(self, kept: Any) -> None:
        self._kept = kept

    def load_overload(self, *arguments: Any) -> Any:
        try:
            return self._kept.load_overload(*arguments)
        except Exception:  # whatever unpickling raises
            return None

    def save_overload(self, *arguments: Any) -> None:
        with suppress(Exception):
            self._kept.save_overload(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kept, name)


def _compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """What has a function compiled when it is first called."""
    options |= {"nogil": True, "error_model": "numpy"}

    def of(function: Callable[..., Any]) -> Any:
        try:
            dispatcher = njit(function, cache=True, **options)
        except RuntimeError:  # there is no place to keep it: neither here nor where Numba would
            return njit(function, **options)
        dispatcher._cache = _Kept(dispatcher._cache)
        return dispatcher

    return of


loop = _compiled()
sums = _compiled(fastmath={"reassoc", "nsz"})  # added up in any order, several at once

# of a slot of text: that it is free, and the bits of a number
FREE, LOWER = np.uint64(2**64 - 1), np.uint64(2**32 - 1)
NO_GUESS = np.uint64(2**64 - 1)
U1, U8, U32 = np.uint64(1), np.uint64(8), np.uint64(32)
AHEAD = 256  # slots that are told before one is looked at, so that memory is asked for at once


# ---- integers ------------------------------------------------------------------------------


@loop
def count(values_N: Any, first: Any, counts_V: Any) -> None:
    """Adds one at the place of each integer; the place of `first` is 0."""
    for row in range(len(values_N)):
        counts_V[np.int64(values_N[row]) - first] += 1


@loop
def _slot(key: Any, shift: Any) -> Any:
    return np.int64((np.uint64(key) * GOLDEN) >> shift)


@loop
def number_integers(
    values_N: Any, keys_S: Any, numbers_S: Any, shift: Any, num: Any, numbers_N: Any
) -> Any:
    """The number of each integer, which is put into the table if it is new; how many it has then,
    `num` before."""
    last = len(keys_S) - 1
    for row in range(len(values_N)):
        key = np.int64(values_N[row])
        slot = _slot(key, shift)
        while numbers_S[slot] >= 0 and keys_S[slot] != key:
            slot = (slot + 1) & last
        if numbers_S[slot] < 0:
            keys_S[slot], numbers_S[slot] = key, num
            num += 1
        numbers_N[row] = numbers_S[slot]
    return num


@loop
def find_integers(values_N: Any, keys_S: Any, numbers_S: Any, shift: Any, numbers_N: Any) -> None:
    """The number of each integer, -1 where the table has none."""
    last, slots = len(keys_S) - 1, np.empty(AHEAD, dtype=np.int64)
    for start in range(0, len(values_N), AHEAD):
        part = min(AHEAD, len(values_N) - start)
        for place in range(part):
            slots[place] = _slot(values_N[start + place], shift)
        for place in range(part):
            key, slot = np.int64(values_N[start + place]), slots[place]
            while numbers_S[slot] >= 0 and keys_S[slot] != key:
                slot = (slot + 1) & last
            numbers_N[start + place] = numbers_S[slot]


# ---- text ----------------------------------------------------------------------------------
# A slot holds the upper half of a text's hash over its number, so that nearly all others are told
# by one look; the letters of text V are those from ends_V[V] to ends_V[V + 1]. Places are without
# a sign: for others Numba asks at each letter whether they count from the end.


def _load_eight(_typing: Any, letters: Any, place: Any) -> Any:
    """Eight letters from a place on as one number; the last counts least, as hashes want it."""

    def load(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, given[0])
        at = builder.gep(array.data, [given[1]])
        word = builder.load(at, align=1, typ=context.get_value_type(types.uint64))
        return builder.bswap(word) if sys.byteorder == "little" else word

    return types.uint64(letters, place), load


_eight: Any = intrinsic(_load_eight)


@loop
def _word(letters: Any, start: Any, place: Any, end: Any) -> Any:
    """Of the text from `start` to `end` eight letters from a place on as one number; at its end its
    last eight, or, of a shorter one, all."""
    if place + U8 <= end:
        return _eight(letters, place)
    if start + U8 <= end:
        return _eight(letters, end - U8)
    word = np.uint64(0)
    while place < end:
        word = word << U8 | np.uint64(letters[place])
        place += U1
    return word


@loop
def _hash(letters: Any, start: Any, end: Any) -> Any:
    value, place = end - start, start
    while place < end:
        value = (value ^ _word(letters, start, place, end)) * GOLDEN
        value ^= value >> U32
        place += U8
    return value


@loop
def _entry(hashed: Any, number: Any) -> Any:
    return (hashed >> U32) << U32 | np.uint64(number)


@loop
def _is_same(letters: Any, start: Any, end: Any, ends_V: Any, known: Any, number: Any) -> Any:
    first, last = np.uint64(ends_V[number]), np.uint64(ends_V[number + U1])
    if last - first != end - start:
        return False
    place, at = start, first
    while place < end:
        if _word(letters, start, place, end) != _word(known, first, at, last):
            return False
        place += U8
        at += U8
    return True


@loop
def _slot_of(
    letters: Any, start: Any, end: Any, hashed: Any, entries_S: Any, ends_V: Any, known: Any
) -> Any:
    """The slot of a text, or the free one where it would be."""
    last = np.uint64(len(entries_S) - 1)
    slot = hashed & last
    while entries_S[slot] != FREE:
        number = entries_S[slot] & LOWER
        if entries_S[slot] == _entry(hashed, number) and _is_same(
            letters, start, end, ends_V, known, number
        ):
            return slot
        slot = (slot + U1) & last
    return slot


@loop
def _guess(
    ends_D: Any, letters: Any, entries_S: Any, ends_V: Any, first: Any, hashes: Any, guesses: Any
) -> Any:
    """The hashes of some texts from `first` on, and the numbers that their first slots name, or
    NO_GUESS; how many. Memory is asked for by all of them at once, not by one after the other."""
    num = min(AHEAD, len(ends_D) - 1 - first)
    for one in range(num):
        start, end = np.uint64(ends_D[first + one]), np.uint64(ends_D[first + one + 1])
        hashes[one] = _hash(letters, start, end)
    last = np.uint64(len(entries_S) - 1)
    for one in range(num):
        entry = entries_S[hashes[one] & last]
        number = entry & LOWER
        is_tag = entry != FREE and entry == _entry(hashes[one], number)
        guesses[one] = number if is_tag else NO_GUESS
    for one in range(num):
        if guesses[one] != NO_GUESS:
            length = ends_V[guesses[one] + U1] - ends_V[guesses[one]]
            if length != np.int64(ends_D[first + one + 1] - ends_D[first + one]):
                guesses[one] = NO_GUESS
    return num


@loop
def number_text(
    ends_D: Any,
    letters: Any,
    entries_S: Any,
    hashes_V: Any,
    ends_V: Any,
    known: Any,
    num: Any,
    numbers_D: Any,
) -> Any:
    """The number of each text, which is put into the table if it is new; how many it has then."""
    hashes, guesses = np.empty(AHEAD, np.uint64), np.empty(AHEAD, np.uint64)
    for first in range(0, len(ends_D) - 1, AHEAD):
        part = _guess(ends_D, letters, entries_S, ends_V, first, hashes, guesses)
        for one in range(part):
            start, end = np.uint64(ends_D[first + one]), np.uint64(ends_D[first + one + 1])
            guess, hashed = guesses[one], hashes[one]
            if guess != NO_GUESS and _is_same(letters, start, end, ends_V, known, guess):
                numbers_D[first + one] = guess
                continue
            slot = _slot_of(letters, start, end, hashed, entries_S, ends_V, known)
            if entries_S[slot] == FREE:
                entries_S[slot], hashes_V[num] = _entry(hashed, num), hashed
                at = ends_V[num]
                for place in range(start, end):
                    known[at] = letters[place]
                    at += 1
                num += 1
                ends_V[num] = at
            numbers_D[first + one] = entries_S[slot] & LOWER
    return num


@loop
def number_again(hashes_V: Any, entries_S: Any) -> None:
    """Puts texts that are known into a larger table, from number 1 on."""
    last = np.uint64(len(entries_S) - 1)
    for number in range(1, len(hashes_V)):
        slot = hashes_V[number] & last
        while entries_S[slot] != FREE:
            slot = (slot + U1) & last
        entries_S[slot] = _entry(hashes_V[number], number)


# ---- numbers -------------------------------------------------------------------------------


@loop
def any_infinite(numbers_N: Any) -> Any:
    found = False
    for row in range(len(numbers_N)):
        found |= np.abs(numbers_N[row]) == np.inf
    return found


@sums
def moments(numbers_N: Any) -> Any:
    """Of the known numbers: how many, the smallest, the largest, the size of the largest (1 for 0),
    and in units of it their mean and the mean of their squared distances from it."""
    num, low, high = 0, np.inf, -np.inf
    for row in range(len(numbers_N)):
        number = np.float64(numbers_N[row])
        num += number == number
        low = number if number < low else low
        high = number if number > high else high
    if num == 0:
        return num, low, high, 1.0, 0.0, 0.0
    size = max(abs(low), abs(high))
    size = size if size > 0 else 1.0
    total = 0.0
    for row in range(len(numbers_N)):
        number = np.float64(numbers_N[row])
        total += number / size if number == number else 0.0
    mean, squares = total / num, 0.0
    for row in range(len(numbers_N)):
        number = np.float64(numbers_N[row])
        apart = number / size - mean
        squares += apart * apart if number == number else 0.0
    return num, low, high, size, mean, squares / num


# ---- into their column ---------------------------------------------------------------------


@loop
def put_found(values_N: Any, first: Any, table_V: Any, out_NC: Any, column: Any) -> None:
    """The entry of a table at the place of each integer, `first` being 0; the last for others."""
    last = np.uint64(len(table_V) - 1)
    for row in range(len(values_N)):
        place = np.uint64(np.int64(values_N[row]) - first)  # what lies below the first is large
        out_NC[row, column] = table_V[min(place, last)]


@loop
def put_scaled(numbers_N: Any, mean: Any, std: Any, largest: Any, out_NF: Any, column: Any) -> None:
    """(number - mean) / std, cut to ±`largest`; 0 where it is missing."""
    for row in range(len(numbers_N)):
        value = (np.float64(numbers_N[row]) - mean) / std
        value = largest if value > largest else value
        value = -largest if value < -largest else value
        out_NF[row, column] = value if value == value else 0.0


@loop
def put_missing(numbers_N: Any, out_NF: Any, column: Any) -> None:
    """1 for NaN, else 0."""
    for row in range(len(numbers_N)):
        out_NF[row, column] = numbers_N[row] != numbers_N[row]


# ---- rows ----------------------------------------------------------------------------------


_mixed = loop(mixed)


@loop
def rows_below(start: Any, first: Any, limit: Any, hashes_N: Any, rows_N: Any) -> Any:
    """How many of the rows from `start` on have a number (see `row_hash`) of at most `limit`; these
    and the rows are written, a row counted from `start`."""
    num = 0
    for row in range(len(rows_N)):
        value = _mixed(np.uint64(start + row) * GOLDEN + first)
        rows_N[num], hashes_N[num] = row, value
        num += value <= limit
    return num
