"""An array on disk that is written part by part, never as a whole in memory.

Rows are written, not mapped: mapped pages that are written count as memory of the process.
"""

from __future__ import annotations

import errno
import io
import math
import os
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

__all__ = ["ArrayWriter"]

PART = 1 << 18  # bytes written at once: in large parts the system takes three times as long
CANNOT_RESERVE = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)


class ArrayWriter:
    """The file `path` as `np.load` reads it, row-major; its place on the disk is taken at once.

    OSError where there is not enough of it.
    """

    def __init__(self, path: Path, dtype: str, shape: tuple[int, ...]) -> None:
        self._shape, self._dtype = shape, np.dtype(dtype)
        self._row_bytes = self._dtype.itemsize * math.prod(shape[1:])
        header = io.BytesIO()
        described = {"descr": self._dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, described)
        self._start = len(header.getvalue())
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            _write_all(self._file, header.getbuffer(), 0)
            _reserve(self._file, self._start + shape[0] * self._row_bytes)
        except OSError:
            os.close(self._file)
            raise

    def write(self, row: int, rows: npt.NDArray[Any]) -> None:
        """Writes `rows` from row `row` on."""
        assert rows.shape[1:] == self._shape[1:]
        assert row + len(rows) <= self._shape[0]
        if rows.size:
            values = np.ascontiguousarray(rows, dtype=self._dtype)
            _write_all(self._file, values.view(np.uint8).data, self._start + row * self._row_bytes)

    def close(self) -> None:
        """All that was written is on the disk when this returns."""
        try:
            os.fsync(self._file)
        finally:
            os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _write_all(file: int, content: memoryview, start: int) -> None:
    content = content.cast("B")
    while len(content):
        written = os.pwrite(file, content[:PART], start)
        content, start = content[written:], start + written


def _reserve(file: int, size: int) -> None:
    try:
        os.posix_fallocate(file, 0, size)
    except OSError as error:
        if error.errno not in CANNOT_RESERVE:
            raise
        os.ftruncate(file, size)
