"""Which rows are train, which valid, which test: by a column, by time, by group, at random."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.data.columns import TEXT_DATE, as_keys, check_columns, did_you_mean
from automtl.errors import DataError

if TYPE_CHECKING:
    from automtl.spec.schema import SplitSpec

__all__ = ["SPLITS", "split_column", "split_frame"]

Indices = npt.NDArray[np.int64]
SPLITS = ("train", "valid", "test")
TRAIN, VALID, TEST = range(3)
HASH_RANGE = 2.0**64


def split_column(split: SplitSpec) -> str | None:
    """The column that the split reads, if any."""
    match split:
        case object(column=str(name)) | object(time=str(name)) | object(group=str(name)):
            return name
        case _:
            return None


def split_frame(frame: pl.DataFrame, split: SplitSpec) -> dict[str, Indices]:
    """Row numbers of `train`, `valid` and `test`, rising; every row is in exactly one.

    By `time` the latest rows are test and those before them valid; a cut never falls between rows
    of one time, and is the one nearest to the fraction asked for. By `group` a hash of the value
    and the seed decides, so that a group's side does not depend on the other rows. Raises
    DataError when a split is empty, except test where `test: 0` asks for that.
    """
    if (name := split_column(split)) is not None:
        check_columns([name], frame.columns, source="rows to split")
    match split:
        case object(column=str(name)):
            side_N, rule = _by_column(frame[name]), f"column {name!r}"
            may_be_empty = False
        case object(time=str(name), valid=valid, test=test):
            side_N, rule = _by_time(frame[name], valid, test), f"time {name!r}"
            may_be_empty = test == 0
        case object(group=str(name), valid=valid, test=test, seed=seed):
            side_N, rule = _by_group(frame[name], valid, test, seed), f"group {name!r}"
            may_be_empty = test == 0
        case object(random=True, valid=valid, test=test, seed=seed):
            side_N, rule = _at_random(frame.height, valid, test, seed), "random"
            may_be_empty = test == 0
        case _:
            raise AssertionError(f"no such split: {split!r}")
    rows = {side: np.flatnonzero(side_N == index) for index, side in enumerate(SPLITS)}
    for side, indices in rows.items():
        if len(indices) == 0 and not (side == "test" and may_be_empty):
            sizes = ", ".join(f"{len(rows[other])} {other}" for other in SPLITS)
            raise DataError(f"split by {rule}: no {side} rows ({sizes}); {_way_out(split, side)}")
    return rows


def _way_out(split: SplitSpec, side: str) -> str:
    match split:
        case object(column=str()):
            return f"write {side!r} into that column for some rows"
        case object(time=str()) | object(group=str()):
            return "there are too few different values; change the fractions or the column"
        case _:
            return "there are too few rows for these fractions"


def _by_column(values: pl.Series) -> npt.NDArray[np.int8]:
    text = as_keys(values)
    wrong = text.filter(~text.is_in(SPLITS).fill_null(value=False))
    if len(wrong):
        value = wrong.fill_null("null").sort()[0]
        raise DataError(
            f"column {values.name!r}: {value!r} is no split{did_you_mean(value, SPLITS)}, in"
            f" {len(wrong)} rows; write one of {', '.join(SPLITS)}"
        )
    sides = pl.Series(range(len(SPLITS)), dtype=pl.Int8)
    return text.replace_strict(pl.Series(SPLITS), sides, return_dtype=pl.Int8).to_numpy()


def _by_time(values: pl.Series, valid: float, test: float) -> npt.NDArray[np.int8]:
    times = _times(values)
    # one number a time, 0 the latest
    age_N = (times.rank("dense", descending=True).to_numpy() - 1).astype(np.int64)
    counts = np.bincount(age_N)
    num_test = _nearest_prefix(counts, test * len(values))
    num_valid = _nearest_prefix(counts[num_test:], valid * len(values))
    side_N = np.full(len(values), TRAIN, dtype=np.int8)
    side_N[age_N < num_test + num_valid] = VALID
    side_N[age_N < num_test] = TEST
    return side_N


def _nearest_prefix(counts: npt.NDArray[np.int64], target: float) -> int:
    """How many leading counts sum up to `target` most nearly; at least one if it is above 0."""
    if target <= 0 or len(counts) == 0:
        return 0
    return int(np.abs(np.cumsum(counts) - target).argmin()) + 1


def _times(values: pl.Series) -> pl.Series:
    """The values in a type whose order is that of time."""
    if num_null := values.null_count():
        raise DataError(
            f"column {values.name!r}: {num_null} rows have no time, so none can be on a side of"
            " the cut; leave these rows out or split by another column"
        )
    if values.dtype.is_temporal() or values.dtype.is_numeric():
        return values
    text = values.cast(pl.String)
    for dtype in (pl.Int64, pl.Float64):
        numbers = text.cast(dtype, strict=False)
        if not numbers.null_count():
            return numbers
    if (undated := text.filter(~text.str.contains(TEXT_DATE))).len():
        raise DataError(
            f"column {values.name!r}: {undated[0]!r} is neither a number nor a date like"
            " 2022-04-25 or 2022-04-25 18:30:00; rewrite the column"
        )
    return text.str.replace("T", " ").str.strip_suffix("Z")


def _by_group(values: pl.Series, valid: float, test: float, seed: int) -> npt.NDArray[np.int8]:
    keys = as_keys(values).fill_null("")
    distinct = keys.unique()
    place = np.array([_hash(key, seed) for key in distinct.to_list()])
    side = np.select([place < test, place < test + valid], [TEST, VALID], TRAIN)
    return keys.replace_strict(
        distinct, pl.Series(side, dtype=pl.Int8), return_dtype=pl.Int8
    ).to_numpy()


def _hash(key: str, seed: int) -> float:
    """A number in [0, 1), the same on every machine and in every process."""
    digest = hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / HASH_RANGE


def _at_random(num_rows: int, valid: float, test: float, seed: int) -> npt.NDArray[np.int8]:
    order_N = np.random.default_rng(seed).permutation(num_rows)
    num_test, num_valid = round(test * num_rows), round(valid * num_rows)
    side_N = np.full(num_rows, TRAIN, dtype=np.int8)
    side_N[order_N[:num_test]] = TEST
    side_N[order_N[num_test : num_test + num_valid]] = VALID
    return side_N
