"""Where rows come from and where the cache goes: places only, nothing is read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from automtl.data.files import Place, is_url, remote_files
from automtl.errors import DataError

__all__ = ["KNOWN_SUFFIXES", "cache_root", "data_files", "is_data_name"]

KNOWN_SUFFIXES = (".parquet", ".pq", ".csv", ".tsv", ".csv.gz", ".tsv.gz", ".csv.zst", ".tsv.zst")
HIDDEN = (".", "_")  # what another program is still writing, or says about the others


def is_data_name(name: str) -> bool:
    """Whether a file of a directory holds rows, by its name."""
    return name.lower().endswith(KNOWN_SUFFIXES) and not name.startswith(HIDDEN)


def data_files(path: str | Path | Sequence[str | Path], *, base_dir: Path) -> tuple[Place, ...]:
    """The files that `path` names, absolute: a file, a glob, a directory, a URL, or a list of them.

    Of a directory all data files, at any depth. Its files and those of a glob are sorted, a list
    keeps its order, a file named twice counts once. Relative paths start at `base_dir`. Raises
    DataError where a path names no file, or may not be looked at.
    """
    parts = [path] if isinstance(path, str | Path) else list(path)
    return tuple(dict.fromkeys(file for part in parts for file in _looked_at(part, base_dir)))


def _looked_at(path: str | Path, base_dir: Path) -> Sequence[Place]:
    try:
        return _matches(path, base_dir)
    except OSError as error:  # a directory on the way without rights, a name that is too long
        raise DataError(
            f"{path}: cannot be looked at ({error.strerror}); check the path and its permissions"
        ) from error


def _matches(path: str | Path, base_dir: Path) -> Sequence[Place]:
    if isinstance(path, str) and is_url(path):
        return remote_files(path, is_data_name)
    relative = Path(path).expanduser()
    absolute = Path(os.path.normpath(base_dir.absolute() / relative))
    if absolute.is_file():
        return [absolute]
    if absolute.is_dir():
        found = [file for file in absolute.rglob("*") if _is_data(file, absolute)]
        if found:
            return sorted(found)
        kinds = ", ".join(KNOWN_SUFFIXES[:4])
        raise DataError(f"{path}: the directory holds no data file ({kinds}, ...); check the path")
    if any(character in str(path) for character in "*?["):
        # the base is no pattern, even where its own name has brackets
        root = Path(relative.anchor) if relative.is_absolute() else base_dir.absolute()
        pattern = str(relative.relative_to(relative.anchor))
        files = _glob(root, pattern)
        if files:
            return files
        raise DataError(f"{path}: no file matches (looked for {absolute})")
    raise DataError(f"{path}: no such file (looked for {absolute})")


def _is_data(file: Path, root: Path) -> bool:
    hidden = any(part.startswith(HIDDEN) for part in file.relative_to(root).parts)
    return is_data_name(file.name) and not hidden and file.is_file()


def _glob(root: Path, pattern: str) -> list[Path]:
    """Matching files, sorted; hidden ones (what another program is still writing) are left out."""
    try:
        found = [file for file in root.glob(pattern) if file.is_file()]
    except ValueError as error:
        raise DataError(f"{pattern}: is no glob: {error}") from error
    return sorted(Path(os.path.normpath(file)) for file in found if file.name[0] != ".")


def cache_root(stated: Path | None = None) -> Path:
    """What a spec has stated, else `$AUTOMTL_CACHE`, else `$XDG_CACHE_HOME/automtl`, else
    `~/.cache/automtl`."""
    if stated is not None:
        return stated
    if own := os.environ.get("AUTOMTL_CACHE"):
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).expanduser().absolute() / "automtl"
