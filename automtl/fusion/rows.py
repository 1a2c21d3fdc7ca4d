"""The rows that a score is searched and judged on: what happened in them, and their numbers.

Shapes: N rows of a split, of which those with a known event count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from automtl.data.columns import as_keys, did_you_mean
from automtl.data.groups import numbered
from automtl.data.scaling import finite_numbers
from automtl.errors import DataError, ScoreError
from automtl.fusion.expression import Score, columns_of
from automtl.fusion.ranking import Judge, Metric, Truth
from automtl.fusion.source import Source
from automtl.models.dependency import joint_labels

__all__ = ["SEED", "Side", "event_of", "open_sides"]

Floats = NDArray[np.float64]

SEED = 0  # of ties, of the rows that are searched where there are more, and of the bootstrap


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """The rows of one split that count: what happened, and the numbers of the data in them."""

    split: str
    rows: NDArray[np.int64]
    num_without_group: int
    judge: Judge
    columns: Mapping[str, Floats]


def event_of(source: Source, name: str | None) -> str:
    """The binary task of that name; None: the last with a condition, else the last binary one.

    ScoreError, with the choices, if there is none.
    """
    binary = [task for task in source.data.tasks if task.kind == "binary"]
    if not binary:
        raise ScoreError("--event: no task of this search is binary, so there is no event")
    if name is None:
        return next((one.name for one in reversed(binary) if one.given), binary[-1].name)
    names = [task.name for task in binary]
    if name not in names:
        near = did_you_mean(name, names)
        raise ScoreError(f"--event {name}: no binary task{near}; choices: {', '.join(names)}")
    return name


def open_sides(
    source: Source,
    tree: Score,
    metric: Metric,
    *,
    event: str,
    group: str | None,
    value: str | None,
) -> tuple[Side, Side]:
    """The validation and the test rows in which `event` is known and, if asked for, `group` is.

    DataError for columns that are missing or lack a number where one is needed; ScoreError where
    the event never varies.
    """
    numbers = [name for name in columns_of(tree) if name not in source.outputs]
    wanted = [*numbers, *(one for one in (group, value) if one is not None)]
    raw = source.raw(list(dict.fromkeys(wanted))) if wanted else None

    def side(split: str) -> Side:
        frame = None if raw is None else raw[source.data.source_rows(split)]
        labels_NK = np.asarray(source.data.rows(split).labels_NK)
        names = [task.name for task in source.data.tasks]
        happened_N = joint_labels(labels_NK, source.data.tasks)[:, names.index(event)]
        keys = None if group is None or frame is None else as_keys(frame[group])
        known_N = ~np.isnan(happened_N)
        has_list_N = known_N if keys is None else keys.is_not_null().to_numpy()
        rows = np.flatnonzero(known_N & has_list_N)
        if not len(rows):
            raise DataError(f"no {split} row has a known {event} and a {group or 'row'}")
        worth_N = (happened_N == 1).astype(np.float64)
        if value is not None and frame is not None:
            worth_N[happened_N == 1] = _earned(frame[value].filter(happened_N == 1), split)
        truth = Truth(
            happened_N=happened_N[rows] == 1,
            worth_N=worth_N[rows],
            groups_N=None if keys is None else numbered(keys.to_numpy()[rows]),
        )
        columns = {}
        if frame is not None:
            columns = {name: _complete(frame[name], split)[rows] for name in numbers}
        return Side(
            split=split,
            rows=rows,
            num_without_group=int((known_N & ~has_list_N).sum()),
            judge=Judge(metric, truth, seed=SEED),
            columns=columns,
        )

    return side("valid"), side("test")


def _complete(column: pl.Series, split: str) -> Floats:
    numbers = finite_numbers(column)
    if num_missing := numbers.null_count():
        raise DataError(
            f"column {column.name!r}: {num_missing:,} of the {split} rows have no number; a score "
            "needs one in every row: fill them in the data, or leave the column out"
        )
    return numbers.to_numpy()


def _earned(column: pl.Series, split: str) -> Floats:
    """The worth of the rows with the event; what the others hold does not matter."""
    numbers = finite_numbers(column)
    if num_missing := numbers.null_count():
        raise DataError(
            f"--value {column.name}: {num_missing:,} of the {len(column):,} {split} rows with the "
            "event have no number there; fill it in the data"
        )
    return numbers.to_numpy()
