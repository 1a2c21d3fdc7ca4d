"""Scoring files: raw rows in, predictions out, row by row in the same order, batch by batch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.data.ahead import ahead
from automtl.data.batch import Batch
from automtl.data.delimited import UTF8
from automtl.data.encode import Inputs
from automtl.data.header import column_names
from automtl.data.paths import data_files
from automtl.data.scaling import finite_column
from automtl.errors import BundleError
from automtl.export.blocks import score_rows
from automtl.export.bundle import Bundle
from automtl.export.engines.choose import EngineChoice
from automtl.export.raw_rows import RawRows
from automtl.export.table_writer import check_out, table_written
from automtl.export.unlike import Unlike
from automtl.threads import single_threaded

__all__ = ["SCORE", "Fused", "Summary", "predict_file"]

SCORE = "score"  # the column of the fused score
Floats = npt.NDArray[np.float64]
Progress = Callable[[float, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    """One number a row made of several: `of` gives it [N] for the `columns` [N] that it names,
    some of them outputs, the others of the data. It is asked for complete rows only."""

    columns: tuple[str, ...]
    of: Callable[[Mapping[str, Floats]], Floats]


FusedFrom = Callable[[Bundle, Sequence[str]], Fused]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What was scored. `unseen` and `missing` count by column as `unlike.Unlike` does: many mean
    that the rows are unlike train's. `absent` are rows of files that lack a column altogether, also
    counted as missing; `unscored` those whose fused score lacks a number."""

    out: Path
    num_rows: int
    columns: tuple[str, ...]
    unseen: Mapping[str, int]
    missing: Mapping[str, int]
    absent: Mapping[str, int]
    unscored: int = 0


def predict_file(
    bundle_dir: str | Path,
    data: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    keep: Sequence[str] = (),
    fused: FusedFrom | None = None,
    missing_ok: bool = False,
    encoding: str = UTF8,
    engine: EngineChoice = "auto",
    progress: Progress | None = None,
) -> Summary:
    """Scores the rows of `data` (a file, glob, directory, URL or list) and writes `out`: .parquet,
    .csv or .tsv.

    Row i of `out` belongs to row i of the data (all files in order). It holds the columns `keep`
    of the data, `manifest.outputs`, and with `fused` (given the bundle and the columns of the
    data) the column `score`, null where a number is missing. Some batches are held in memory, never
    all rows. `out` is written aside and renamed, so there is all of it or nothing; an existing file
    is replaced. Text files are in `encoding`. `engine` is that of `Bundle.load`; `progress` is told
    the share and the rows that are done.

    BundleError or DataError for what cannot be used; a column of the model that a file lacks is
    such, unless `missing_ok`.
    """
    out = Path(out)
    check_out(out)
    bundle = Bundle.load(bundle_dir, engine=engine, num_threads=1)  # of each of the blocks below
    files = data_files(data, base_dir=Path())
    score = None if fused is None else fused(bundle, column_names(files[0], encoding=encoding))
    outputs = [one.name for one in bundle.manifest.outputs] + [SCORE] * (score is not None)
    if clash := [name for name in keep if name in outputs]:
        raise BundleError(f"--keep {clash[0]}: a column of predictions has this name; rename yours")
    job = _Job(bundle, tuple(dict.fromkeys(keep)), score)
    rows = RawRows(
        files,
        model=bundle.encoder.columns,
        needed=[*job.keep, *job.read_by_score],
        missing_ok=missing_ok,
        missing=bundle.encoder.missing_texts,
        encoding=encoding,
    )
    num_rows = 0
    with (
        ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool,
        single_threaded(),
        table_written(out) as table,
    ):
        for batch, inputs in ahead(job.encoded(rows.batches())):
            table.write(job.scored(batch, inputs, pool))
            num_rows += batch.height
            if progress is not None:
                progress(batch.done, num_rows)
        if not num_rows:
            table.write(job.nothing())
    return Summary(
        out=out,
        num_rows=num_rows,
        columns=(*job.keep, *outputs),
        unseen=dict(job.unlike.unseen),
        missing=dict(job.unlike.missing),
        absent=dict(rows.absent),
        unscored=job.unscored,
    )


class _Job:
    """What becomes of one batch, and what was counted on the way."""

    def __init__(self, bundle: Bundle, keep: tuple[str, ...], score: Fused | None) -> None:
        self._bundle, self.keep, self._score = bundle, keep, score
        self._outputs = [one.name for one in bundle.manifest.outputs]
        self.unlike, self.unscored = Unlike(bundle.encoder), 0

    @property
    def read_by_score(self) -> list[str]:
        """The columns of the data that the fused score reads."""
        columns = () if self._score is None else self._score.columns
        return [name for name in columns if name not in self._outputs]

    def encoded(self, batches: Iterator[Batch]) -> Iterator[tuple[Batch, Inputs]]:
        for batch in batches:
            yield batch, self._bundle.encoder.transform(batch)

    def nothing(self) -> pl.DataFrame:
        """A table without rows; kept columns are text, as no value says otherwise."""
        schema: dict[str, type[pl.DataType]] = dict.fromkeys(self.keep, pl.String)
        schema |= dict.fromkeys(self._outputs, pl.Float32)
        return pl.DataFrame(schema=schema | ({} if self._score is None else {SCORE: pl.Float64}))

    def scored(self, batch: Batch, inputs: Inputs, pool: Executor) -> pl.DataFrame:
        self.unlike.add(batch, inputs)
        scores = score_rows(self._bundle, inputs, pool=pool)
        frame = pl.DataFrame([*(batch[name] for name in self.keep), *scores.get_columns()])
        if self._score is None:
            return frame
        numbers = {name: finite_column(batch, name) for name in self.read_by_score}
        numbers |= {name: frame[name].cast(pl.Float64).to_numpy() for name in self._outputs}
        named = {name: numbers[name] for name in self._score.columns}
        is_known_N = ~np.any([np.isnan(values_N) for values_N in named.values()], axis=0)
        fused_N = np.full(batch.height, np.nan)
        if is_known_N.any():
            known = {name: values_N[is_known_N] for name, values_N in named.items()}
            fused_N[is_known_N] = self._score.of(known)
        column = pl.Series(SCORE, fused_N).fill_nan(None)
        self.unscored += column.null_count()
        return frame.hstack([column])
