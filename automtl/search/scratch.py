"""Scratch that nobody leaves behind: a directory for as long as its process lives."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

__all__ = ["scratch_directory", "scratch_root"]

PREFIX = "automtl-"
LOCK = "automtl.lock"  # only a directory with this file in it is one of ours
LONGEST_ROOT = 30  # a socket's path has 107 bytes at most, and Ray adds about 70


@contextmanager
def scratch_directory(root: Path | None = None) -> Iterator[Path]:
    """A new directory, locked by this process and gone at the end.

    What a killed process left is removed first: the kernel has taken its lock. `root` is by
    default the system's directory for temporary files, if a socket's path can begin with it.
    """
    root = scratch_root() if root is None else root
    _sweep(root)
    path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
    with ExitStack() as files:  # the lock is held until all is removed, or a sweep would join in
        try:
            lock = files.enter_context((path / f"{LOCK}.new").open("wb"))
            fcntl.flock(lock, fcntl.LOCK_EX)
            (path / f"{LOCK}.new").rename(path / LOCK)  # now a sweep may look at it
            yield path
        finally:
            with suppress(OSError):  # the next sweep removes it; what ended the block is told
                _remove(path / LOCK)


def scratch_root() -> Path:
    """Where scratch is, unless it is said otherwise."""
    root = Path(tempfile.gettempdir())
    return root if len(str(root)) < LONGEST_ROOT else Path("/tmp")


def _sweep(root: Path) -> None:
    for lock in root.glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError), lock.open("rb") as file:  # another user's, or just gone
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError while it is used
            _remove(lock)


def _remove(lock: Path) -> None:
    """All of the directory that `lock` is in; the lock last, as Ray's processes outlive a search
    for seconds, and what they still write is for the next sweep."""
    for path in lock.parent.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path != lock:
            path.unlink(missing_ok=True)
    if {*lock.parent.iterdir()} <= {lock}:
        shutil.rmtree(lock.parent, ignore_errors=True)
