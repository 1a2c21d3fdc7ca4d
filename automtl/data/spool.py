"""The rows of files for every pass but the first, so that they are unpacked once.

While they are read they are written to a scratch file, unpacked but small (`compact.py`), in
Arrow's streaming format. The file has no name, so that nothing of it is left when the process
ends, however it ends. It is mapped to be read, part by part.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa
from pyarrow import ipc

from automtl.data.ahead import ahead
from automtl.data.arrays import reserve
from automtl.data.batch import Batch
from automtl.data.coded import Shared
from automtl.data.compact import Compact, Uses, places_of
from automtl.data.source import Source

__all__ = ["Passes", "spooled"]

NOTHING_SAID = Uses()
PART_BYTES = 8 << 20  # of the file that are mapped at once, beside what the last batch has beyond
WRITE_BYTES = 4 << 20  # that are written at once: of a column by itself it takes a third more


@dataclass(frozen=True, slots=True)
class Passes:
    """Passes over the rows of a source, one after the other; each goes over all of them."""

    batches: Callable[[], Iterator[Batch]]
    column: Callable[[str], Iterator[Batch]]  # one that is read, perhaps with others


@contextmanager
def spooled(
    source: Source,
    columns: Sequence[str],
    directory: Path,
    *,
    uses: Uses = NOTHING_SAID,
) -> Iterator[Passes]:
    """Passes over the rows of `source`, those after the first from the disk of `directory` if that
    pays; `uses` says what text is kept as.

    OSError where there is no space.
    """
    if not source.pays_to_spool:
        yield Passes(lambda: source.batches(columns), lambda name: source.batches([name]))
        return
    with tempfile.TemporaryFile(dir=directory, buffering=WRITE_BYTES) as file:
        spool = _Spool(file, Compact(uses))

        def batches() -> Iterator[Batch]:
            return spool.batches() if spool.is_full else spool.fill(source.batches(columns))

        def column(name: str) -> Iterator[Batch]:
            return source.batches([name]) if source.is_columnar else batches()

        yield Passes(batches, column)


class _Spool:
    """Parts of a file, a stream each; a new one where the type of a column changes."""

    def __init__(self, file: IO[bytes], compact: Compact) -> None:
        self._file, self._compact = file, compact
        self._parts: list[tuple[int, pa.Schema]] = []  # where each begins; the source's types
        self._origins: list[tuple[str, int]] = []  # of each batch: its source, its first row there
        self._num_rows = 0
        self.is_full = False

    def fill(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The batches as they are written, each before it is handed on, while the next one is
        read."""
        with ExitStack() as stack:
            schemas: tuple[pa.Schema, pa.Schema] | None = None
            shared = Shared()
            for read in ahead(batches):
                batch = self._compact.parsed(read)
                if batch.height:
                    rows = self._compact.narrowed(batch)
                    types = batch.arrow().schema, rows.schema
                    if types != schemas or self._file.tell() - self._parts[-1][0] >= PART_BYTES:
                        stack.close()  # ends the part before this one
                        schemas = types
                        writer = stack.enter_context(self._begin_part(*schemas))
                    writer.write_batch(rows)
                    self._num_rows += batch.height
                    self._origins.append(origin := (batch.source, batch.first_row))
                    batch = self._batch(rows, types[0], origin, batch.start, batch.done, shared)
                yield batch
        self._file.flush()
        self._compact.finish()
        self.is_full = True

    def batches(self) -> Iterator[Batch]:
        """The batches that were written."""
        start, shared, origins = 0, Shared(), iter(self._origins)
        ends = [*(first for first, _ in self._parts), self._file.tell()][1:]
        for (first, types), end in zip(self._parts, ends, strict=True):
            part = mmap.mmap(
                self._file.fileno(), end - first, offset=first, access=mmap.ACCESS_READ
            )
            for rows in ipc.open_stream(pa.py_buffer(part)):
                done = (start + rows.num_rows) / self._num_rows
                yield self._batch(rows, types, next(origins), start, done, shared)
                start += rows.num_rows

    def _batch(
        self,
        rows: pa.RecordBatch,
        types: pa.Schema,
        origin: tuple[str, int],
        start: int,
        done: float,
        shared: Shared,
    ) -> Batch:
        """Rows as they are written."""
        source, first_row = origin
        return Batch(
            rows.select(types.names),
            source=source,
            first_row=first_row,
            start=start,
            done=done,
            places=places_of(rows),
            shared=shared,
            types=types,
            numbered=self._compact.numbered,
        )

    def _begin_part(self, types: pa.Schema, narrow: pa.Schema) -> ipc.RecordBatchStreamWriter:
        """A stream of `narrow` rows, where a part may begin to be mapped; its place on the disk is
        taken at once."""
        step = mmap.ALLOCATIONGRANULARITY
        start = self._file.seek(-(-self._file.tell() // step) * step)
        reserve(self._file.fileno(), start + PART_BYTES)
        self._parts.append((start, types))
        return ipc.new_stream(self._file, narrow)
