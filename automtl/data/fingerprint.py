"""What files hold, wherever they lie: those of this machine are hashed while others read them, too.

What lies at a URL waits until the others have read it: a file system of fsspec may give two who
open a file one place in it (`memory://` does).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from automtl.data.files import Place, open_bytes, size_of

__all__ = ["Hashes", "hashing"]

BLOCK = 1 << 20  # bytes, which are hashed without the interpreter's lock
LOOK_S = 0.2  # between two reports


class Hashes:
    """Those of some files, as they come."""

    def __init__(self, files: Sequence[Place], thread: ThreadPoolExecutor) -> None:
        self._files, self._thread = files, thread
        self._num_done, self._is_wanted = 0, True
        self._jobs: dict[Place, Future[str]] = {}
        self._start(file for file in files if isinstance(file, Path))

    def result(self, report: Callable[[float], None]) -> list[str]:
        """Of each file in their order, when nobody reads them any more; meanwhile `report` is told
        which share of the bytes is done. Raises DataError where a file cannot be read."""
        self._start(self._files)
        num_bytes = max(1, sum(size_of(file) for file in self._files))
        while wait(self._jobs.values(), LOOK_S).not_done:
            report(min(1.0, self._num_done / num_bytes))
        report(1.0)
        return [self._jobs[file].result() for file in self._files]

    def give_up(self) -> None:
        """What is not done yet will not be."""
        self._is_wanted = False
        for job in self._jobs.values():
            job.cancel()

    def _start(self, files: Iterable[Place]) -> None:
        for file in files:
            if file not in self._jobs:
                self._jobs[file] = self._thread.submit(self._hash, file)

    def _hash(self, file: Place) -> str:
        digest = hashlib.sha256()  # which processors of today have instructions for
        with open_bytes(file) as stream:
            while self._is_wanted and (block := stream.read(BLOCK)):
                digest.update(block)
                self._num_done += len(block)
        return digest.hexdigest()


@contextmanager
def hashing(files: Sequence[Place]) -> Iterator[Hashes]:
    """Hashes the files until the block ends."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="hashing") as thread:
        hashes = Hashes(files, thread)
        try:
            yield hashes
        finally:
            hashes.give_up()
