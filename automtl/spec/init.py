"""Write a first spec where there is none: over a data file, or over generated rows."""

from __future__ import annotations

import os
from pathlib import Path

from automtl.errors import RunError, UserError
from automtl.files import written_whole
from automtl.spec.template import TEMPLATES, init_spec, template

__all__ = ["write_spec"]

MAX_STEPS_UP = 2  # a data file further away is named by its absolute path


def write_spec(path: Path, *, data: Path | None, named: str | None) -> None:
    """Writes to `path` a spec over the columns of `data`, or the template `named`.

    Raises DataError if the file cannot be read, UserError if its columns make no spec or there is
    no such template, RunError if `path` exists or cannot be written. Nothing half-written stays.
    """
    if data is not None and named is not None:
        raise UserError("--data and --template: a spec comes from one of them; give one")
    if path.exists():
        raise RunError(f"{path}: exists already, and a spec is never overwritten; choose another")
    content = template(named or TEMPLATES[0]) if data is None else _over(data, path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as aside:
            aside.write_text(content, encoding="utf-8")
    except OSError as error:
        raise RunError(
            f"{path}: cannot be written ({error.strerror}); choose another path"
        ) from error


def _over(data: Path, path: Path) -> str:
    from automtl.data.read import describe_columns  # polars: only who reads a file pays for it

    columns = describe_columns(data)
    relative = Path(os.path.relpath(data.absolute(), path.absolute().parent))
    place = data.absolute() if relative.parts.count("..") > MAX_STEPS_UP else relative
    return init_spec(columns, place.as_posix(), data.name.split(".")[0])
