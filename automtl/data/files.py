"""Files, wherever they lie: on a local disk, or at an fsspec URL (`s3://`, `gs://`, `memory://`).

A place is a Path, or a URL as text. fsspec is asked for URLs only.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from automtl.errors import DataError
from automtl.extras import require

__all__ = [
    "Place",
    "is_url",
    "open_bytes",
    "partition",
    "remote_files",
    "size_of",
    "stamp",
    "suffixes_of",
    "told",
]

Place: TypeAlias = Path | str


def is_url(path: str | Path) -> bool:
    """Whether this is a URL, not a path of this machine."""
    return isinstance(path, str) and "://" in path


def suffixes_of(place: Place) -> list[str]:
    """`.csv`, `.gz`: in lower case."""
    name = place.name if isinstance(place, Path) else PurePosixPath(place).name
    return [suffix.lower() for suffix in PurePosixPath(name).suffixes]


def partition(place: Place) -> dict[str, str]:
    """What the directories above a file say of all its rows: `day=2022-05-01/part-0.parquet`."""
    parts = place.parts if isinstance(place, Path) else PurePosixPath(place).parts
    named = [part.partition("=") for part in parts[:-1] if "=" in part]
    return {name: urllib.parse.unquote(value) for name, _, value in named if name}


def size_of(place: Place) -> int:
    """In bytes."""
    if isinstance(place, Path):
        with told(place):
            return place.stat().st_size
    size: int | None = _asked(place, lambda system, path: system.size(path))
    return size or 0


def stamp(place: Place) -> tuple[str, ...]:
    """What is the same as long as the file is: its place, size, and time or version."""
    if isinstance(place, Path):
        with told(place):
            stat = place.stat()
            return (str(place.resolve()), str(stat.st_size), str(stat.st_mtime_ns))
    info: dict[str, Any] = _asked(place, lambda system, path: system.info(path))
    version = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "created")
    return (place, str(info.get("size")), *(str(info[key]) for key in version if key in info))


@contextmanager
def open_bytes(place: Place) -> Iterator[Any]:
    """A file to read from, with `read`, `seek` and `tell`; raises DataError where there is none."""
    if isinstance(place, Path):
        with told(place):
            file: Any = place.open("rb")
    else:
        file = _asked(place, lambda system, path: system.open(path, "rb"))
    with file:
        yield file


@contextmanager
def told(place: Path) -> Iterator[None]:
    """Says of what fails within which file it was."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{place}: cannot be read ({reason}); is it still there?") from error


def remote_files(url: str, is_data: Callable[[str], bool]) -> list[str]:
    """The files that a URL names, sorted: one, those of a glob, those of a directory at any depth.

    Of a directory only what `is_data` says of its name. Raises DataError where there is none.
    """

    def found(system: Any, path: str) -> list[str]:
        if any(character in path for character in "*?["):
            paths = [one for one in system.glob(path) if system.isfile(one)]
        elif system.isdir(path):
            paths = [one for one in system.find(path) if is_data(PurePosixPath(one).name)]
        else:
            paths = [path] if system.exists(path) else []
        return sorted(str(system.unstrip_protocol(one)) for one in paths)

    files: list[str] = _asked(url, found)
    if files:
        return files
    raise DataError(f"{url}: no such file, and no file matches; check the address")


def _asked(url: str, question: Callable[[Any, str], Any]) -> Any:
    """The answer of the file system that the URL is of; DataError where it has none,
    MissingPackageError without the extra `remote`."""
    require("remote", needed_by=url)
    try:
        import fsspec

        return question(*fsspec.core.url_to_fs(url))
    except ImportError as error:
        raise DataError(f"{url}: cannot be opened here ({error}); install what it names") from error
    except Exception as error:  # each file system has errors of its own
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"{url}: cannot be opened ({reason}); check address and rights") from error
