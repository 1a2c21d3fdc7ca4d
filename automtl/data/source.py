"""Where rows come from, batch by batch: files one after the other, or a frame in memory."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import polars as pl
import pyarrow as pa

from automtl.data.batch import Batch
from automtl.data.columns import check_columns
from automtl.data.delimited import UTF8, delimited_batches
from automtl.data.files import Place, partition, size_of, stamp
from automtl.data.header import own_columns, separator
from automtl.data.parquet import parquet_batches, parquet_num_rows
from automtl.errors import DataError

__all__ = ["BATCH_ROWS", "FileSource", "FrameSource", "Source"]

BATCH_ROWS = 1 << 16


class Source(Protocol):
    """Rows that can be read again and again, in the same order."""

    def num_rows(self) -> int | None:
        """Where that is known without reading them."""

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """The rows in order, with `columns` only; raises DataError for those that are not there."""

    def digests(self) -> list[str]:
        """What is the same as long as the rows are."""


class FrameSource:
    """Rows in memory; `place` is how errors call them."""

    def __init__(self, frame: pl.DataFrame, place: str) -> None:
        self._frame, self._place = frame, place

    def digests(self) -> list[str]:
        digest = hashlib.blake2b()
        for name in self._frame.columns:
            digest.update(f"{name}:{self._frame.schema[name]};".encode())
        for rows in self._frame.iter_slices(BATCH_ROWS):
            digest.update(_bytes_of(rows))
        return [digest.hexdigest()]

    def num_rows(self) -> int | None:
        return self._frame.height

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        check_columns(columns, self._frame.columns, source=self._place)
        rows, height = self._frame.select(columns), self._frame.height
        for start in range(0, height, BATCH_ROWS):
            part = rows[start : start + BATCH_ROWS]
            yield Batch(part, first_row=start, start=start, done=(start + part.height) / height)


def _bytes_of(rows: pl.DataFrame) -> bytes:
    """The same for equal rows, however their memory is laid out."""
    content = io.BytesIO()
    rows.rechunk().write_ipc_stream(content)
    return content.getvalue()


class FileSource:
    """The rows of all files, one after the other."""

    def __init__(self, files: Sequence[Place], *, encoding: str = UTF8) -> None:
        self._files, self._encoding = files, encoding

    def digests(self) -> list[str]:
        return [part for file in self._files for part in stamp(file)]

    def num_rows(self) -> int | None:
        if any(separator(file) is not None for file in self._files):
            return None
        return sum(parquet_num_rows(file) for file in self._files)

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        sizes = [size_of(file) for file in self._files]
        total, before, start = max(1, sum(sizes)), 0, 0
        types: dict[str, pl.DataType] = {}
        last: pa.Schema | None = None
        for file, size in zip(self._files, sizes, strict=True):
            names = own_columns(file, encoding=self._encoding)
            check_columns(columns, [*names, *partition(file)], source=str(file))
            first_row = 0
            for rows, share in self._read(file, columns, names):
                batch = Batch(
                    rows,
                    source=str(file),
                    first_row=first_row,
                    start=start,
                    done=min(1.0, (before + share * size) / total),
                )
                if rows.schema != last:  # comparing takes microseconds, looking milliseconds
                    self._check_types(types, rows, file)
                    last = rows.schema
                yield batch
                first_row += batch.height
                start += batch.height
            before += size

    def _read(
        self, file: Place, columns: Sequence[str], names: Sequence[str]
    ) -> Iterator[tuple[pa.RecordBatch, float]]:
        """Columns that the file lacks are those that the directories above it name."""
        of_all = partition(file)
        own = [name for name in columns if name in names] or [*names[:1]]
        for rows, share in self._read_own(file, own):
            added = {
                name: _repeated(of_all[name], rows.num_rows) for name in columns if name not in own
            }
            arrays = [added[name] if name in added else rows.column(name) for name in columns]
            yield pa.RecordBatch.from_arrays(arrays, names=list(columns)), share

    def _read_own(
        self, file: Place, columns: Sequence[str]
    ) -> Iterator[tuple[pa.RecordBatch, float]]:
        if (text := separator(file)) is not None:
            yield from delimited_batches(file, text, columns, encoding=self._encoding)
            return
        yield from parquet_batches(file, columns, batch_rows=BATCH_ROWS)

    def _check_types(
        self, types: dict[str, pl.DataType], rows: pa.RecordBatch, file: Place
    ) -> None:
        """Integer widths may differ between files, text and numbers may not mix."""
        for name, dtype in polars_types(rows.schema).items():
            first = types.setdefault(name, dtype)
            if not _fits(first, dtype):
                raise DataError(
                    f"{file}: column {name!r} holds {dtype}, in {self._files[0]} it holds {first};"
                    " give the column one type in all files"
                )


def polars_types(schema: pa.Schema) -> dict[str, pl.DataType]:
    """The type of each column as it is in a Batch."""
    plain = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in schema
    ]
    return dict(pl.DataFrame(pl.from_arrow(pa.schema(plain).empty_table())).schema)


def _repeated(value: str, count: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, dtype=np.int32)), [value])


def _fits(left: pl.DataType, right: pl.DataType) -> bool:
    return (
        left == right
        or (left.is_numeric() and right.is_numeric())
        or pl.Null in (left, right)
        or (isinstance(left, pl.List) and isinstance(right, pl.List))
    )
