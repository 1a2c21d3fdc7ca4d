"""Files that are there whole or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["written_whole"]


@contextmanager
def written_whole(path: Path, *, aside: Path | None = None) -> Iterator[Path]:
    """Gives a path beside `path` (or `aside`) to write to, and moves that file to `path` at the
    end.

    Until then an older file at `path` stays as it is; if writing fails nothing is left behind.
    """
    aside = aside or path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        yield aside
        aside.replace(path)
    finally:
        with suppress(OSError):  # on a disk that nothing can be written to: why not is said already
            aside.unlink(missing_ok=True)
