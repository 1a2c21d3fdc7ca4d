"""The rows of Parquet files for a second pass, so that they are unpacked once and not twice.

While they are read they are written to a scratch file as they are, unpacked, in Arrow's streaming
format; only integers are written as narrow as they are small, and widened where a batch is asked
for them (`Batch.integers` takes them as they lie). The file has no name, so that nothing of it is
left when the process ends, however it ends. It is mapped to be read, part by part.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
from pyarrow import ipc

from automtl.data.arrow_types import arrow_numbers, numpy_numbers
from automtl.data.batch import Batch, Shared
from automtl.data.source import Source

__all__ = ["spooled"]

PART_BYTES = 8 << 20  # of the file that are mapped at once, beside what the last batch has beyond
NARROW = (np.dtype(np.int8), np.dtype(np.int16), np.dtype(np.int32))
LIMITS = [(np.iinfo(one).min, np.iinfo(one).max) for one in NARROW]
Read = Callable[[], Iterator[Batch]]


@contextmanager
def spooled(source: Source, columns: Sequence[str], directory: Path) -> Iterator[tuple[Read, Read]]:
    """Two functions that give the rows of `source`, to be called one after the other is through:
    the second has them from the disk of `directory`, if that pays.

    OSError where there is no space.
    """
    if not source.pays_to_spool:
        yield (lambda: source.batches(columns),) * 2
        return
    with tempfile.TemporaryFile(dir=directory) as file:
        spool = _Spool(file)
        yield lambda: spool.fill(source.batches(columns)), spool.batches


class _Spool:
    """Parts of a file, a stream each; a new one where the type of a column changes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._parts: list[tuple[int, pa.Schema]] = []  # where each begins; the source's types
        self._narrow: dict[str, int] = {}  # of each column: the place in NARROW of its type
        self._num_rows = 0

    def fill(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The batches, each written before it is handed on."""
        with ExitStack() as stack:
            schemas: tuple[pa.Schema, pa.Schema] | None = None
            for batch in batches:
                if batch.height:
                    rows = self._narrowed(batch.arrow())
                    types = batch.arrow().schema, rows.schema
                    if types != schemas or self._file.tell() - self._parts[-1][0] >= PART_BYTES:
                        stack.close()  # ends the part before this one
                        schemas = types
                        writer = stack.enter_context(self._begin_part(*schemas))
                    writer.write_batch(rows)
                    self._num_rows += batch.height
                yield batch
        self._file.flush()

    def batches(self) -> Iterator[Batch]:
        """The batches that were written."""
        start, shared = 0, Shared()
        ends = [*(first for first, _ in self._parts), self._file.tell()][1:]
        for (first, types), end in zip(self._parts, ends, strict=True):
            part = mmap.mmap(
                self._file.fileno(), end - first, offset=first, access=mmap.ACCESS_READ
            )
            for rows in ipc.open_stream(pa.py_buffer(part)):
                done = (start + rows.num_rows) / self._num_rows
                yield Batch(rows, start=start, done=done, shared=shared, types=types)
                start += rows.num_rows

    def _begin_part(self, types: pa.Schema, narrow: pa.Schema) -> ipc.RecordBatchStreamWriter:
        """A stream of `narrow` rows, where a part may begin to be mapped."""
        step = mmap.ALLOCATIONGRANULARITY
        self._parts.append((self._file.seek(-(-self._file.tell() // step) * step), types))
        return ipc.new_stream(self._file, narrow)

    def _narrowed(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """The rows with integers in as few bytes as those of the column needed so far."""
        names = rows.schema.names
        arrays = [self._narrow_array(name, rows.column(name)) for name in names]
        return pa.RecordBatch.from_arrays(arrays, names=names)

    def _narrow_array(self, name: str, array: pa.Array) -> pa.Array:
        """Of integers, as long as none of the column was missing; others as they are."""
        if not pa.types.is_integer(array.type):
            return array
        if array.null_count:
            self._narrow[name] = len(NARROW)
            return array
        values_N = numpy_numbers(array)
        place = self._narrow.get(name, 0)
        if place < len(NARROW):
            place = max(place, _narrowest(int(values_N.min()), int(values_N.max())))
            self._narrow[name] = place
        if place == len(NARROW) or NARROW[place].itemsize >= values_N.itemsize:
            return array
        return arrow_numbers(values_N.astype(NARROW[place]))


def _narrowest(low: int, high: int) -> int:
    """The place in NARROW of what holds all from `low` to `high`, behind them where none does."""
    fits = [lowest <= low and high <= highest for lowest, highest in LIMITS]
    return fits.index(True) if any(fits) else len(NARROW)
