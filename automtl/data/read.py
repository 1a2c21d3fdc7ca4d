"""Files to a frame: Parquet, CSV and TSV (also `.gz`, `.zst`), only the columns that are asked for.

Columns of a text file arrive as text, an empty field as null: what a column means is the spec's
decision, and each role parses its own (so `007` stays a category and `NA` is a missing number). A
list is written `a|b|c` there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import polars as pl

from automtl.data.columns import MISSING_NUMBERS, TEXT_DATE, check_columns, plain
from automtl.data.paths import data_files
from automtl.data.sequences import SEPARATOR, items
from automtl.errors import DataError
from automtl.spec.guess import ColumnInfo

__all__ = ["column_names", "describe_columns", "read_frame"]

SEPARATORS = {".csv": ",", ".tsv": "\t"}
Kind = Literal["int", "float", "string", "bool", "list", "date"]
NUM_EXAMPLES = 5
SHARE_OF_LISTS = 0.1
BOOLEANS = ("true", "false", "True", "False")
COMPRESSED = (".gz", ".zst")
# a damaged Parquet file can make polars panic, which is no Exception
ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, UnicodeDecodeError)


def read_frame(
    paths: str | Path | Sequence[str | Path],
    columns: Sequence[str] | None = None,
    *,
    base_dir: Path | None = None,
) -> pl.DataFrame:
    """The rows of all files, one after the other, with `columns` in that order (None: all).

    `paths` is a file, a glob, or a list of both; relative ones start at `base_dir` (None: the
    working directory). Raises DataError naming the file that is missing, damaged, of an unknown
    kind, lacks a column, or whose columns do not fit the first file's.
    """
    files = data_files(paths, base_dir=base_dir or Path())
    frames: list[pl.DataFrame] = []
    for file in files:
        present = column_names(file)
        wanted = list(dict.fromkeys(columns)) if columns is not None else present
        check_columns(wanted, present, source=str(file))
        if frames:
            check_columns(frames[0].columns, present, source=str(file))
            wanted = frames[0].columns
        frames.append(_read(file, wanted))
    return _stack(frames, files)


def column_names(file: Path) -> list[str]:
    """The names of one file's columns, from its first bytes or its footer."""
    try:
        if (separator := _separator(file)) is None:
            return list(pl.read_parquet_schema(file))
        return pl.read_csv(file, separator=separator, infer_schema=False, n_rows=0).columns
    except ERRORS as error:
        raise _unreadable(file, error) from error


def describe_columns(
    paths: str | Path | Sequence[str | Path], *, base_dir: Path | None = None
) -> list[ColumnInfo]:
    """What each column of the files holds, in their order; what no feature can hold is left out.

    In a text file, what can be read as numbers, booleans or dates counts as such (but numbers with
    a leading zero are codes, so text), and as a list if one value in ten has several items.
    """
    frame = read_frame(paths, base_dir=base_dir)
    files = data_files(paths, base_dir=base_dir or Path())
    is_text = any(_separator(file) is not None for file in files)
    described = (_describe(frame[name], is_text=is_text) for name in frame.columns)
    return [column for column in described if column is not None]


def _describe(raw: pl.Series, *, is_text: bool) -> ColumnInfo | None:
    kind, values = _guess_type(raw) if is_text else (_kind(raw.dtype), raw)
    if kind is None:
        return None
    if values.dtype.is_float():
        values = values.fill_nan(None)
    num_null = values.null_count()
    if kind == "list":
        try:
            values = items(values).values
        except DataError:  # lists of lists, of structs
            return None
        values = _guess_type(values)[1] if is_text else values
    known = values.drop_nulls()
    has_order = known.dtype.is_numeric() or kind == "date"
    return ColumnInfo(
        name=raw.name,
        kind=kind,
        num_unique=known.n_unique(),
        num_null=num_null,
        num_rows=len(raw),
        minimum=known.min() if has_order else None,
        maximum=known.max() if has_order else None,
        examples=tuple(known.unique(maintain_order=True).head(NUM_EXAMPLES).to_list()),
    )


def _kind(dtype: pl.DataType) -> Kind | None:
    if isinstance(dtype, pl.List | pl.Array):
        return "list"
    if dtype.is_integer():
        return "int"
    if dtype.is_float() or dtype.is_decimal():
        return "float"
    if dtype == pl.Boolean:
        return "bool"
    if dtype.is_temporal():
        return "date"
    is_text = dtype in (pl.String, pl.Null) or isinstance(dtype, pl.Categorical | pl.Enum)
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
    if len(known) and known.str.contains(TEXT_DATE).all():
        return "date", text
    has_items = known.str.contains(rf"[^{SEPARATOR}][{SEPARATOR}][^{SEPARATOR}]")
    if has_items.sum() > len(known) * SHARE_OF_LISTS:
        return "list", text
    return "string", text


def _read(file: Path, columns: list[str]) -> pl.DataFrame:
    try:
        if (separator := _separator(file)) is None:
            # hive and glob handling off: the path is this one file
            frame = pl.read_parquet(file, columns=columns, hive_partitioning=False, glob=False)
        else:
            frame = pl.read_csv(file, columns=columns, separator=separator, infer_schema=False)
    except ERRORS as error:
        raise _unreadable(file, error) from error
    return frame.select(columns)


def _separator(file: Path) -> str | None:
    """The separator of a text file, None for Parquet."""
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    elif suffixes and suffixes[-1] in (".parquet", ".pq"):
        return None
    if suffixes and suffixes[-1] in SEPARATORS:
        return SEPARATORS[suffixes[-1]]
    raise DataError(
        f"{file}: unknown kind of file; the name must end in .parquet, .csv or .tsv"
        " (the last two also with .gz or .zst)"
    )


def _stack(frames: list[pl.DataFrame], files: Sequence[Path]) -> pl.DataFrame:
    """All rows; integer widths may differ between files, text and numbers may not mix."""
    first = frames[0]
    for frame, file in zip(frames[1:], files[1:], strict=True):
        for name, dtype in frame.schema.items():
            if not _fits(first.schema[name], dtype):
                raise DataError(
                    f"{file}: column {name!r} holds {dtype}, in {files[0]} it holds"
                    f" {first.schema[name]}; give the column one type in all files"
                )
    return first if len(frames) == 1 else pl.concat(frames, how="vertical_relaxed")


def _fits(left: pl.DataType, right: pl.DataType) -> bool:
    return (
        left == right
        or (left.is_numeric() and right.is_numeric())
        or pl.Null in (left, right)
        or (isinstance(left, pl.List) and isinstance(right, pl.List))
    )


def _unreadable(file: Path, error: BaseException) -> DataError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    match error:
        case pl.exceptions.NoDataError():
            return DataError(f"{file}: is empty; write a header line and rows, or leave it out")
        case _ if "utf-8" in reason.lower():
            return DataError(f"{file}: is not UTF-8 text; convert it: iconv -f latin1 -t utf-8")
        case pl.exceptions.ComputeError() if "more fields" in reason:
            return DataError(
                f"{file}: a line has more fields than the header; quote fields that hold the"
                " separator"
            )
        case _:
            return DataError(f"{file}: cannot be read, it may be cut short or damaged: {reason}")
