"""Where rows come from and where the cache goes: paths only, nothing is read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from automtl.errors import DataError

__all__ = ["cache_root", "data_files"]


def data_files(path: str | Path | Sequence[str | Path], *, base_dir: Path) -> tuple[Path, ...]:
    """The files that `path` names, absolute: a file, a glob, or a list of both.

    A glob's matches are sorted, a list keeps its order, a file named twice counts once. Relative
    paths start at `base_dir`. Raises DataError where a path names no file.
    """
    parts = [path] if isinstance(path, str | Path) else list(path)
    return tuple(dict.fromkeys(file for part in parts for file in _matches(part, base_dir)))


def _matches(path: str | Path, base_dir: Path) -> list[Path]:
    relative = Path(path).expanduser()
    absolute = Path(os.path.normpath(base_dir.absolute() / relative))
    if absolute.is_file():
        return [absolute]
    if absolute.is_dir():
        raise DataError(f"{path}: is a directory, not a file; write a glob: {path}/*.parquet")
    if any(character in str(path) for character in "*?["):
        # the base is no pattern, even where its own name has brackets
        root = Path(relative.anchor) if relative.is_absolute() else base_dir.absolute()
        pattern = str(relative.relative_to(relative.anchor))
        files = _glob(root, pattern)
        if files:
            return files
        raise DataError(f"{path}: no file matches (looked for {absolute})")
    raise DataError(f"{path}: no such file (looked for {absolute})")


def _glob(root: Path, pattern: str) -> list[Path]:
    """Matching files, sorted; hidden ones (what another program is still writing) are left out."""
    try:
        found = [file for file in root.glob(pattern) if file.is_file()]
    except ValueError as error:
        raise DataError(f"{pattern}: is no glob: {error}") from error
    return sorted(Path(os.path.normpath(file)) for file in found if file.name[0] != ".")


def cache_root() -> Path:
    """`$AUTOMTL_CACHE`, else `$XDG_CACHE_HOME/automtl`, else `~/.cache/automtl`."""
    if own := os.environ.get("AUTOMTL_CACHE"):
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).expanduser().absolute() / "automtl"
