"""Files to a frame: Parquet, CSV and TSV (also `.gz`, `.zst`), only the columns that are asked for.

Columns of a text file arrive as text, an empty field as null: what a column means is the spec's
decision, and each role parses its own (so `007` stays a category and `NA` is a missing number). A
list is written `a|b|c` there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from automtl.data.columns import MISSING_NUMBERS, plain
from automtl.data.commas import are_written_with_commas
from automtl.data.delimited import UTF8
from automtl.data.header import column_names
from automtl.data.instants import are_times
from automtl.data.paths import data_files
from automtl.data.sequences import SEPARATOR, items
from automtl.data.source import FileSource
from automtl.errors import DataError
from automtl.spec.column_info import ColumnInfo

__all__ = ["describe_columns", "missing_texts", "read_frame"]

Kind = Literal["int", "float", "string", "bool", "list", "date"]
NUM_EXAMPLES = 5
SHARE_OF_LISTS = 0.1
SURELY_MISSING = ("\\N", "NULL", "null")  # as Hive, MySQL and others write it; NA may be Namibia
BOOLEANS = ("true", "false", "True", "False")


def read_frame(
    paths: str | Path | Sequence[str | Path],
    columns: Sequence[str] | None = None,
    *,
    base_dir: Path | None = None,
    encoding: str = UTF8,
) -> pl.DataFrame:
    """The rows of all files, one after the other, with `columns` in that order (None: all).

    `paths` is a file, a glob, or a list of both; relative ones start at `base_dir` (None: the
    working directory). Raises DataError naming the file that is missing, damaged, of an unknown
    kind, lacks a column, or whose columns do not fit the first file's.
    """
    files = data_files(paths, base_dir=base_dir or Path())
    wanted = (
        column_names(files[0], encoding=encoding)
        if columns is None
        else list(dict.fromkeys(columns))
    )
    parts = [batch.frame(wanted) for batch in FileSource(files, encoding=encoding).batches(wanted)]
    if parts:
        return pl.concat(parts, how="vertical_relaxed")
    return pl.DataFrame(schema=dict.fromkeys(wanted, pl.String))


def missing_texts(frame: pl.DataFrame) -> dict[str, list[str]]:
    """Of the rows of a text file: each text that stands for no value, and the columns that hold
    it."""
    text = frame.select(pl.col(pl.String))
    found = {
        marker: [column.name for column in text if (column == marker).any()]
        for marker in SURELY_MISSING
    }
    return {marker: names for marker, names in found.items() if names}


def describe_columns(frame: pl.DataFrame, *, is_text: bool) -> list[ColumnInfo]:
    """What each column holds, in their order; what no feature can hold is left out.

    `is_text`: the rows are of a text file. There, what can be read as numbers, booleans or dates
    counts as such (but numbers with a leading zero are codes, so text), and as a list if one value
    in ten has several items.
    """
    described = (_describe(frame[name], is_text=is_text) for name in frame.columns)
    return [column for column in described if column is not None]


def _describe(raw: pl.Series, *, is_text: bool) -> ColumnInfo | None:
    kind, values = _guess_type(raw) if is_text else (_kind(raw.dtype), raw)
    if kind is None:
        return None
    if values.dtype.is_float():
        values = values.fill_nan(None)
    num_null, width = values.null_count(), None
    if kind == "list":
        try:
            found = items(values)
        except DataError:  # lists of lists, of structs
            return None
        values = _guess_type(found.values)[1] if is_text else found.values
        lengths = np.unique(found.length_N[found.length_N > 0])
        is_vector = values.dtype.is_float() and len(lengths) == 1 and lengths[0] > 1
        width = int(lengths[0]) if is_vector else None
    known = values.drop_nulls()
    has_order = known.dtype.is_numeric() or kind == "date"
    return ColumnInfo(
        name=raw.name,
        kind=kind,
        num_unique=known.n_unique(),
        num_null=num_null,
        num_rows=len(raw),
        minimum=known.min() if has_order else None,
        median=known.median() if known.dtype.is_numeric() else None,
        maximum=known.max() if has_order else None,
        examples=tuple(known.unique(maintain_order=True).head(NUM_EXAMPLES).to_list()),
        width=width,
        has_commas=kind == "string" and _has_commas(known),
    )


def _has_commas(known: pl.Series) -> bool:
    text = plain(known).str.strip_chars()
    return are_written_with_commas(text.filter(~text.is_in(MISSING_NUMBERS)))


def _kind(dtype: pl.DataType) -> Kind | None:
    if isinstance(dtype, pl.List | pl.Array):
        return "list"
    if dtype.is_integer():
        return "int"
    if dtype.is_float() or dtype.is_decimal():
        return "float"
    if dtype == pl.Boolean:
        return "bool"
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        return "date"
    is_text = dtype in (pl.String, pl.Null, pl.Time) or isinstance(dtype, pl.Categorical | pl.Enum)
    return "string" if is_text else None


def _guess_type(raw: pl.Series) -> tuple[Kind | None, pl.Series]:
    """What the values of a text file's column are, and the column as such."""
    text = plain(raw).str.strip_chars()
    known = text.drop_nulls()
    numbers = known.filter(~known.is_in(MISSING_NUMBERS))
    if len(numbers) and not numbers.str.contains(r"^[+-]?0\d").any():
        for dtype in (pl.Int64, pl.Float64):
            if not numbers.cast(dtype, strict=False).null_count():
                return _kind(dtype()), text.cast(dtype, strict=False)
    if len(known) and known.is_in(BOOLEANS).all():
        return "bool", text.str.to_lowercase() == "true"
    if len(known) and are_times(known):
        return "date", text
    has_items = known.str.contains(rf"[^{SEPARATOR}][{SEPARATOR}][^{SEPARATOR}]")
    if has_items.sum() > len(known) * SHARE_OF_LISTS:
        return "list", text
    return "string", text
