"""Encoded rows on a machine that does not see the cache: copied once into a cache of its own.

What brings the pieces of the files is given; that the copy is whole, and made once however many
processes ask for it, is seen to here.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from automtl.data.cache import OURS_ASIDE, load_cached
from automtl.data.only_one import only_one
from automtl.data.paths import cache_root
from automtl.errors import DataError

__all__ = ["PIECE_BYTES", "Origin", "at_hand", "list_files", "read_piece"]

PIECE_BYTES = 16 << 20  # of a file, on its way: what is held in memory of it


class Origin(Protocol):
    """The machine that has the files; OSError where it does not give them."""

    def list_files(self, directory: Path) -> Mapping[str, int]: ...

    def read_piece(self, path: Path, offset: int, num_bytes: int) -> bytes: ...


def list_files(directory: Path) -> dict[str, int]:
    """Every file below `directory` by its path in there, with its bytes."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.stat().st_size for path in files}


def read_piece(path: Path, offset: int, num_bytes: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(num_bytes)


def at_hand(
    directory: Path, fingerprint: str, origin: Origin, *, on_wait: Callable[[], None]
) -> Path:
    """Where this machine has the rows of `fingerprint` that `origin` has in `directory`.

    That is `directory` itself if this machine sees it, else a copy under its own `cache_root()`,
    made now unless there is one. Of several processes one copies and the others wait; meanwhile
    `on_wait` is called again and again. Raises DataError where no copy can be made.
    """
    copy = cache_root() / directory.name
    for place in (directory, copy):
        if _holds(place, fingerprint):
            return place
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        with only_one(copy.parent / f".{copy.name[:16]}.lock", waiting=on_wait):
            if not _holds(copy, fingerprint):  # nobody has made it while we waited
                _copy(directory, copy, origin, on_wait)
    except OSError as error:
        reason = f"{error.filename or copy.parent}: {error.strerror or error}"
        raise DataError(
            f"{directory} is not there, and no copy can be made in {copy.parent} ({reason})"
        ) from error
    if not _holds(copy, fingerprint):
        raise DataError(f"{directory} is not there, and its copy {copy} does not hold its rows")
    return copy


def _holds(directory: Path, fingerprint: str) -> bool:
    try:
        return load_cached(directory).fingerprint == fingerprint
    except DataError:
        return False


def _copy(directory: Path, copy: Path, origin: Origin, on_wait: Callable[[], None]) -> None:
    """Writes the copy aside and renames it; leaves nothing else, and removes what the dead left."""
    for path in copy.parent.glob(f".{copy.name[:16]}.*"):
        if OURS_ASIDE.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)
    aside = copy.with_name(f".{copy.name[:16]}.{uuid.uuid4().hex[:8]}")
    try:
        for name, num_bytes in origin.list_files(directory).items():
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            with (aside / name).open("wb") as file:
                while (offset := file.tell()) < num_bytes:
                    on_wait()
                    wanted = min(PIECE_BYTES, num_bytes - offset)
                    piece = origin.read_piece(directory / name, offset, wanted)
                    if len(piece) != wanted:
                        raise OSError(f"{directory / name} has changed while it was copied")
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
        if copy.exists():  # damaged, or of other rows
            shutil.rmtree(copy)
        aside.rename(copy)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
