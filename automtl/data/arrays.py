"""An array on disk that is written part by part, never as a whole in memory.

Rows are written, not mapped: mapped pages that are written count as memory of the process. They
are written in whole blocks of BLOCK bytes at multiples of it: where the file system keeps those as
large pages in memory (as ext4 does since Linux 6.16), a row that is read from a map of the file
costs no more than one in memory of the process.
"""

from __future__ import annotations

import errno
import io
import math
import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

__all__ = ["ArrayWriter", "Section", "reserve"]

BLOCK = 2 << 20  # a large page
SYNC_BYTES = 64 << 20  # of a file that the disk is told to write at once
MOST_PARTS = 512  # that one call writes: IOV_MAX is 1024
CANNOT_RESERVE = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)


class ArrayWriter:
    """The file `path` as `np.load` reads it, row-major; its place on the disk is taken at once.

    It is whole, and on the disk, when the writer is left without an error. OSError where there is
    not enough space.
    """

    def __init__(self, path: Path, dtype: str, shape: tuple[int, ...]) -> None:
        self._shape, self._dtype = shape, np.dtype(dtype)
        self._row_bytes = self._dtype.itemsize * math.prod(shape[1:])
        header = io.BytesIO()
        described = {"descr": self._dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, described)
        self._start = len(header.getvalue())
        self._sections: list[Section] = []
        self._file = _File(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
        try:
            os.pwrite(self._file.number, header.getbuffer(), 0)
            reserve(self._file.number, self._start + shape[0] * self._row_bytes)
        except OSError:
            self._file.close()
            raise

    def section(self, row: int) -> Section:
        """Takes rows from row `row` on; sections must not overlap."""
        start = self._start + row * self._row_bytes
        self._sections.append(Section(self._file, self._dtype, self._shape[1:], start))
        return self._sections[-1]

    def begin_to_finish(self) -> None:
        """Says that all rows are there: the disk is told to write the rest, which leaving waits
        for."""
        for section in self._sections:
            section.flush()
        self._file.begin_to_finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        failed: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        try:
            if failed is None:
                for section in self._sections:
                    section.flush()
                self._file.finish()
        finally:
            self._file.close()


class _File:
    """An open file. The disk is told to write what is in it while more is made, so that there is
    little to wait for at the end."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="syncing")
        self._job: Future[None] | None = None
        self._num_waiting = 0

    def write(self, parts: Sequence[memoryview], at: int) -> int:
        """Writes from byte `at` on; how many bytes it wrote, which may be fewer."""
        num_written = os.pwritev(self.number, parts, at)
        self._num_waiting += num_written
        if self._num_waiting >= SYNC_BYTES and (self._job is None or self._job.done()):
            if self._job is not None:
                self._job.result()
            self._job = self._thread.submit(os.fdatasync, self.number)
            self._num_waiting = 0
        return num_written

    def begin_to_finish(self) -> None:
        """Tells the disk to write the rest."""
        self._job = self._thread.submit(self._sync, self._job)

    def finish(self) -> None:
        """Waits until all is on the disk. OSError where something could not be written, at any
        time: the system says it once."""
        self._sync(self._job)

    def close(self) -> None:
        self._thread.shutdown(wait=True)
        os.close(self.number)

    def _sync(self, before: Future[None] | None) -> None:
        if before is not None:
            before.result()
        os.fsync(self.number)


class Section:
    """Rows behind each other in the file. They are kept until they fill a block, so they must not
    be written to any more."""

    def __init__(
        self, file: _File, dtype: np.dtype[Any], row_shape: tuple[int, ...], start: int
    ) -> None:
        self._file, self._dtype, self._row_shape = file, dtype, row_shape
        self._written = self._end = start
        self._waiting: deque[memoryview] = deque()

    def write(self, rows: npt.NDArray[Any]) -> None:
        """Puts `rows` behind those before them."""
        assert rows.shape[1:] == self._row_shape
        if not rows.size:
            return
        values = np.ascontiguousarray(rows, dtype=self._dtype)
        self._waiting.append(values.reshape(-1).view(np.uint8).data)
        self._end += values.nbytes
        self._write_until(self._end // BLOCK * BLOCK)

    def flush(self) -> None:
        """Writes what waits for a block to be full."""
        self._write_until(self._end)

    def _write_until(self, end: int) -> None:
        while self._written < end:
            num_written = self._file.write(self._next(end - self._written), self._written)
            self._written += num_written
            while num_written:
                part = self._waiting.popleft()
                if num_written < len(part):
                    self._waiting.appendleft(part[num_written:])
                num_written -= min(num_written, len(part))

    def _next(self, num_bytes: int) -> list[memoryview]:
        """The first parts of what waits, `num_bytes` at most."""
        parts: list[memoryview] = []
        for part in self._waiting:
            if not num_bytes or len(parts) == MOST_PARTS:
                break
            parts.append(part[:num_bytes])
            num_bytes -= len(parts[-1])
        return parts


def reserve(file: int, size: int) -> None:
    """Makes an open file `size` bytes long, with place for them on the disk as far as the file
    system can; OSError where there is not enough."""
    try:
        os.posix_fallocate(file, 0, size)
    except OSError as error:
        if error.errno not in CANNOT_RESERVE:
            raise
        os.ftruncate(file, size)
