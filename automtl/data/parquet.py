"""Parquet files, batch by batch, only the columns that are asked for.

pyarrow reads them: it gives a column of text as it lies in the file, by its distinct values, which
is what counting and looking up need (benchmarks/data.py has both readers side by side).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from automtl.data.batch import is_text
from automtl.errors import DataError

__all__ = ["ERRORS", "parquet_batches", "parquet_names", "parquet_num_rows", "unreadable"]

# what a damaged file may raise; pyarrow's own errors are ValueError, OSError, KeyError or these
ERRORS = (pa.ArrowException, OSError, ValueError, KeyError, OverflowError, MemoryError)


def parquet_names(file: Path) -> list[str]:
    """The names of its columns, from its footer."""
    with _opened(file) as opened:
        return list(opened.schema_arrow.names)


def parquet_num_rows(file: Path) -> int:
    """From its footer."""
    with _opened(file) as opened:
        return int(opened.metadata.num_rows)


def parquet_batches(
    file: Path, columns: Sequence[str], *, batch_rows: int
) -> Iterator[pa.RecordBatch]:
    """The rows in order; raises DataError where the file is damaged."""
    with _opened(file) as opened:
        schema = opened.schema_arrow
    text = [name for name in columns if is_text(schema.field(name).type)]
    with _opened(file, read_dictionary=text) as opened:
        batches = opened.iter_batches(batch_rows, columns=list(columns))
        while True:
            try:
                batch = next(batches, None)
            except ERRORS as error:
                raise unreadable(file, error) from error
            if batch is None:
                return
            yield batch.select(list(columns))


class _opened:
    """An open file; raises DataError where it is none."""

    def __init__(self, file: Path, *, read_dictionary: Sequence[str] = ()) -> None:
        try:
            self._file = pq.ParquetFile(str(file), read_dictionary=list(read_dictionary))
        except ERRORS as error:
            raise unreadable(file, error) from error

    def __enter__(self) -> pq.ParquetFile:
        return self._file

    def __exit__(self, *_: object) -> None:
        self._file.close()


def unreadable(file: Path | str, error: BaseException) -> DataError:
    """What to raise for a file that its library cannot read."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return DataError(f"{file}: cannot be read, it may be cut short or damaged: {reason}")
