"""From a spec to encoded rows on disk, in two passes over batches of rows.

The first pass gathers what the encoder follows from (`fit.py`), the second encodes each batch and
writes it where its rows belong: train, then valid, then test, each in the order of the source. The
second has the rows of files from a scratch file that the first leaves (`spool.py`). A split by
time, or at random over text files, is preceded by a pass over one column. What is held in memory is
some batches and what is gathered, whatever the number of rows.

Shapes: N rows of a batch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from automtl.config import TrainedOn
from automtl.data.ahead import ahead, mapped
from automtl.data.arrays import ArrayWriter
from automtl.data.arrow_memory import system_memory
from automtl.data.batch import Batch
from automtl.data.encode import Encoder
from automtl.data.fit import Gathered, fitted_columns, text_uses
from automtl.data.loops import compiled, compiled_loops
from automtl.data.source import FileSource, FrameSource, KeptSource, Source, frame_source
from automtl.data.split import (
    SPLITS,
    Splitter,
    check_split,
    make_splitter,
    needs_survey,
    rows_on,
    split_column,
)
from automtl.data.spool import Passes, spooled
from automtl.data.synthetic import generate
from automtl.data.times import TimeCounts
from automtl.data.where import Where
from automtl.errors import DataError

if TYPE_CHECKING:
    from automtl.spec.schema import Spec

__all__ = ["Encoded", "encode_rows", "open_source", "raw_columns", "source_columns", "source_frame"]

Report = Callable[[str, float, int], None]
Parts = dict[str, dict[str, np.ndarray[Any, Any]]]  # by split and name
MOST_THREADS = 4  # each holds a batch
CHANGED = "data.path: a file changed while it was read; start again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """What was written: `num_read` of the source's `num_all` rows (`KeptSource`); `split` is the
    rule that the rows were split by, as JSON data."""

    encoder: Encoder
    num_rows: Mapping[str, int]
    num_read: int
    num_all: int
    split: Mapping[str, Any]


@system_memory()
def encode_rows(
    spec: Spec,
    directory: Path,
    arrays: Mapping[str, str],
    *,
    encoder_directory: Path,
    report: Report,
    source: Source | None = None,
    trained_on: TrainedOn = "train",
) -> Encoded:
    """Writes the rows of `spec` into `directory`, encoded by what the rows that are `trained_on`
    alone say, and the encoder into its own.

    `arrays` are the names of what is written (`ids`, `numeric`, `labels`, ...) and their types.
    `report` is told the step, the share of it that is done and how many rows that is; `source`
    takes the place of the files that the spec names.

    Raises DataError: no rows, an unknown column, a value that is no number, an infinite one, a
    label that is not 0 or 1, a label that never changes in train or valid, an empty split.
    """
    source = source or open_source(spec)
    gathered = Gathered(spec, trained_on=trained_on)
    with (
        compiled_loops(pays=source.is_large),
        spooled(source, source_columns(spec), directory, uses=text_uses(spec)) as passes,
    ):
        splitter = _survey(source, passes, spec, report)
        for batch in _reported(passes.batches(), "reading", report):
            [side_N] = batch.checked([partial(splitter.sides, batch)])
            gathered.add(batch, side_N)
        _check_any(gathered.num_read, spec, source)
        check_split(spec.data.split, gathered.num_rows)
        gathered.check_labels()
        encoder = gathered.encoder()
        num_rows, num_read = gathered.num_rows, gathered.num_read
        del gathered  # what was counted takes memory
        shapes = {
            "ids": (encoder.features.num_id_columns,),
            "numeric": (encoder.features.num_number_columns,),
            "labels": (len(encoder.tasks),),
            "weights": (len(encoder.weight_columns),),
            "rows": (),
        }
        total = sum(num_rows.values())
        with ExitStack() as stack:
            saving = stack.enter_context(ThreadPoolExecutor(max_workers=1))
            saved = saving.submit(encoder.save, encoder_directory)  # while rows are encoded
            writers = {
                name: stack.enter_context(
                    ArrayWriter(directory / f"{name}.npy", dtype, (total, *shapes[name]))
                )
                for name, dtype in arrays.items()
            }
            write = _Writing(num_rows, writers)
            batches = _reported(passes.batches(), "encoding", report)
            encode = partial(encode_batch, encoder=encoder, splitter=splitter)
            for parts in mapped(encode, batches, num_threads=_num_threads()):
                write(parts)
            write.check_complete()
            for writer in writers.values():
                writer.begin_to_finish()
            saved.result()
    return Encoded(
        encoder=encoder,
        num_rows=num_rows,
        num_read=num_read,
        num_all=source.num_all if isinstance(source, KeptSource) else num_read,
        split=splitter.rule,
    )


def _num_threads() -> int:
    """That encode: without compiled loops they would wait for the interpreter's lock."""
    return 1 if compiled() is None else min(MOST_THREADS, os.cpu_count() or 1)


