"""Some rows of files that nobody has described yet: small files whole, of large ones parts.

Of a large Parquet file NUM_RUNS runs of rows from all over it are read, of a large text file as
many pieces; of a large compressed text file, one at a URL, or a Parquet file with a time zone that
polars does not know, the beginning.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from automtl.data.delimited import UTF8
from automtl.data.files import Place, partition, size_of
from automtl.data.header import SEPARATORS, column_names, separator
from automtl.data.parquet import parquet_schema
from automtl.data.paths import data_files
from automtl.data.read import read_frame
from automtl.data.source import FileSource
from automtl.data.spread import spread
from automtl.data.zones import has_unknown_zone

__all__ = ["Preview", "preview"]

SMALL_BYTES = 64 << 20  # of all files: read whole
MAX_ROWS = 200_000
MAX_FILES = 16
NUM_RUNS = 32
PIECE_BYTES = 1 << 20
# a damaged Parquet file can make polars panic, which is no Exception
ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, UnicodeDecodeError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """`seen` says in words which rows these are; `is_text`: the columns carry no types."""

    frame: pl.DataFrame
    is_text: bool
    seen: str


def preview(
    paths: str | Path | Sequence[str | Path],
    *,
    encoding: str = UTF8,
    small_bytes: int = SMALL_BYTES,
) -> Preview:
    """Rows of all files, or of some; raises DataError where `read_frame` does.

    `small_bytes`: files are read whole if they have no more together.
    """
    files = data_files(paths, base_dir=Path())
    is_text = any(separator(file) is not None for file in files)
    if sum(size_of(file) for file in files) > small_bytes:
        step = max(1, len(files) // MAX_FILES)
        some = files[::step][:MAX_FILES]
        try:
            parts = [_part(file, MAX_ROWS // len(some), encoding) for file in some]
            frame = pl.concat(parts, how="vertical_relaxed")
        except ERRORS:
            pass  # reading it whole says what is wrong with which file, or gets through
        else:
            of_files = f" of {len(some)} of {len(files)} files" if len(files) > 1 else ""
            return Preview(frame=frame, is_text=is_text, seen=f"{frame.height:,} rows{of_files}")
    frame = read_frame(paths, encoding=encoding)
    return Preview(frame=frame, is_text=is_text, seen=f"all {frame.height:,} rows")


def _part(file: Place, max_rows: int, encoding: str) -> pl.DataFrame:
    """Rows from all over one file, where there is a way into its middle; else its first."""
    if isinstance(file, Path) and not partition(file):
        if separator(file) is None:
            if not has_unknown_zone(parquet_schema(file)):  # of which polars can make nothing
                return _runs(file, max_rows)
        elif (
            file.suffix.lower() in SEPARATORS and encoding == UTF8
        ):  # letters may be of several bytes
            return _pieces(file, SEPARATORS[file.suffix.lower()], max_rows)
    names, parts = column_names(file, encoding=encoding), list[pl.DataFrame]()
    missing = max_rows
    for batch in FileSource([file], encoding=encoding).batches(names):
        parts.append(batch.frame(names).head(missing))
        missing -= parts[-1].height
        if missing <= 0:
            break
    return pl.concat(parts)


def _runs(file: Path, max_rows: int) -> pl.DataFrame:
    rows = pl.scan_parquet(file, glob=False, hive_partitioning=False)
    num_rows = int(rows.select(pl.len()).collect().item())
    if num_rows <= max_rows:
        return rows.collect()
    length = max(1, max_rows // NUM_RUNS)
    starts = spread(length, of=num_rows, num=NUM_RUNS)
    return pl.concat([rows.slice(start, length).collect() for start in starts])


def _pieces(file: Path, separator: str, max_rows: int) -> pl.DataFrame:
    """Whole lines of pieces, below the header. A piece may begin within quotes: polars then finds
    too few or too many fields, and what is wrong is left to who reads the file whole."""
    size, parts = file.stat().st_size, []
    length = min(PIECE_BYTES, max(1, size // NUM_RUNS))
    with file.open("rb") as stream:
        header = stream.readline()
        first = stream.tell()
        for run, start in enumerate(spread(length, of=size - first, num=NUM_RUNS)):
            stream.seek(first + start)
            if run:
                stream.readline()  # the rest of a line
            piece = stream.read(length)
            lines = piece[: piece.rfind(b"\n") + 1]
            content = io.BytesIO(header + lines)
            parts.append(pl.read_csv(content, separator=separator, infer_schema=False))
    return pl.concat([part.head(max(1, max_rows // NUM_RUNS)) for part in parts])
