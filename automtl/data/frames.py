"""A table of another library as a polars frame."""

from __future__ import annotations

from typing import Any

import polars as pl

from automtl.errors import DataError

__all__ = ["as_polars"]


def as_polars(frame: Any) -> pl.DataFrame:
    """A polars or pandas frame, or whatever hands out Arrow data; nothing is copied that can be
    shared. Raises DataError for what is no table."""
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    if isinstance(frame, pl.DataFrame):
        return frame
    try:
        if hasattr(frame, "__dataframe__") and not hasattr(frame, "__arrow_c_stream__"):
            return pl.from_pandas(frame)
        return pl.DataFrame(frame)
    except (TypeError, ValueError, ImportError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"data: {type(frame).__name__} is no table ({error}); give a pandas or polars frame,"
            " or an Arrow table"
        ) from error
