"""What a disk that fails the search itself means, in words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from automtl.errors import RunError

__all__ = ["disk_failures_explained"]

DISK_FAILURES = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EIO: "the disk cannot be read or written",
    errno.EROFS: "the disk has become read-only",
}


@contextmanager
def disk_failures_explained(run_dir: Path, *, go_on: str) -> Iterator[None]:
    """Raises RunError for such an OSError, with how to `go_on`; what was written can be read."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FAILURES:
            raise
        raise RunError(
            f"{error.filename or run_dir}: {DISK_FAILURES[error.errno]} "
            f"({error.strerror}), so the search has ended; make room, and {go_on}"
        ) from error
