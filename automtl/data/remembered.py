"""Ids of values that were asked for before: for requests of few rows, whose values come again.

Encoding a column costs some calls of polars and pyarrow, about a millisecond whatever its length.
Of many rows that is nothing, of a request most of its time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.data.listed import Listed

if TYPE_CHECKING:
    from polars._typing import PolarsDataType

__all__ = ["Remembered"]

MOST = 1 << 16  # values of a column; then it begins anew
LONGEST = 256  # characters of a text: so many of megabytes each would be all of the memory

Ids = npt.NDArray[np.int32]


class Remembered:
    """The ids of a column's values, by its type: 1 and "1" are not the same question.

    Several threads may ask; what two of them find out is the same.
    """

    def __init__(self) -> None:
        self._known: dict[PolarsDataType, dict[Any, int]] = {}

    def ids(self, column: Listed, of: Callable[[pl.Series], Ids]) -> Ids | None:
        """The id of each value [N], those that are new by `of`; None for a type of other values
        than text, numbers and booleans, and for more or longer values than are remembered."""
        kind, keys = column.dtype, column.values
        if kind.is_float():  # NaN, which is missing, is not itself
            keys = [one if one == one else None for one in keys]
        elif not (kind.is_numeric() or kind in (pl.String, pl.Boolean)):
            return None
        try:
            return _found(self._known.get(kind, {}), keys)
        except KeyError:
            return self._learned(column, keys, of)

    def _learned(
        self, column: Listed, keys: Sequence[Any], of: Callable[[pl.Series], Ids]
    ) -> Ids | None:
        known = self._known.setdefault(column.dtype, {})
        asked = dict(zip(keys, column.values, strict=True))
        new = {key: one for key, one in asked.items() if key not in known}
        if len(known) + len(new) > MOST:
            known, new = {}, asked
        if len(new) > MOST or any(isinstance(key, str) and len(key) > LONGEST for key in new):
            return None
        ids_D = of(Listed(dtype=column.dtype, values=list(new.values())).series())
        known |= zip(new, ids_D.tolist(), strict=True)
        self._known[column.dtype] = known
        return _found(known, keys)


def _found(known: dict[Any, int], keys: Sequence[Any]) -> Ids:
    return np.fromiter(map(known.__getitem__, keys), dtype=np.int32, count=len(keys))
