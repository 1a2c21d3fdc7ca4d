"""AliExpress search by country: train.csv and test.csv with a header, as in the processed set.

`search_id, categorical_1..16, numerical_1..63, click, conversion`: a row is a product on the page
of a search.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import polars as pl

from automtl.data.sets.lines import Block, Report, bad_line, read_blocks, typed
from automtl.data.sets.prepare import Prepared
from automtl.data.sets.raw import RawFile
from automtl.data.sets.registry import public_set
from automtl.data.sets.sides import one_in, side
from automtl.data.sets.write import write_rows

__all__ = ["prepare"]

CATEGORICAL = tuple(f"categorical_{number}" for number in range(1, 17))
NUMERICAL = tuple(f"numerical_{number}" for number in range(1, 64))
LABELS = ("click", "conversion")
RAW: dict[str, pl.DataType] = {
    "search_id": pl.Int64(),
    **{name: pl.Int32() for name in CATEGORICAL},
    **{name: pl.Float32() for name in NUMERICAL},
    **{name: pl.Int8() for name in LABELS},
}
SCHEMA = pl.Schema(RAW | {"split": pl.String()})
ONE_IN_VALID = 10


def prepare(
    name: str, files: Mapping[str, RawFile], out: Path, report: Report, *, block_bytes: int
) -> Iterator[Prepared]:
    """One Parquet file: a tenth of the searches of train.csv is valid, test.csv is test."""
    parts = (
        _rows(block, is_train=part.endswith("/train.csv"))
        for part, file in files.items()
        for block in read_blocks(file, list(RAW), report, has_header=True, block_bytes=block_bytes)
    )
    yield write_rows(out / public_set(name).writes[0], SCHEMA, parts)


def _rows(block: Block, *, is_train: bool) -> pl.DataFrame:
    frame = typed(block, RAW, required=("search_id", *LABELS))
    for label in LABELS:
        if (wrong := ~frame[label].is_in([0, 1])).any():
            value = frame[label].filter(wrong)[0]
            raise bad_line(block, wrong, f"{label} is {value}, it must be 0 or 1")
    if is_train:  # a search stays together: its rows share all that is known of the user
        split = side(one_in(ONE_IN_VALID, frame["search_id"]), "valid", "train")
    else:
        split = side(np.ones(len(frame), dtype=bool), "test", "test")
    return frame.with_columns(split)
