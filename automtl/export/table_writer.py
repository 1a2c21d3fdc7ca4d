"""Batches of rows to one file: Parquet, CSV or TSV, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Protocol

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from automtl.errors import BundleError
from automtl.files import written_whole

__all__ = ["KINDS", "TableWriter", "check_out", "table_written"]

SEPARATORS = {".csv": ",", ".tsv": "\t"}
KINDS = (".parquet", *SEPARATORS)


class TableWriter(Protocol):
    """Writes frames below each other; all have the columns and types of the first."""

    def write(self, frame: pl.DataFrame) -> None: ...


def check_out(out: Path) -> None:
    """BundleError where `out` cannot be a table; asked before anything is read."""
    if out.is_dir():
        raise BundleError(f"{out}: is a directory; name a file, such as {out}/predictions.parquet")
    if out.suffix.lower() not in KINDS:
        raise BundleError(f"{out}: the name must end in {', '.join(KINDS)}")
    if not out.absolute().parent.is_dir():
        raise BundleError(f"{out}: there is no directory {out.absolute().parent}; make it first")


@contextmanager
def table_written(out: Path) -> Iterator[TableWriter]:
    """A writer to a file beside `out` that becomes `out` at the end; an older one stays till then.

    BundleError where it cannot be written. Whatever ends the block early, Ctrl-C too, leaves
    nothing behind.
    """
    with ExitStack() as whole, ExitStack() as opened:
        aside = whole.enter_context(written_whole(out))
        is_parquet = out.suffix.lower() == ".parquet"
        table: TableWriter = (
            _Parquet(aside, out, opened) if is_parquet else _Text(aside, out, opened)
        )
        try:
            yield table
        except BaseException:
            # closing writes what is held back, and fails again on a full disk; what ended the
            # block is what is told
            with suppress(OSError, pa.ArrowException):
                opened.close()
            raise
        with _told(out):
            opened.close()
            whole.close()


@contextmanager
def _told(out: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pl.exceptions.PolarsError, pa.ArrowException) as error:
        raise BundleError(f"{out}: cannot be written ({error}); choose another --out") from error


class _Parquet:
    """A group of rows for each frame."""

    def __init__(self, aside: Path, out: Path, opened: ExitStack) -> None:
        self._aside, self._out, self._opened = aside, out, opened
        self._file: pq.ParquetWriter | None = None
        self._schema = pl.Schema()

    def write(self, frame: pl.DataFrame) -> None:
        with _told(self._out):
            if self._file is None:
                self._schema = frame.schema
                arrow = frame.clear().to_arrow().schema
                file = pq.ParquetWriter(str(self._aside), arrow, compression="zstd")
                self._file = self._opened.enter_context(file)
            self._file.write_table(_fitted(frame, self._schema, self._out).to_arrow())


class _Text:
    """A line of names, then a line for each row."""

    def __init__(self, aside: Path, out: Path, opened: ExitStack) -> None:
        self._separator, self._out = SEPARATORS[out.suffix.lower()], out
        with _told(out):
            self._file = opened.enter_context(aside.open("wb"))
        self._schema: pl.Schema | None = None

    def write(self, frame: pl.DataFrame) -> None:
        is_first = self._schema is None
        self._schema = self._schema or frame.schema
        with _told(self._out):
            fitted = _fitted(frame, self._schema, self._out)
            fitted.write_csv(self._file, separator=self._separator, include_header=is_first)


def _fitted(frame: pl.DataFrame, schema: pl.Schema, out: Path) -> pl.DataFrame:
    """With the types of the first frame: of several files, integers may be of other widths."""
    if frame.schema == schema:
        return frame
    try:
        return frame.cast(schema)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise BundleError(
            f"{out}: a kept column has another type in a later file ({reason}); give it one type "
            "in all files, or keep another"
        ) from error
