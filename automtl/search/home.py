"""The machine of the search, as a worker sees it: where rows come from and results are kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Protocol

from automtl.files import written_whole

__all__ = ["HERE", "Here", "Home", "aside_of"]


class Home(Protocol):
    """Paths are those of the search's machine."""

    def rows(self, cache_dir: Path, fingerprint: str, *, on_wait: Callable[[], None]) -> Path:
        """Where the worker's machine has the encoded rows of `cache_dir`.

        If that takes a while `on_wait` is called again and again. Raises RunError where the rows
        cannot come to this machine: no trial can run on it.
        """

    def keeping(self, path: Path) -> AbstractContextManager[Path]:
        """Gives a path to write to; at the end that file is `path`, whole or not at all.

        Raises OSError where it cannot be written.
        """

    def note(self, path: Path, text: str) -> None:
        """Writes a line that nobody misses if it is lost."""

    def forget(self, path: Path) -> None:
        """Removes what `note` wrote, where that can be done."""


class Here:
    """The worker runs on the machine of the search."""

    def rows(self, cache_dir: Path, fingerprint: str, *, on_wait: Callable[[], None]) -> Path:
        return cache_dir

    def keeping(self, path: Path) -> AbstractContextManager[Path]:
        return written_whole(path, aside=aside_of(path))

    def note(self, path: Path, text: str) -> None:
        with suppress(OSError):  # on a full disk the file is emptied, which is a sign as well
            path.write_text(text, encoding="ascii")

    def forget(self, path: Path) -> None:
        with suppress(OSError):  # or it would hide what has ended the trial
            path.unlink(missing_ok=True)


HERE: Home = Here()


def aside_of(path: Path) -> Path:
    """Where a file is written before it is moved to `path`: not hidden, so that who drops the
    weights of a trial knows it."""
    return path.with_name(f"{path.name}.tmp")
