"""Parquet files, batch by batch, only the columns that are asked for.

pyarrow reads them: it gives a column of text as it lies in the file, by its distinct values, which
is what counting and looking up need (benchmarks/data.py has both readers side by side). It reads
in the thread that asks, column by column: what encodes reads ahead in a thread of its own, and
handing columns to more of them, or a file's bytes, takes more of the CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import LocalFileSystem

from automtl.data.arrow_types import have_places, is_text, list_width
from automtl.data.files import Place, open_bytes
from automtl.errors import DataError

__all__ = [
    "ERRORS",
    "parquet_batches",
    "parquet_list_widths",
    "parquet_names",
    "parquet_num_rows",
    "parquet_schema",
    "unreadable",
]

Filter = Callable[[pa.Schema], Any]  # a pyarrow expression, or None
# what a damaged file may raise: pyarrow's own errors are one of these
ERRORS = (OSError, ValueError, KeyError, OverflowError, MemoryError, NotImplementedError)


def parquet_schema(file: Place) -> pa.Schema:
    """Its columns and their types, from its footer."""
    with _opened(file) as opened:
        return opened.schema_arrow


def parquet_names(file: Place) -> list[str]:
    """The names of its columns."""
    return list(parquet_schema(file).names)


def parquet_list_widths(file: Place) -> dict[str, int]:
    """Of each column of lists of one length that length."""
    widths = {field.name: list_width(field.type) for field in parquet_schema(file)}
    return {name: width for name, width in widths.items() if width is not None}


def parquet_num_rows(file: Place) -> int:
    """From its footer."""
    with _opened(file) as opened:
        return int(opened.metadata.num_rows)


def parquet_batches(
    file: Place, columns: Sequence[str], *, batch_rows: int, where: Filter | None = None
) -> Iterator[tuple[pa.RecordBatch, int, float]]:
    """The rows in order, the place of the first of each batch in the file, and the share of the
    file that has been read with it.

    `where` makes of the file's schema a filter: row groups of which it can be true of no row, by
    what the file says of their values, are left out. Raises DataError where the file is damaged.
    """
    with _opened(file) as opened:
        schema = opened.schema_arrow
        kept = _kept_groups(file, opened, None if where is None else where(schema))
    text = [name for name in columns if is_text(schema.field(name).type)]
    with _opened(file, read_dictionary=text) as opened:
        num_rows = max(1, opened.metadata.num_rows)
        for first, groups in _runs(opened.metadata, kept, batch_rows):
            batches = opened.iter_batches(
                batch_rows, row_groups=groups, columns=list(columns), use_threads=False
            )
            while True:
                try:
                    batch = next(batches, None)
                    if batch is None:
                        break
                    _check_codes(batch, text)
                except ERRORS as error:
                    raise unreadable(file, error) from error
                yield batch.select(list(columns)), first, (first + batch.num_rows) / num_rows
                first += batch.num_rows


def _check_codes(batch: pa.RecordBatch, text: Sequence[str]) -> None:
    """Raises what pyarrow raises where a value of a column of text is none of its distinct ones: it
    reads a damaged file without a look at them."""
    for name in text:
        column = batch.column(name)
        if pa.types.is_dictionary(column.type):
            column.dictionary.validate(full=True)
            if not have_places(column):
                column.validate(full=True)


def _kept_groups(file: Place, opened: pq.ParquetFile, where: Any) -> set[int]:
    """The row groups that are read; of a file at a URL all of them."""
    if where is None or not isinstance(file, Path):
        return set(range(opened.num_row_groups))
    import pyarrow.dataset as ds  # it imports pandas, and few ask for some rows only

    fragment = ds.ParquetFileFormat().make_fragment(str(file), LocalFileSystem())
    return {group.id for group in fragment.subset(where).row_groups}


def _runs(
    metadata: pq.FileMetaData, kept: set[int], batch_rows: int
) -> Iterator[tuple[int, list[int]]]:
    """Row groups behind each other that are read at once, and the place of the first row of each
    run: small ones as far as a batch holds them, so that none but these has rows of several."""
    first, groups, place, height = 0, list[int](), 0, 0
    for number in range(metadata.num_row_groups):
        num_rows = metadata.row_group(number).num_rows
        if groups and (number not in kept or height + num_rows > batch_rows):
            yield first, groups
            groups, height = [], 0
        if number in kept:
            first = first if groups else place
            groups.append(number)
            height += num_rows
        place += num_rows
    if groups:
        yield first, groups


@contextmanager
def _opened(place: Place, *, read_dictionary: Sequence[str] = ()) -> Iterator[pq.ParquetFile]:
    """An open file; raises DataError where it is none."""
    with ExitStack() as stack:
        try:
            is_far = not isinstance(place, Path)
            source: Any = stack.enter_context(open_bytes(place)) if is_far else str(place)
            file = pq.ParquetFile(source, read_dictionary=list(read_dictionary), pre_buffer=is_far)
        except DataError:
            raise
        except ERRORS as error:
            raise unreadable(place, error) from error
        stack.callback(file.close)
        yield file


def unreadable(file: Place, error: BaseException) -> DataError:
    """What to raise for a file that its library cannot read."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return DataError(f"{file}: cannot be read, it may be cut short or damaged: {reason}")
