"""A table of another library as rows to encode."""

from __future__ import annotations

from typing import Any

import polars as pl

from automtl.data.source import FrameSource
from automtl.errors import DataError

__all__ = ["frame_source"]


def frame_source(frame: Any) -> FrameSource:
    """The rows of a polars or pandas frame, or of whatever hands out Arrow data; nothing is copied
    that can be shared. Raises DataError for what is no table."""
    return FrameSource(_as_polars(frame), "the frame")


def _as_polars(frame: Any) -> pl.DataFrame:
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
