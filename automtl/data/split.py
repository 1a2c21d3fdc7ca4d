"""Which rows are train, which valid, which test: by a column, by time, by group, at random.

A `Splitter` says it of any batch by itself; what it must know of all rows (the cut points in time,
how many there are) is found beforehand, by `TimeCounts`, and can be written down.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.config import TrainedOn
from automtl.data.batch import Batch
from automtl.data.columns import (
    ColumnError,
    Wrong,
    as_keys,
    check_columns,
    did_you_mean,
    plain,
    row_of,
)
from automtl.data.row_hash import nth_smallest, row_hashes
from automtl.data.times import Cuts, TimeCounts
from automtl.errors import DataError

if TYPE_CHECKING:
    from automtl.spec.schema import SplitSpec

__all__ = [
    "LEFT_OUT",
    "SPLITS",
    "TRAIN",
    "Splitter",
    "check_split",
    "make_splitter",
    "needs_survey",
    "rows_on",
    "sides_of",
    "split_column",
    "split_frame",
]

Indices = npt.NDArray[np.int64]
Sides = npt.NDArray[np.int8]
SPLITS = ("train", "valid", "test")
TRAIN, VALID, TEST = range(3)
LEFT_OUT = -1  # on no side: in the gap before a cut in time
BY_LIMITS = np.array([TRAIN, LEFT_OUT, VALID, LEFT_OUT, TEST], dtype=np.int8)  # see Cuts.passed
HASH_RANGE = 2.0**64
MOST_KNOWN = 1 << 21  # groups whose side is remembered


class Splitter(Protocol):
    """Decides for each row of a batch, whatever the other batches are."""

    @property
    def rule(self) -> dict[str, Any]:
        """What it goes by, as plain JSON data: enough to split the same rows again."""

    def sides(self, batch: Batch) -> Sides:
        """TRAIN, VALID, TEST or LEFT_OUT of each row; raises ColumnError."""


@dataclass(frozen=True, slots=True)
class ByColumn:
    """A column that holds the names of the sides."""

    name: str

    @property
    def rule(self) -> dict[str, Any]:
        return {"column": self.name}

    def sides(self, batch: Batch) -> Sides:
        coded = batch.coded(self.name)
        keys = as_keys(batch[self.name]) if coded is None else coded.distinct.keys
        side_D = np.full(len(keys) + 1, LEFT_OUT, dtype=np.int8)
        for side, split in enumerate(SPLITS):
            side_D[:-1][(keys == split).fill_null(value=False).to_numpy()] = side
        side_N = side_D[:-1] if coded is None else side_D.take(coded.codes_N)
        if (wrong := pl.Series(side_N == LEFT_OUT)).any():
            row = row_of(wrong)
            value = as_keys(batch[self.name][row : row + 1])[0]
            value = "null" if value is None else value
            rule = (
                f"{value!r} is no split{did_you_mean(value, SPLITS)}, in {wrong.sum()} rows; write"
                f" one of {', '.join(SPLITS)}"
            )
            raise ColumnError([Wrong(f"column {self.name!r}", rule, row)])
        return side_N


@dataclass(frozen=True, slots=True)
class ByTime:
    """The latest rows are test, those before them valid."""

    name: str
    cuts: Cuts

    @property
    def rule(self) -> dict[str, Any]:
        limits = ("train_until", "valid_from", "valid_until", "test_from")
        return {"time": self.name} | {key: _plain(getattr(self.cuts, key)) for key in limits}

    def sides(self, batch: Batch) -> Sides:
        coded = batch.coded(self.name)
        if coded is None:
            integers_N = batch.integers(self.name)
            times = batch[self.name] if integers_N is None else integers_N
            return BY_LIMITS.take(self.cuts.passed(times))
        side_D = BY_LIMITS.take(self.cuts.passed(coded.values))
        return np.append(side_D, np.int8(LEFT_OUT)).take(coded.codes_N)


@dataclass(frozen=True, slots=True)
class ByGroup:
    """A hash of the group's key and the seed decides, whatever other groups there are."""

    name: str
    valid: float
    test: float
    seed: int
    _known: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    @property
    def rule(self) -> dict[str, Any]:
        return {"group": self.name, "valid": self.valid, "test": self.test, "seed": self.seed}

    def sides(self, batch: Batch) -> Sides:
        coded = batch.coded(self.name)
        if coded is not None:
            keys = [*coded.distinct.keys.fill_null("").to_list(), ""]
            return self._of_keys(keys).take(coded.codes_N)
        values = plain(batch[self.name]).alias("value")
        distinct = values.unique()
        side_D = pl.Series(self._of_keys(as_keys(distinct).fill_null("").to_list()))
        return values.replace_strict(distinct, side_D, return_dtype=pl.Int8).to_numpy()

    def _of_keys(self, keys: list[str]) -> Sides:
        if len(self._known) > MOST_KNOWN:
            self._known.clear()
        known = self._known
        for key in keys:
            if key not in known:
                known[key] = self._side(_hash(key, self.seed))
        return np.array([known[key] for key in keys], dtype=np.int8)

    def _side(self, place: float) -> int:
        return TEST if place < self.test else VALID if place < self.test + self.valid else TRAIN


