"""Write a first spec where there is none: over a data file, or over generated rows."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from automtl.config import TaskSchema
from automtl.data.files import is_url
from automtl.errors import RunError, UserError
from automtl.files import written_whole
from automtl.spec.column_info import is_event
from automtl.spec.data_scalars import UTF8, check_encoding
from automtl.spec.guess import Guess, guess, without
from automtl.spec.guess_labels import label_of
from automtl.spec.template import TEMPLATES, init_spec, template

if TYPE_CHECKING:
    import polars as pl

__all__ = ["has_header", "write_spec"]

VALUE = re.compile(r"|[+-]?\d[\d.]*(e[+-]?\d+)?|[0-9a-f]{6,}|.*_duplicated_\d+", re.IGNORECASE)
MANY_VALUES = 0.9  # of the names
MAX_STEPS_UP = 2  # a data file further away is named by its absolute path


def write_spec(
    path: Path, *, data: str | Path | None, named: str | None, encoding: str = UTF8
) -> bool:
    """Writes to `path` a spec over the columns of `data`, a file or a URL whose text is in
    `encoding`, or the template `named`; whether it has tasks, so that it runs as it stands.

    Raises DataError if the file cannot be read, UserError if its columns make no spec or there is
    no such template, RunError if `path` exists or cannot be written. Nothing half-written stays.
    """
    if data is not None and named is not None:
        raise UserError("--data and --template: a spec comes from one of them; give one")
    check_encoding(encoding)
    if path.exists():
        raise RunError(f"{path}: exists already, and a spec is never overwritten; choose another")
    content, has_tasks = (
        (template(named or TEMPLATES[0]), True) if data is None else _over(data, path, encoding)
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as aside:
            aside.write_text(content, encoding="utf-8")
    except OSError as error:
        raise RunError(
            f"{path}: cannot be written ({error.strerror}); choose another path"
        ) from error
    return has_tasks


def _over(data: str | Path, path: Path, encoding: str) -> tuple[str, bool]:
    """The text of the spec, and whether a task was found."""
    # polars: only who reads a file pays for it
    import polars as pl

    from automtl.data.preview import preview
    from automtl.data.read import describe_columns, missing_texts

    rows = preview(data, encoding=encoding)
    if rows.is_text and not has_header(rows.frame.columns):
        raise UserError(
            f"{data}: its first line holds values, not names ({', '.join(rows.frame.columns[:4])},"
            " ...); write a line of names above it"
        )
    if not rows.frame.height:
        raise UserError(f"{data}: has no rows, and what columns are is guessed from their values")
    missing = missing_texts(rows.frame) if rows.is_text else {}
    frame = rows.frame
    if missing:
        frame = frame.with_columns(pl.col(pl.String).replace(dict.fromkeys(missing)))
    columns = describe_columns(frame, is_text=rows.is_text)
    labels = {one.name: text for one in columns if is_event(one) and (text := label_of(one))}
    found = guess(columns, _together(frame, labels))
    found = without(found, _leaks(frame, found))
    name = PurePosixPath(data).name.split(".")[0]
    content = init_spec(
        found, _place(data, path), name, seen=rows.seen, encoding=encoding, missing=missing
    )
    return content, bool(found.tasks)


def _place(data: str | Path, path: Path) -> str:
    """How the spec names the data: relative to itself where they are near each other."""
    if isinstance(data, str) and is_url(data):
        return data
    absolute = Path(data).absolute()
    relative = Path(os.path.relpath(absolute, path.absolute().parent))
    return (absolute if relative.parts.count("..") > MAX_STEPS_UP else relative).as_posix()


def has_header(names: Sequence[str]) -> bool:
    """Whether the names of a text file are names: numbers, hashes and repetitions are values."""
    values = [name for name in names if VALUE.fullmatch(name)]
    words = [name for name in names if name not in values and re.search(r"[A-Za-z]", name)]
    return bool(words) and len(values) <= MANY_VALUES * len(names)


def _together(frame: pl.DataFrame, labels: Mapping[str, str]) -> dict[tuple[str, str], int]:
    """In how many rows the `labels` of two columns are both 1; of a column with itself: in how
    many it is."""
    import numpy as np

    from automtl.data.batch import Batch
    from automtl.data.evaluate import label_values
    from automtl.doctor.raw_leaks import numbers

    rows = Batch(frame)
    is_one = {
        name: np.flatnonzero(numbers(label_values(rows, label)) == 1)
        for name, label in labels.items()
    }
    return {
        (left, right): len(np.intersect1d(is_one[left], is_one[right], assume_unique=True))
        for left in labels
        for right in labels
    }


def _leaks(frame: pl.DataFrame, found: Guess) -> dict[str, str]:
    from automtl.doctor.raw_leaks import raw_leaks

    tasks = {
        task.label: TaskSchema(name=task.name, kind="binary" if task.is_binary else "regression")
        for task in found.tasks
    }
    return raw_leaks(frame, tasks, categorical=found.categorical, numeric=found.numeric)