def encode_batch(batch: Batch, encoder: Encoder, splitter: Splitter) -> Parts:
    """The second pass over one batch: by split the rows of each array, in the source's order."""
    [side_N] = batch.checked([partial(splitter.sides, batch)])
    inputs, labels_NK = encoder.transform(batch), encoder.labels(batch)
    rows_N = np.arange(batch.start, batch.start + batch.height, dtype=np.int64)
    whole: dict[str, np.ndarray[Any, Any]] = {
        "ids": inputs.ids_NC,
        "numeric": inputs.numeric_NF,
        "labels": labels_NK,
        "weights": encoder.weights(batch),
        "rows": rows_N,
    }
    parts = {}
    for side, split in enumerate(SPLITS):
        rows = rows_on(side_N, side)
        parts[split] = {
            name: array if rows is None else array.take(rows, axis=0)
            for name, array in whole.items()
        }
    return parts


class _Writing:
    """Writes encoded batches, each split behind the last one."""

    def __init__(self, num_rows: Mapping[str, int], writers: Mapping[str, ArrayWriter]) -> None:
        self._left = dict(num_rows)
        starts = np.cumsum([0, *num_rows.values()]).tolist()
        self._sections = {
            split: {name: writer.section(start) for name, writer in writers.items()}
            for split, start in zip(num_rows, starts, strict=False)
        }

    def __call__(self, parts: Parts) -> None:
        for split, arrays in parts.items():
            self._left[split] -= len(arrays["rows"])
            if self._left[split] < 0:
                raise DataError(CHANGED)
            for name, section in self._sections[split].items():
                section.write(arrays[name])

    def check_complete(self) -> None:
        if any(self._left.values()):
            raise DataError(CHANGED)


def _survey(source: Source, passes: Passes, spec: Spec, report: Report) -> Splitter:
    """What says the side of each row, after a pass over what it must know of all rows."""
    split, num_rows = spec.data.split, source.num_rows()
    times = None
    if (column := needs_survey(split)) is not None:
        times, num_rows = TimeCounts(column), 0
        for batch in _reported(passes.column(column), "looking at times", report):
            batch.checked([partial(times.add, batch)])
            num_rows = batch.start + batch.height
    elif num_rows is None and split_column(split) is None:
        (first, *_), num_rows = source_columns(spec), 0
        for batch in _reported(passes.column(first), "counting rows", report):
            num_rows = batch.start + batch.height
    if num_rows == 0:
        _check_any(0, spec, source)
    return make_splitter(split, num_rows=num_rows, times=times)


def _check_any(num_read: int, spec: Spec, source: Source) -> None:
    if not num_read:
        place = source.place or spec.data.path
        kept = f" of which {spec.data.where!r} is true" if spec.data.where else ""
        raise DataError(f"{place}: has no rows{kept}; a search needs train and valid rows")


def _reported(batches: Iterator[Batch], step: str, report: Report) -> Generator[Batch]:
    """The batches, each read while the one before it is worked on."""
    with closing(ahead(batches)) as coming:
        for batch in coming:
            yield batch
            report(step, batch.done, batch.start + batch.height)


# ---- raw rows ------------------------------------------------------------------------------


def open_source(spec: Spec) -> Source:
    """The rows of `spec`, to be read in batches."""
    data, where = spec.data, None if spec.data.where is None else Where(spec.data.where)
    source: Source
    if data.path is not None:
        source = FileSource(
            spec.data_files(), encoding=data.encoding, missing=data.missing or (), where=where
        )
    else:
        assert data.generate is not None
        source = FrameSource(generate(data.generate), f"data.generate {data.generate.name}")
    return source if where is None else KeptSource(source, where)


def source_columns(spec: Spec) -> list[str]:
    """The columns that the spec names: features, labels, and what the split reads."""
    split = split_column(spec.data.split)
    return list(dict.fromkeys([*fitted_columns(spec), *([split] if split is not None else [])]))


def source_frame(spec: Spec) -> pl.DataFrame:
    """The raw rows of `spec`, only the columns that it names; raises DataError if it has none."""
    source = open_source(spec)
    frame = _all_rows(source, source_columns(spec))
    _check_any(frame.height, spec, source)
    return frame


def raw_columns(spec: Spec, names: Sequence[str], *, frame: Any = None) -> pl.DataFrame:
    """Columns of the source as they are, which the spec need not name, in the order of its rows;
    DataError names those that are not there. `frame` takes the place of the spec's files."""
    where = spec.data.where
    source = open_source(spec) if frame is None else frame_source(frame, where, names)
    return _all_rows(source, names)


def _all_rows(source: Source, names: Sequence[str]) -> pl.DataFrame:
    parts = [batch.frame(names) for batch in source.batches(names)]
    if parts:
        return pl.concat(parts, how="vertical_relaxed")
    return pl.DataFrame(schema=dict.fromkeys(names, pl.String))
