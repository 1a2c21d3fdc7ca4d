"""What files hold, wherever they lie: hashed in a thread of its own while others read them, too."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager

from automtl.data.files import Place, open_bytes, size_of

__all__ = ["Hashes", "hashing"]

BLOCK = 1 << 20  # bytes, which are hashed without the interpreter's lock
LOOK_S = 0.2  # between two reports


class Hashes:
    """Those of some files, as they come."""

    def __init__(self, files: Sequence[Place], thread: ThreadPoolExecutor) -> None:
        self._files, self._num_done, self._is_wanted = files, 0, True
        self._jobs = [thread.submit(self._hash, file) for file in files]

    def result(self, report: Callable[[float], None]) -> list[str]:
        """Of each file in their order; meanwhile `report` is told which share of the bytes is done.
        Raises DataError where a file cannot be read."""
        num_bytes = max(1, sum(size_of(file) for file in self._files))
        while wait(self._jobs, LOOK_S).not_done:
            report(min(1.0, self._num_done / num_bytes))
        report(1.0)
        return [job.result() for job in self._jobs]

    def give_up(self) -> None:
        """What is not done yet will not be."""
        self._is_wanted = False
        for job in self._jobs:
            job.cancel()

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
