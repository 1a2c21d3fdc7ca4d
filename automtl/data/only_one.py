"""One process at a time, across processes that share a file system."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["only_one"]

CANNOT_LOCK = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


@contextmanager
def only_one(lock: Path, *, waiting: Callable[[], None]) -> Iterator[bool]:
    """Holds the file `lock`, made for it and removed afterwards; the kernel takes it from the dead.

    `waiting` is called if another process has it. Where a file system has no locks nobody waits,
    and what is given is False.
    """
    file, is_alone = _locked(lock, waiting)
    try:
        yield is_alone
    finally:
        with contextlib.suppress(OSError):
            lock.unlink(missing_ok=True)
        os.close(file)


def _locked(lock: Path, waiting: Callable[[], None]) -> tuple[int, bool]:
    while True:
        file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in CANNOT_LOCK:
                os.close(file)
                raise
            return file, False
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), lock.stat()):
                return file, True
        os.close(file)  # who had it removed the file that was locked here: take the new one
