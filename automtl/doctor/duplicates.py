"""Rows that are the same to a model: equal features and equal labels, in one split or across.

Every row becomes a 64-bit number made of all that it holds; equal rows have equal numbers, others
do by chance only once in 10^19 pairs. Of very many rows those with small numbers are compared: all
copies of a row are among them or none is, so shares stay true.

Coarse features repeat by themselves (two people with the same answers), so copies across splits
are held against the copies within train: rows that were put into both have more across.

Shapes: N rows of a split.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automtl.data.cache import EncodedData, Rows
from automtl.data.mixing import GOLDEN
from automtl.doctor.finding import Finding

__all__ = ["Duplicates", "check_duplicates", "count_duplicates", "row_numbers"]

Numbers = NDArray[np.uint64]
BLOCK = 1 << 16  # rows
MAX_COMPARED = 1 << 23  # rows: 64 MB of numbers
SHIFT = np.uint64(29)
MANY = 0.5  # of train's rows are copies of others
NOTED = 0.01
EXCESS = 0.02  # of a split's rows that come from train, beyond what train has itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """`within`: the share of train rows that equal another train row. `across`: by split, the
    share of its rows that equal a train row. `num_compared` of all `num_rows` rows were looked at.
    """

    within: float
    across: Mapping[str, float]
    num_compared: int
    num_rows: int


def count_duplicates(data: EncodedData) -> Duplicates:
    """Over all splits, all columns of the cache."""
    num_rows = sum(data.num_rows.values())
    share = min(1.0, MAX_COMPARED / max(1, num_rows))
    numbers = {
        split: _small(data.rows(split), share) for split, count in data.num_rows.items() if count
    }
    train = np.sort(numbers["train"])
    is_copy = np.zeros(len(train), dtype=bool)
    same = train[1:] == train[:-1]
    is_copy[1:] |= same
    is_copy[:-1] |= same
    return Duplicates(
        within=float(is_copy.mean()) if len(train) else 0.0,
        across={
            split: float(_is_in(found, train).mean()) if len(found) else 0.0
            for split, found in numbers.items()
            if split != "train"
        },
        num_compared=sum(map(len, numbers.values())),
        num_rows=num_rows,
    )


def row_numbers(rows: Rows) -> Numbers:
    """A number [N] for each row that depends on every value; NaN are all alike, -0 is 0."""
    numbers_N = np.full(len(rows), GOLDEN, dtype=np.uint64)
    for matrix in (rows.ids_NC, rows.numeric_NF, rows.labels_NK):
        for index in range(matrix.shape[1]):
            column = np.array(matrix[:, index])
            if column.dtype == np.float32:
                column = np.where(np.isnan(column), np.float32(np.nan), column + np.float32(0))
            numbers_N ^= column.view(np.uint32)
            numbers_N *= GOLDEN
            numbers_N ^= numbers_N >> SHIFT
    return numbers_N


def _small(rows: Rows, share: float) -> Numbers:
    """The numbers of a share of the rows."""
    limit = np.uint64(min(2**64 - 1, int(share * 2**64)))
    parts = [np.empty(0, dtype=np.uint64)]
    for start in range(0, len(rows), BLOCK):
        part = slice(start, start + BLOCK)
        numbers = row_numbers(
            Rows(
                ids_NC=rows.ids_NC[part],
                numeric_NF=rows.numeric_NF[part],
                labels_NK=rows.labels_NK[part],
            )
        )
        parts.append(numbers if share == 1 else numbers[numbers < limit])
    return np.concatenate(parts)


def _is_in(numbers: Numbers, among: Numbers) -> NDArray[np.bool_]:
    if not len(among):
        return np.zeros(len(numbers), dtype=bool)
    places = np.minimum(np.searchsorted(among, numbers), len(among) - 1)
    return np.equal(among[places], numbers)


def check_duplicates(found: Duplicates) -> Iterator[Finding]:
    """Copies within train, and copies of train rows in valid and test."""
    within = 100 * found.within
    if found.within >= NOTED:
        yield Finding(
            severity="warning" if found.within >= MANY else "note",
            check="duplicates",
            place="data.path",
            says=f"{within:.1f} % of train rows equal another train row in all features and labels",
            write="check that no file is read twice" if found.within >= MANY else "",
        )
    for split, share in found.across.items():
        if share > found.within + EXCESS:
            yield Finding(
                severity="warning",
                check="copied_rows",
                place="data.split",
                says=f"{100 * share:.1f} % of {split} rows equal a train row in all features and"
                f" labels, while {within:.1f} % of train rows have such a twin: rows were put into"
                " both",
                write="remove the copies, or split by {group: COLUMN}",
            )
