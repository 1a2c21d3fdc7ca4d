"""What a disk that fails the search itself means, in words."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from automtl.errors import RunError

__all__ = ["DiskFailureError", "disk_failure", "disk_failures_explained"]

DISK_FAILURES = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EIO: "the disk cannot be read or written",
    errno.EROFS: "the disk has become read-only",
}


class DiskFailureError(OSError):
    """What a trial's worker raises where the run's directory takes no more files: that ends the
    search, as every trial after it would meet it, too."""


def disk_failure(error: Exception, path: Path | str) -> DiskFailureError | None:
    """What to raise for an `error` met in writing `path`; None where it is no failure of a disk.

    One that is told already names its own place. Libraries that are not written in Python tell the
    number of such an error in words.
    """
    if isinstance(error, DiskFailureError):
        return error
    told = re.search(r"\(os error (\d+)\)", str(error))
    number = error.errno if isinstance(error, OSError) else int(told[1]) if told else None
    if number not in DISK_FAILURES:
        return None
    return DiskFailureError(number, os.strerror(number), str(path))


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
