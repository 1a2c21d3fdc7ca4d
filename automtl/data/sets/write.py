"""Parquet, written piece by piece, there whole or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from automtl.data.sets.prepare import Prepared
from automtl.errors import RunError
from automtl.files import written_whole

__all__ = ["write_rows", "written_parquet"]

ROWS_A_GROUP = 1 << 18


def write_rows(
    path: Path,
    schema: pl.Schema,
    parts: Iterable[pl.DataFrame],
    *,
    odd: Mapping[str, int] | None = None,
) -> Prepared:
    """Writes all `parts`, rows of `schema` with their `split`, as `written_parquet` does.

    `odd` says at the end how many rows there are of whatever its reader should know.
    """
    counts: Counter[str] = Counter()
    with written_parquet(path, schema) as add:
        for rows in parts:
            counts.update(rows["split"].to_list())
            add(rows)
    notes = tuple(f"{number:,} {what}" for what, number in sorted((odd or {}).items()))
    return Prepared(path=path, num_rows=counts, notes=notes)


@contextmanager
def written_parquet(
    path: Path, schema: pl.Schema, *, rows_a_group: int = ROWS_A_GROUP
) -> Iterator[Callable[[pl.DataFrame], None]]:
    """Gives a function that adds rows of `schema` to the file; `path` exists when all were added.

    Rows wait in memory until a row group is full. Raises RunError if `path` exists already or
    cannot be written (no space left); then nothing stays.
    """
    if path.exists():
        raise RunError(
            f"{path}: exists already and is not overwritten; remove it, or write elsewhere with"
            " --out DIR"
        )
    waiting: list[pl.DataFrame] = []

    def flush(writer: pq.ParquetWriter) -> None:
        with _written(path):
            writer.write_table(pl.concat(waiting).to_arrow())
        waiting.clear()

    with _written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as aside:
        with _written(path):
            arrow = pl.DataFrame(schema=schema).to_arrow().schema
            writer = pq.ParquetWriter(aside, arrow, compression="zstd")
        try:

            def add(rows: pl.DataFrame) -> None:
                waiting.append(rows)
                if sum(map(len, waiting)) >= rows_a_group:
                    flush(writer)

            yield add
            if waiting:
                flush(writer)
        except BaseException:
            # closing fails again on a full disk; what ended the block is what is told
            with suppress(OSError, pa.ArrowException):
                writer.close()
            raise
        with _written(path):
            writer.close()


@contextmanager
def _written(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise RunError(
            f"{path}: cannot be written ({reason}); make room, or write elsewhere with --out DIR"
        ) from error
