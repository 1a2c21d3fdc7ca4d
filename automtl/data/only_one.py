"""One process at a time, across processes that share a file system."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["only_one"]

WAIT_S = 0.2
CANNOT_LOCK = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


@contextmanager
def only_one(lock: Path, *, waiting: Callable[[], None]) -> Iterator[bool]:
    """Holds the file `lock`, made for it and removed afterwards; the kernel takes it from the dead.

    While another process has it `waiting` is called again and again. Where a file system has no
    locks nobody waits, and what is given is False.
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
            while not _takes(file):
                waiting()
                time.sleep(WAIT_S)
        except BaseException as error:
            if isinstance(error, OSError) and error.errno in CANNOT_LOCK:
                return file, False
            os.close(file)
            raise
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), lock.stat()):
                return file, True
        os.close(file)  # who had it removed the file that was locked here: take the new one


def _takes(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
