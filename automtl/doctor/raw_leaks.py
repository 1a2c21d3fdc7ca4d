"""The check for leaks on rows as they are in a file: before there is a spec to encode them by.

Rows are cut at random into halves that play train and valid. Lists are not looked at.

Shapes: N rows, J rows of a half.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from automtl.config import TaskSchema
from automtl.data.batch import Batch
from automtl.data.columns import as_keys, as_numbers
from automtl.data.evaluate import BOOLEANS, label_values
from automtl.doctor.leakage import Strength, check_leaks, strength
from automtl.doctor.sample import Column
from automtl.errors import DataError

__all__ = ["raw_leaks"]

NUM_BINS = 32


def raw_leaks(
    frame: pl.DataFrame,
    labels: Mapping[str, TaskSchema],
    *,
    categorical: Sequence[str],
    numeric: Sequence[str],
) -> dict[str, str]:
    """By feature, why it is likely a leak; `labels` are the tasks by their label."""
    first_N = np.random.default_rng(0).random(frame.height) < 0.5
    halves = {"train": np.flatnonzero(first_N), "valid": np.flatnonzero(~first_N)}
    values = {name: numbers(label_values(Batch(frame), name)) for name in labels}
    by_task = {
        task: {half: values[name].astype(np.float32)[rows] for half, rows in halves.items()}
        for name, task in labels.items()
    }
    found: list[Strength] = []
    for name in [*categorical, *numeric]:
        try:
            codes_N, values_N = _coded(frame[name], is_number=name in numeric)
        except DataError:
            continue  # what cannot be read as such, the encoder explains
        column = Column(
            name=name,
            kind="categorical" if values_N is None else "numeric",
            first=0,
            width=1,
            num_codes=int(codes_N.max(initial=0)) + 1,
        )
        codes = {half: codes_N[rows] for half, rows in halves.items()}
        values_J = None if values_N is None else values_N[halves["valid"]]
        found += [
            one
            for task, task_labels in by_task.items()
            if (one := strength(column, codes, task_labels, task, values_J=values_J)) is not None
        ]
    places = {one.feature: one.feature for one in found}
    leaks: dict[str, str] = {}
    for finding in check_leaks(found, places):
        if finding.severity != "note":
            leaks.setdefault(finding.place, finding.says.removeprefix("LEAK? "))
    return leaks


def numbers(column: pl.Series) -> NDArray[np.float64]:
    """The numbers [N] of a column of any type, NaN where there are none; booleans are 0 and 1."""
    if column.dtype == pl.String:
        column = column.replace(BOOLEANS)
    return np.asarray(as_numbers(column, hint="").fill_null(float("nan")).to_numpy())


def _coded(
    column: pl.Series, *, is_number: bool
) -> tuple[NDArray[np.int64], NDArray[np.float32] | None]:
    """(Codes [N] from 0, missing; the numbers [N], 0 where there are none, of a numeric column)."""
    if not is_number:
        ranks = as_keys(column).rank("dense").fill_null(0)
        return ranks.to_numpy().astype(np.int64), None
    values_N = numbers(column)
    is_known_N = np.isfinite(values_N)
    inner = np.linspace(0, 1, NUM_BINS + 1)[1:-1]
    known = values_N[is_known_N]
    edges = np.unique(np.quantile(known if known.size else np.zeros(1), inner))
    bins_N = 1 + np.searchsorted(edges, values_N)
    return np.where(is_known_N, bins_N, 0), np.where(is_known_N, values_N, 0).astype(np.float32)
