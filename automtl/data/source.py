"""Where rows come from, batch by batch: files one after the other, or a frame in memory."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import polars as pl
import pyarrow as pa

from automtl.data.batch import Batch
from automtl.data.coded import Shared
from automtl.data.columns import check_columns
from automtl.data.delimited import UTF8, delimited_batches
from automtl.data.files import Place, partition, size_of, stamp
from automtl.data.frames import as_polars
from automtl.data.header import own_columns, separator
from automtl.data.parquet import parquet_batches, parquet_num_rows
from automtl.data.where import Where
from automtl.data.zones import in_known_zones
from automtl.errors import DataError

__all__ = ["BATCH_ROWS", "FileSource", "FrameSource", "KeptSource", "Source", "frame_source"]

BATCH_ROWS = 1 << 17
LARGE = 256 << 20  # bytes, from which seconds to prepare for them are soon made good
BATCH_VALUES = 1 << 22  # of wide rows there are fewer in a batch, for what is held in memory


class Source(Protocol):
    """Rows that can be read again and again, in the same order.

    `place` is how errors call all of them, None: by what the spec says of its files.
    """

    @property
    def place(self) -> str | None: ...

    @property
    def pays_to_spool(self) -> bool:
        """Whether who reads them twice should keep them unpacked in between (see `spool.py`)."""

    @property
    def is_columnar(self) -> bool:
        """Whether some of the columns are read in less time than all of them."""

    @property
    def is_large(self) -> bool:
        """Whether it pays to prepare for reading it."""

    def num_rows(self) -> int | None:
        """Where that is known without reading them."""

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """The rows in order, with `columns` only; raises DataError for those that are not there."""

    def digests(self) -> list[str]:
        """What is the same as long as the rows are."""


class FrameSource:
    """Rows in memory; `place` is how errors call them."""

    pays_to_spool, is_columnar = False, True

    def __init__(self, frame: pl.DataFrame, place: str) -> None:
        self._frame, self.place = frame, place

    @property
    def is_large(self) -> bool:
        return self._frame.estimated_size() >= LARGE

    def digests(self) -> list[str]:
        digest = hashlib.sha256()
        for name in self._frame.columns:
            digest.update(f"{name}:{self._frame.schema[name]};".encode())
        for rows in self._frame.iter_slices(BATCH_ROWS):
            digest.update(_bytes_of(rows))
        return [digest.hexdigest()]

    def num_rows(self) -> int | None:
        return self._frame.height

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        check_columns(columns, self._frame.columns, source=self.place)
        rows, height = self._frame.select(columns), self._frame.height
        batch_rows = _batch_rows(columns)
        for start in range(0, height, batch_rows):
            part = rows[start : start + batch_rows]
            yield Batch(part, first_row=start, start=start, done=(start + part.height) / height)


def _batch_rows(columns: Sequence[str]) -> int:
    return max(1, min(BATCH_ROWS, BATCH_VALUES // max(1, len(columns))))


def _bytes_of(rows: pl.DataFrame) -> bytes:
    """The same for equal rows, however their memory is laid out."""
    content = io.BytesIO()
    rows.rechunk().write_ipc_stream(content)
    return content.getvalue()


class FileSource:
    """The rows of all files, one after the other.

    Files and parts of them in which `where` is true of no row are left out, as far as that costs
    nothing to tell; see `KeptSource` for the rest. Text files are in `encoding`; there `missing`
    are texts that stand for no value.
    """

    pays_to_spool, place = True, None

    def __init__(
        self,
        files: Sequence[Place],
        *,
        encoding: str = UTF8,
        missing: Sequence[str] = (),
        where: Where | None = None,
    ) -> None:
        self._files, self._where = files, where
        self._encoding, self._missing = encoding, missing

    @property
    def is_columnar(self) -> bool:
        """Not with text files, whose rows are taken apart as a whole."""
        return all(separator(file) is None for file in self._files)

    @property
    def is_large(self) -> bool:
        return sum(size_of(file) for file in self._files) >= LARGE

    def digests(self) -> list[str]:
        return [part for file in self._files for part in stamp(file)]

    def num_rows(self) -> int | None:
        if not self.is_columnar:
            return None
        return sum(parquet_num_rows(file) for file in self._files)

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        sizes = [size_of(file) for file in self._files]
        total, before, start = max(1, sum(sizes)), 0, 0
        types: dict[str, pl.DataType] = {}
        last: pa.Schema | None = None
        shared = Shared()
        for file, size in zip(self._files, sizes, strict=True):
            names = own_columns(file, encoding=self._encoding)
            of_all = {name: one for name, one in partition(file).items() if name not in names}
            check_columns(columns, [*names, *of_all], source=str(file))
            if self._where is not None and not self._where.may_hold(of_all):
                before += size
                continue
            for rows, first_row, share in self._read(file, columns, names):
                batch = Batch(
                    rows,
                    source=str(file),
                    first_row=first_row,
                    start=start,
                    done=min(1.0, (before + share * size) / total),
                    shared=shared,
                )
                if rows.schema != last:  # comparing takes microseconds, looking milliseconds
                    self._check_types(types, rows, file)
                    last = rows.schema
                yield batch
                start += batch.height
            before += size

    def _read(
        self, file: Place, columns: Sequence[str], names: Sequence[str]
    ) -> Iterator[tuple[pa.RecordBatch, int, float]]:
        """Columns that the file lacks are those that the directories above it name."""
        of_all = partition(file)
        own = [name for name in columns if name in names] or [*names[:1]]
        for rows, first_row, share in self._read_own(file, own):
            added = {
                name: _repeated(of_all[name], rows.num_rows) for name in columns if name not in own
            }
            arrays = [added[name] if name in added else rows.column(name) for name in columns]
            yield pa.RecordBatch.from_arrays(arrays, names=list(columns)), first_row, share

    def _read_own(
        self, file: Place, columns: Sequence[str]
    ) -> Iterator[tuple[pa.RecordBatch, int, float]]:
        if (text := separator(file)) is None:
            where = None if self._where is None else self._where.filter
            batch_rows = _batch_rows(columns)
            coming = parquet_batches(file, columns, batch_rows=batch_rows, where=where)
            for rows, first_row, share in coming:
                yield in_known_zones(rows), first_row, share
            return
        first_row = 0
        for rows, share in delimited_batches(
            file, text, columns, encoding=self._encoding, missing=self._missing
        ):
            yield rows, first_row, share
            first_row += rows.num_rows

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


class KeptSource:
    """The rows of another source of which `where` is true; they count from 0 among themselves.

    `num_all` is how many rows the other has, of text files those that were read, after a pass.
    """

    def __init__(self, source: Source, where: Where) -> None:
        self._source, self._where, self.place = source, where, source.place
        self.pays_to_spool, self.is_columnar = source.pays_to_spool, source.is_columnar
        self.is_large = source.is_large
        self.num_all = 0

    def digests(self) -> list[str]:
        return self._source.digests()

    def num_rows(self) -> int | None:
        return None

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        start, seen = 0, 0
        for batch in self._source.batches(list(dict.fromkeys([*columns, *self._where.columns]))):
            seen += batch.height
            [is_kept_N] = batch.checked([partial(self._where.keeps, batch)])
            kept = batch.kept(is_kept_N, columns, start=start)
            start += kept.height
            yield kept
        num_rows = self._source.num_rows()
        self.num_all = seen if num_rows is None else num_rows


def frame_source(frame: Any, where: str | None, columns: Sequence[str]) -> Source:
    """The rows of a polars or pandas frame, or of whatever hands out Arrow data, of which `where`
    is true. Raises DataError for what is no table, or where one of `columns` cannot be read."""
    kept = None if where is None else Where(where)
    wanted = [*columns, *(kept.columns if kept is not None else ())]
    source = FrameSource(as_polars(frame, wanted), "the frame")
    return source if kept is None else KeptSource(source, kept)


def polars_types(schema: pa.Schema) -> dict[str, pl.DataType]:
    """The type of each column as it is in a Batch."""
    plain = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in schema
    ]
    # not schema.empty_table(): that imports pandas
    empty = pa.Table.from_batches([], schema=pa.schema(plain))
    return dict(pl.DataFrame(pl.from_arrow(empty)).schema)


def _repeated(value: str, count: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, dtype=np.int32)), [value])


def _fits(left: pl.DataType, right: pl.DataType) -> bool:
    return (
        left == right
        or (left.is_numeric() and right.is_numeric())
        or pl.Null in (left, right)
        or (isinstance(left, pl.List) and isinstance(right, pl.List))
    )
