"""The files of a set as they are published: loose, gzipped, or inside a zip or tar archive.

Nothing is unpacked to disk: a member of an archive is read as a stream.
"""

from __future__ import annotations

import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from automtl.data.sets.registry import SETS, PublicSet
from automtl.errors import DataError

__all__ = ["RawFile", "Stream", "find_files"]

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")
# what a damaged or foreign archive raises when it is opened or read
DAMAGED = (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawFile:
    """A published file: `path` is loose, or the archive that holds it as `member`."""

    name: str
    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.path}:{self.member}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """The uncompressed bytes, and the share of what lies on disk that was read so far (0 to 1)."""

    read: Callable[[int], bytes]
    share: Callable[[], float]

    @staticmethod
    @contextmanager
    def open(raw: RawFile) -> Iterator[Stream]:
        """Raises DataError, when opening and when reading, for what cannot be read."""
        with ExitStack() as stack:
            with _readable(raw):
                disk = stack.enter_context(raw.path.open("rb"))
                size = max(1, raw.path.stat().st_size)
                inner = disk if raw.member is None else _member(raw, disk, stack)
                if (raw.member or raw.path.name).endswith(".gz"):
                    unzipped = stack.enter_context(gzip.open(inner))
                    inner = cast("IO[bytes]", unzipped)

            def read(num_bytes: int) -> bytes:
                with _readable(raw):
                    return inner.read(num_bytes)

            yield Stream(read=read, share=lambda: min(1.0, disk.tell() / size))


def find_files(raw_dir: Path, which: PublicSet) -> dict[str, RawFile]:
    """The files of the set, by their published names, under a folder or in an archive.

    Loose files first, then zip archives, then tar archives, which have no table of contents and
    are read up to the last file that is missing. Raises DataError if there is no such folder, if a
    needed file is missing (what is expected and where it comes from), or if one is there twice.
    """
    if not raw_dir.exists():
        raise DataError(f"{raw_dir}: no such folder; {_expected(which)}")
    wanted = [*which.files, *which.optional]
    found: dict[str, RawFile] = {}
    files = [raw_dir] if raw_dir.is_file() else sorted(p for p in raw_dir.rglob("*") if p.is_file())
    for path in files:
        _note(found, wanted, path.as_posix(), RawFile(name="", path=path), loose_in=raw_dir)
    for path in files:
        if len(found) < len(wanted) and path.name.lower().endswith((".zip", *TAR_SUFFIXES)):
            inside: dict[str, RawFile] = {}
            for member in _members(path):
                _note(inside, wanted, member, RawFile(name="", path=path, member=member))
                if inside.keys() | found.keys() >= set(wanted):
                    break
            found = inside | found
    if missing := [name for name in which.files if name not in found]:
        there = f"has no {', '.join(missing)} (also not as .gz, nor in a .zip or .tar.gz)"
        raise DataError(f"{raw_dir}: {there}; {_expected(which)}")
    return {name: found[name] for name in wanted if name in found}


def _expected(which: PublicSet) -> str:
    return (
        f"{which.name} is read from {', '.join(which.files)}; download {which.publisher}, and give"
        " the folder that you put it into"
    )


def _note(
    found: dict[str, RawFile],
    wanted: list[str],
    place: str,
    file: RawFile,
    *,
    loose_in: Path | None = None,
) -> None:
    """Puts `file` under the published name that its place ends with, if there is one."""
    for name in wanted:
        ends: tuple[str, ...] = (f"/{name}", f"/{name}.gz")
        # who has one country gives its own folder, whatever it is called
        own = loose_in is not None and file.path.parent == loose_in and "/" in name
        own = own and file.path.parent.resolve().name not in _folders()
        if own:
            last = name.rsplit("/")[-1]
            ends = (*ends, f"/{last}", f"/{last}.gz")
        if f"/{place}".endswith(ends):
            if name in found:
                raise DataError(
                    f"{name} is there twice: {found[name]} and {file}; keep one of them, or give"
                    " the folder of one"
                )
            found[name] = RawFile(name=name, path=file.path, member=file.member)


def _folders() -> set[str]:
    """The folders whose names say what is in them."""
    return {name.split("/")[0] for one in SETS.values() for name in one.files if "/" in name}


def _members(archive: Path) -> Iterator[str]:
    raw = RawFile(name=archive.name, path=archive)
    with _readable(raw):
        if archive.name.lower().endswith(".zip"):
            with zipfile.ZipFile(archive) as opened:
                yield from opened.namelist()
        else:
            with tarfile.open(archive, mode="r|*") as opened:
                yield from (member.name for member in opened if member.isfile())


def _member(raw: RawFile, disk: IO[bytes], stack: ExitStack) -> IO[bytes]:
    assert raw.member is not None
    if raw.path.name.lower().endswith(".zip"):
        return stack.enter_context(stack.enter_context(zipfile.ZipFile(disk)).open(raw.member))
    archive = tarfile.open(fileobj=disk, mode="r|*")  # noqa: SIM115, the stack closes it
    stack.callback(archive.close)
    for member in archive:
        if member.name == raw.member and (content := archive.extractfile(member)) is not None:
            return stack.enter_context(content)
    raise tarfile.ReadError(f"{raw.member} has gone")


@contextmanager
def _readable(raw: RawFile) -> Iterator[None]:
    try:
        yield
    except DAMAGED as error:
        raise DataError(
            f"{raw}: cannot be read, it may be cut short or damaged ({error}); download it again"
        ) from error
