"""Arrow's types of a column, for those who must not import polars."""

from __future__ import annotations

import pyarrow as pa

__all__ = ["is_text", "list_width"]


def is_text(dtype: pa.DataType) -> bool:
    """Whether values of this type are text."""
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(kind(dtype) for kind in kinds)


def list_width(dtype: pa.DataType) -> int | None:
    """How many items every list of this type has; None where that differs, or it is no list."""
    return int(dtype.list_size) if pa.types.is_fixed_size_list(dtype) else None
