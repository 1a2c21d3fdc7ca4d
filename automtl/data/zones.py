"""Arrow's timestamps in time zones that polars does not know, such as `+05:30`.

polars knows the zones of the time zone database, and offsets of whole hours; with another it fails,
or ends the process. A timestamp is the same moment in UTC.
"""

from __future__ import annotations

from functools import cache
from typing import TypeVar

import polars as pl
import pyarrow as pa

__all__ = ["UTC", "has_unknown_zone", "in_known_zones", "is_known_zone"]

UTC = "UTC"
Rows = TypeVar("Rows", pa.RecordBatch, pa.Table)


def in_known_zones(rows: Rows) -> Rows:
    """The rows with such timestamps in UTC; what has none is handed back as it is."""
    for place, field in enumerate(rows.schema):
        if _is_unknown(field.type):
            known = pa.timestamp(field.type.unit, UTC)
            rows = rows.set_column(place, field.with_type(known), rows.column(place).cast(known))
    return rows


def has_unknown_zone(schema: pa.Schema) -> bool:
    """Whether a column holds such timestamps."""
    return any(_is_unknown(field.type) for field in schema)


@cache
def is_known_zone(zone: str) -> bool:
    """Whether polars can tell the time there."""
    try:
        pl.from_arrow(pa.nulls(0, pa.timestamp("us", zone)))
    except pl.exceptions.PolarsError:
        return False
    return True


def _is_unknown(dtype: pa.DataType) -> bool:
    return pa.types.is_timestamp(dtype) and dtype.tz is not None and not is_known_zone(dtype.tz)
