"""Old caches: which there are, and how they are removed. Imports neither polars nor numpy."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from automtl.data.cache import META_FILE

__all__ = ["CacheEntry", "cache_entries", "remove_cache"]

OURS = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """One cache: its size in bytes, when it was made (seconds since 1970), its rows (None: it is
    damaged)."""

    directory: Path
    num_bytes: int
    made_at: float
    num_rows: int | None


def cache_entries(root: Path) -> list[CacheEntry]:
    """The caches in `root`, the oldest first; what else lies there is none of ours."""
    found = root.iterdir() if root.is_dir() else ()
    entries = [_entry(path) for path in found if OURS.fullmatch(path.name) and path.is_dir()]
    return sorted(entries, key=lambda entry: entry.made_at)


def remove_cache(entry: CacheEntry) -> None:
    """Removes it at once for whoever opens it next; who has it open keeps the rows."""
    aside = entry.directory.with_name(f".{entry.directory.name[:16]}.{uuid.uuid4().hex[:8]}")
    with contextlib.suppress(FileNotFoundError):  # another process removed it
        entry.directory.rename(aside)
        shutil.rmtree(aside)


def _entry(directory: Path) -> CacheEntry:
    num_rows = None
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        meta = json.loads((directory / META_FILE).read_text(encoding="utf-8"))
        num_rows = sum(meta["num_rows"].values())
    files = [file for file in directory.rglob("*") if file.is_file()]
    return CacheEntry(
        directory=directory,
        num_bytes=sum(file.stat().st_size for file in files),
        made_at=directory.stat().st_mtime,
        num_rows=num_rows,
    )
