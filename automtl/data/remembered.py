"""Ids of values that were asked for before: for requests of few rows, whose values come again.

Encoding a column costs some calls of polars and pyarrow, about a millisecond whatever its length.
Of 65,536 rows that is nothing, of a request most of its time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["FEW_ROWS", "Remembered"]

FEW_ROWS = 512  # to look up each by itself would not pay for more
MOST = 1 << 16  # values of a column; then it begins anew

Ids = npt.NDArray[np.int32]


class Remembered:
    """The ids of a column's values, by its type: 1 and "1" are not the same question.

    Several threads may ask; what two of them find out is the same.
    """

    def __init__(self) -> None:
        self._known: dict[pl.DataType, dict[Any, int]] = {}

    def ids(self, values: pl.Series, of: Callable[[pl.Series], Ids]) -> Ids | None:
        """The id of each value [N], those that are new by `of`; None for a type of other values
        than text, numbers and booleans."""
        kind = values.dtype
        if not (kind.is_numeric() or kind in (pl.String, pl.Boolean)):
            return None
        asked = values.to_list()
        # of floats the bits: -0.0 is 0.0, and NaN is no NaN
        keys = [one if one is None else one.hex() for one in asked] if kind.is_float() else asked
        known = self._known.setdefault(kind, {})
        new = {key: one for key, one in zip(keys, asked, strict=True) if key not in known}
        if new:
            if len(known) + len(new) > MOST:
                known, new = {}, dict(zip(keys, asked, strict=True))
            ids_D = of(pl.Series(values.name, list(new.values()), dtype=kind))
            known |= zip(new, ids_D.tolist(), strict=True)
            self._known[kind] = known
        return np.array([known[key] for key in keys], dtype=np.int32)
