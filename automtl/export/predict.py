"""Scoring files: raw rows in, predictions out, row by row in the same order.

Shapes: N rows, C id columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from automtl.config import FeatureSchema
from automtl.data.encode import Inputs
from automtl.data.read import read_frame
from automtl.data.vocabulary import MISSING, UNSEEN
from automtl.errors import BundleError
from automtl.export.bundle import Bundle
from automtl.files import written_whole

__all__ = ["Summary", "count_ids", "predict_file"]

WRITERS: Mapping[str, Callable[[pl.DataFrame, Path], None]] = {
    ".parquet": lambda frame, path: frame.write_parquet(path),
    ".csv": lambda frame, path: frame.write_csv(path),
    ".tsv": lambda frame, path: frame.write_csv(path, separator="\t"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What was scored. `unseen` counts the values of each id feature that train never had (of a
    sequence: items), `missing` rows without one: many mean that the rows are unlike train's.
    """

    out: Path
    num_rows: int
    columns: tuple[str, ...]
    unseen: Mapping[str, int]
    missing: Mapping[str, int]


def predict_file(
    bundle_dir: str | Path,
    data: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    keep: Sequence[str] = (),
) -> Summary:
    """Scores the rows of `data` (a file, glob or list) and writes `out`: .parquet, .csv or .tsv.

    Row i of `out` belongs to row i of the data (all files in order). It holds the columns `keep`
    of the data, then `manifest.outputs`. The needed columns of all rows are held in memory. `out`
    is written aside and renamed, so there is all of it or nothing; an existing file is replaced.
    BundleError or DataError for what cannot be used.
    """
    out = Path(out)
    write = _writer(out)
    bundle = Bundle.load(bundle_dir)
    outputs = [one.name for one in bundle.manifest.outputs]
    if clash := [name for name in keep if name in outputs]:
        raise BundleError(f"--keep {clash[0]}: a column of predictions has this name; rename yours")
    frame = read_frame(data, list(dict.fromkeys([*keep, *bundle.encoder.columns])))
    inputs = bundle.encode(frame)
    predictions = bundle.score(inputs)
    _write_whole(frame.select(keep).hstack(predictions) if keep else predictions, out, write)
    features = bundle.manifest.features
    return Summary(
        out=out,
        num_rows=frame.height,
        columns=(*keep, *outputs),
        unseen=count_ids(inputs, features, UNSEEN),
        missing=count_ids(inputs, features, MISSING),
    )


def count_ids(inputs: Inputs, features: FeatureSchema, which: int) -> dict[str, int]:
    """How often each id feature holds `which`; the padding of sequences is not counted."""
    counts: dict[str, int] = {}
    for column, feature in enumerate(features.categorical):
        counts[feature.name] = int((inputs.ids_NC[:, column] == which).sum())
    start = len(features.categorical)
    for sequence in features.sequence:
        items_NL = inputs.ids_NC[:, start : start + sequence.max_len]
        # a sequence without items is what is missing there
        empty_N = (items_NL == MISSING).all(axis=1)
        count = empty_N if which == MISSING else items_NL == which
        counts[sequence.name] = int(count.sum())
        start += sequence.max_len
    return counts


def _writer(out: Path) -> Callable[[pl.DataFrame, Path], None]:
    """By the name of the file; checked before anything is read."""
    if out.is_dir():
        raise BundleError(f"{out}: is a directory; name a file, such as {out}/predictions.parquet")
    if out.suffix.lower() not in WRITERS:
        raise BundleError(f"{out}: the name must end in {', '.join(WRITERS)}")
    if not out.absolute().parent.is_dir():
        raise BundleError(f"{out}: there is no directory {out.absolute().parent}; make it first")
    return WRITERS[out.suffix.lower()]


def _write_whole(
    frame: pl.DataFrame, out: Path, write: Callable[[pl.DataFrame, Path], None]
) -> None:
    try:
        with written_whole(out) as aside:
            write(frame, aside)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise BundleError(f"{out}: cannot be written ({error}); choose another --out") from error
