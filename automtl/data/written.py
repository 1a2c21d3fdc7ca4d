"""What text stands for, where it is written plainly: a column at a time, by pyarrow.

A text file's numbers are nearly always as programs write them. pyarrow parses those several times
as fast as polars, and integers are counted and looked up several times as fast as text. What is
written in any other way is left to who reads text.

Shapes: N rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from automtl.data.arrow_types import are_known, known_numbers, numpy_floats
from automtl.data.columns import LONGEST_OTHER, OTHER_TEXT

__all__ = ["TENS", "are_keys", "num_digits", "plain_integers", "plain_numbers", "text_parts"]

WHOLE_END = b".0"
PART = 1 << 24  # bytes
OTHER = [text.encode() for text in OTHER_TEXT if text]
TENS = np.array([10**power for power in range(19)], dtype=np.uint64)  # as 64 bits hold with a sign


def plain_integers(text: pa.StringArray) -> pa.Int64Array | None:
    """The integers that the text stands for [N], missing where it is; None unless each is written
    as `str` writes it, so that nothing of the text is lost: not `007`, `+7`, `-0`, `7.0`, ` 7`."""
    if not _has_bytes(text):
        return None
    try:
        integers = text.cast(pa.int64())
    except pa.ArrowInvalid:
        return None
    # pyarrow takes `007`, `-0` and `0x1F`, too. The first two are longer than need be, so that all
    # of them together are; only the last has a letter, which as a byte comes behind the digits
    bytes_M, known_N = _bytes_of(text), known_numbers(integers)
    num_needed = num_digits(known_N).sum() + np.count_nonzero(known_N < 0)
    if len(bytes_M) != num_needed or bytes_M.max(initial=0) > ord("9"):
        return None
    return integers


def plain_numbers(text: pa.StringArray) -> npt.NDArray[np.float64] | None:
    """The numbers that the text stands for [N], NaN where it is missing; None where one is no
    number, not finite, or has blanks around it."""
    try:
        numbers = text.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    numbers_N = numpy_floats(numbers)
    num_finite = np.count_nonzero(np.isfinite(numbers_N))
    return numbers_N if num_finite + numbers.null_count == len(numbers) else None


def num_digits(integers_N: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
    """How many digits each is written with [N]."""
    size_N = np.abs(integers_N).view(np.uint64)  # of the smallest integer, too
    digits_N = np.ones(len(size_N), dtype=np.int8)
    for ten in TENS[1:][size_N.max(initial=0) >= TENS[1:]]:
        digits_N += size_N >= ten
    return digits_N


def are_keys(text: pa.StringArray) -> bool:
    """Whether each text that is not missing is its own key (see `columns.as_keys`), as a quick look
    tells: that is False where it cannot tell."""
    if not _has_bytes(text):
        return False
    length_N = np.diff(text_parts(text)[0])[are_known(text)]
    is_short = length_N.min(initial=LONGEST_OTHER + 1) <= LONGEST_OTHER
    odd = [WHOLE_END, *(OTHER if is_short else ())]
    return bool(length_N.all()) and not _holds_any(odd, _bytes_of(text))


def _holds_any(words: Sequence[bytes], letters: npt.NDArray[np.uint8]) -> bool:
    """Whether one of some short words stands anywhere; part by part, as each is copied."""
    for start in range(0, len(letters), PART):
        part = letters[start : start + PART + LONGEST_OTHER].tobytes()
        if any(word in part for word in words):
            return True
    return False


def _has_bytes(text: pa.Array) -> bool:
    """Whether its letters lie behind each other."""
    return bool(pa.types.is_string(text.type) or pa.types.is_large_string(text.type))


def _bytes_of(text: pa.StringArray) -> npt.NDArray[np.uint8]:
    """All letters behind each other."""
    ends_N, letters = text_parts(text)
    return letters[ends_N[0] : ends_N[-1]]


def text_parts(text: pa.StringArray) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]:
    """Where the first text begins and where each ends [N + 1], and the letters; of an array that
    has them behind each other."""
    kind = np.int64 if pa.types.is_large_string(text.type) else np.int32
    _, ends, letters = text.buffers()
    letters_M = np.zeros(0, np.uint8) if letters is None else np.frombuffer(letters, np.uint8)
    if ends is None:  # of no text
        return np.zeros(1, dtype=kind), letters_M
    return np.frombuffer(ends, kind)[text.offset : text.offset + len(text) + 1], letters_M
