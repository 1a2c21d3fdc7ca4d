"""Arrow's types and arrays, for those who must import neither polars nor pandas."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = [
    "are_known",
    "arrow_numbers",
    "have_places",
    "is_number",
    "is_text",
    "known_numbers",
    "list_width",
    "numpy_floats",
    "numpy_numbers",
]


def arrow_numbers(values_N: npt.NDArray[Any]) -> pa.Array:
    """Numbers that NumPy holds, in the same memory; `pa.array` imports pandas."""
    values_N = np.ascontiguousarray(values_N)
    buffers = [None, pa.py_buffer(values_N)]
    return pa.Array.from_buffers(pa.from_numpy_dtype(values_N.dtype), len(values_N), buffers)


def numpy_numbers(array: pa.Array) -> npt.NDArray[Any]:
    """Numbers of which none is missing, in the same memory; `to_numpy` imports pandas."""
    return np.from_dlpack(array)


def have_places(column: pa.DictionaryArray) -> bool:
    """Whether each row, also one that has no value, names one of the distinct ones; pyarrow's own
    check, which leaves those out, takes 15 times as long."""
    places_N = _values(column.indices)
    places_N = places_N.view(f"u{places_N.itemsize}")  # so that one below 0 is large
    return not len(places_N) or int(places_N.max()) < len(column.dictionary)


def numpy_floats(array: pa.Array) -> npt.NDArray[np.float64]:
    """Numbers, NaN for those that are missing."""
    if not array.null_count:
        return numpy_numbers(array).astype(np.float64, copy=False)
    numbers_N = _values(array).astype(np.float64)
    numbers_N[~are_known(array)] = np.nan
    return numbers_N


def known_numbers(array: pa.Array) -> npt.NDArray[Any]:
    """The numbers that are not missing."""
    return _values(array)[are_known(array)] if array.null_count else numpy_numbers(array)


def _values(array: pa.Array) -> npt.NDArray[Any]:
    """What lies at the places of numbers, of the missing ones anything."""
    dtype = array.type.to_pandas_dtype()
    return np.frombuffer(array.buffers()[1], dtype)[array.offset : array.offset + len(array)]


def are_known(array: pa.Array) -> npt.NDArray[np.bool_]:
    """Which are not missing."""
    if not array.null_count:
        return np.ones(len(array), dtype=np.bool_)
    end = array.offset + len(array)
    bits = np.unpackbits(np.frombuffer(array.buffers()[0], np.uint8), count=end, bitorder="little")
    return bits[array.offset :].view(np.bool_)


def is_number(dtype: pa.DataType) -> bool:
    """Whether values of this type are numbers that NumPy has, too."""
    return bool(pa.types.is_integer(dtype) or pa.types.is_floating(dtype))


def is_text(dtype: pa.DataType) -> bool:
    """Whether values of this type are text."""
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(kind(dtype) for kind in kinds)


def list_width(dtype: pa.DataType) -> int | None:
    """How many items every list of this type has; None where that differs, or it is no list."""
    return int(dtype.list_size) if pa.types.is_fixed_size_list(dtype) else None
