"""Text of all batches of a column by one list of its distinct values, which grows as they come.

So what follows from a text is made once, not once a batch, and a row is a number: by compiled loops
that costs little more than one look at each distinct text of a batch.

Shapes: N rows, D distinct values of a batch, V of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from automtl.data.coded import Coded, Distinct

if TYPE_CHECKING:
    from automtl.data.numbering import TextNumbers

__all__ = ["NumberedRows", "NumberedText"]

MISSING_NUMBER = 0


class NumberedText:
    """The distinct values; the first stands for rows that have none."""

    def __init__(self) -> None:
        from automtl.data.numbering import TextNumbers  # who scores does without Numba

        self._numbers: TextNumbers | None = TextNumbers()
        self._distinct: Distinct | None = None

    @property
    def num(self) -> int:
        """How many numbers there are so far."""
        numbers = self._numbers  # once: another thread may finish
        return len(self.distinct.array) if numbers is None else numbers.num

    def finish(self) -> None:
        """Says that no more come: the tables that find them are given up."""
        self._distinct, self._numbers = self.distinct, None

    def add(self, column: pa.DictionaryArray) -> npt.NDArray[np.int32]:
        """The number of each row's text [N]; new ones get the next."""
        assert self._numbers is not None, "no more was to come"
        if column.dictionary.null_count:
            column = column.dictionary_decode().dictionary_encode()
        words = column.dictionary.cast(pa.large_string())  # of which there are several kinds
        numbers_D = np.append(self._numbers.add(words), np.int32(MISSING_NUMBER))
        return numbers_D.take(Coded(Distinct(words), column.indices).codes_N)

    @property
    def distinct(self) -> Distinct:
        """Those so far, by number."""
        numbers, distinct = self._numbers, self._distinct  # in this order, as in `num`
        if numbers is None:
            assert distinct is not None
        elif distinct is None or len(distinct.array) != numbers.num:
            distinct = self._distinct = Distinct(numbers.texts())
        return distinct


@dataclass(frozen=True, slots=True)
class NumberedRows:
    """A column of a batch: the number [N] of each row's text, as narrow as they lie."""

    text: NumberedText
    numbers_N: npt.NDArray[Any]
