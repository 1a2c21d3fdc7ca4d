"""`automtl data prepare`: from a set's published files to its Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from automtl.data.sets.lines import BLOCK_BYTES, Report
from automtl.data.sets.raw import RawFile, find_files
from automtl.data.sets.registry import public_set

__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A Parquet file that was written; `notes` say what its reader should know of the rows."""

    path: Path
    num_rows: Mapping[str, int]  # by split
    notes: tuple[str, ...] = ()


class Reader(Protocol):
    """What a module of a set offers."""

    def prepare(
        self,
        name: str,
        files: Mapping[str, RawFile],
        out: Path,
        report: Report,
        *,
        block_bytes: int,
    ) -> Iterator[Prepared]: ...


def prepare(
    name: str,
    raw_dir: Path,
    out: Path,
    report: Report = lambda name, share, num_rows: None,
    *,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[Prepared]:
    """Reads the files of the set `name` under `raw_dir`; writes its Parquet files into `out`.

    What is read at a time is `block_bytes` long; the rows do not depend on it. Raises DataError
    for an unknown set, a missing file or a bad line, RunError for a file that exists already or
    cannot be written.
    """
    which = public_set(name)
    files = find_files(raw_dir, which)
    reader = cast("Reader", import_module(which.module))
    return reader.prepare(name, files, out, report, block_bytes=block_bytes)
