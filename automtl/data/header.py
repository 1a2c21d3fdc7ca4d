"""What a file says of its columns before it is read: its footer, or its first line. No polars."""

from __future__ import annotations

from automtl.data.delimited import COMPRESSIONS, UTF8, delimited_names
from automtl.data.files import Place, partition, suffixes_of
from automtl.data.parquet import parquet_list_widths, parquet_names
from automtl.errors import DataError

__all__ = ["SEPARATORS", "column_names", "list_widths", "own_columns", "separator"]

SEPARATORS = {".csv": ",", ".tsv": "\t"}


def column_names(file: Place, *, encoding: str = UTF8) -> list[str]:
    """The names of one file's columns, then those that the directories above it say: `day` in
    `day=2022-05-01/part-0.parquet`."""
    return list(dict.fromkeys([*own_columns(file, encoding=encoding), *partition(file)]))


def own_columns(file: Place, *, encoding: str = UTF8) -> list[str]:
    """The names of the columns that are in the file itself."""
    if (text := separator(file)) is None:
        return parquet_names(file)
    return delimited_names(file, text, encoding=encoding)


def list_widths(file: Place) -> dict[str, int]:
    """The length of the lists of each column whose type says it."""
    return parquet_list_widths(file) if separator(file) is None else {}


def separator(file: Place) -> str | None:
    """The separator of a text file, None for Parquet; raises DataError for another kind."""
    suffixes = suffixes_of(file)
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    elif suffixes and suffixes[-1] in (".parquet", ".pq"):
        return None
    if suffixes and suffixes[-1] in SEPARATORS:
        return SEPARATORS[suffixes[-1]]
    raise DataError(
        f"{file}: unknown kind of file; the name must end in .parquet, .csv or .tsv"
        " (the last two also with .gz or .zst)"
    )