@dataclass(frozen=True, slots=True)
class AtRandom:
    """The rows whose hashes are the smallest are test, the next valid: so many of `num_rows`."""

    valid: float
    test: float
    seed: int
    num_rows: int
    test_below: int
    valid_below: int

    @property
    def rule(self) -> dict[str, Any]:
        return {"random": True, "valid": self.valid, "test": self.test, "seed": self.seed}

    @classmethod
    def of(cls, num_rows: int, *, valid: float, test: float, seed: int) -> AtRandom:
        num_test = round(test * num_rows)
        places = (num_test, num_test + round(valid * num_rows))
        test_below, valid_below = nth_smallest(num_rows, places, seed=seed)
        return cls(valid, test, seed, num_rows, test_below, valid_below)

    def sides(self, batch: Batch) -> Sides:
        hash_N = row_hashes(batch.start, batch.height, seed=self.seed)
        side_N = np.full(batch.height, TRAIN, dtype=np.int8)
        side_N[_below(hash_N, self.valid_below)] = VALID
        side_N[_below(hash_N, self.test_below)] = TEST
        return side_N


def sides_of(trained_on: TrainedOn) -> tuple[int, ...]:
    """The sides whose rows models and their encoder learn from."""
    return (TRAIN, VALID) if trained_on == "train+valid" else (TRAIN,)


def rows_on(side_N: Sides, *sides: int) -> Indices | None:
    """The rows on one of these sides, rising; None: all rows are."""
    is_there_N = side_N == sides[0]
    for side in sides[1:]:
        is_there_N |= side_N == side
    return None if is_there_N.all() else np.flatnonzero(is_there_N)


# ---- before the rows are split -----------------------------------------------------------------


def needs_survey(split: SplitSpec) -> str | None:
    """The column of which all rows must be known before one can be split, if any."""
    return getattr(split, "time", None)


def make_splitter(split: SplitSpec, *, num_rows: int | None, times: TimeCounts | None) -> Splitter:
    """`num_rows` is needed at random, `times` by time; raises DataError as `TimeCounts.cuts`."""
    match split:
        case object(column=str(name)):
            return ByColumn(name)
        case object(time=str(name), gap=gap, valid=valid, test=test):
            assert times is not None
            return ByTime(name, times.cuts(valid=valid, test=test, gap=gap))
        case object(group=str(name), valid=valid, test=test, seed=seed):
            return ByGroup(name, valid, test, seed)
        case object(random=True, valid=valid, test=test, seed=seed):
            assert num_rows is not None
            return AtRandom.of(num_rows, valid=valid, test=test, seed=seed)
        case _:
            raise AssertionError(f"no such split: {split!r}")


def split_column(split: SplitSpec) -> str | None:
    """The column that the split reads, if any."""
    match split:
        case object(column=str(name)) | object(time=str(name)) | object(group=str(name)):
            return name
        case _:
            return None


def check_split(split: SplitSpec, num_rows: Mapping[str, int]) -> None:
    """Raises DataError when a split is empty, except test where `test: 0` asks for that."""
    may_be_empty = getattr(split, "test", None) == 0
    for side in SPLITS:
        if num_rows[side] == 0 and not (side == "test" and may_be_empty):
            sizes = ", ".join(f"{num_rows[other]} {other}" for other in SPLITS)
            name = split_column(split)
            kind = next(key for key in ("column", "time", "group", "random") if hasattr(split, key))
            rule = kind if name is None else f"{kind} {name!r}"
            raise DataError(f"split by {rule}: no {side} rows ({sizes}); {_way_out(kind, side)}")


def split_frame(frame: pl.DataFrame, split: SplitSpec) -> dict[str, Indices]:
    """Row numbers of `train`, `valid` and `test`, rising; no row is in two.

    By `time` the latest rows are test and those before them valid; a cut never falls between rows
    of one time, and is the one nearest to the fraction asked for. By `group` a hash of the value
    and the seed decides, so that a group's side does not depend on the other rows. Raises
    DataError when a split is empty, except test where `test: 0` asks for that.
    """
    batch, name = Batch(frame), split_column(split)
    if name is not None:
        check_columns([name], frame.columns, source="rows to split")
    times = None
    if (surveyed := needs_survey(split)) is not None:
        times = TimeCounts(surveyed)
        times.add(batch)
    side_N = make_splitter(split, num_rows=frame.height, times=times).sides(batch)
    rows = {name: np.flatnonzero(side_N == side) for side, name in enumerate(SPLITS)}
    check_split(split, {side: len(indices) for side, indices in rows.items()})
    return rows


def _way_out(kind: str, side: str) -> str:
    match kind:
        case "column":
            return f"write {side!r} into that column for some rows"
        case "time" | "group":
            return "there are too few different values; change the fractions or the column"
        case _:
            return "there are too few rows for these fractions"


def _hash(key: str, seed: int) -> float:
    """A number in [0, 1), the same on every machine and in every process."""
    digest = hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / HASH_RANGE


def _below(hash_N: npt.NDArray[np.uint64], limit: int) -> npt.NDArray[np.bool_]:
    return hash_N < np.uint64(limit) if limit < 2**64 else np.ones(len(hash_N), dtype=bool)


def _plain(value: Any) -> Any:
    """A cut point as JSON data."""
    return value if isinstance(value, int | float | str | None) else str(value)
