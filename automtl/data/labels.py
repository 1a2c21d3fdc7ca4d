"""Labels as a float32 matrix, NaN where a label is not observed, and what must hold for them.

A label is not observed where the file has null, and, for a task with `given`, where the condition
does not hold: its label is not 1, or is itself not observed. Only observed labels are checked, so
a log may hold anything in `spend` where nothing was bought.

Shapes: N rows, K tasks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.config import TaskSchema
from automtl.data.columns import as_numbers, row_of
from automtl.errors import DataError

__all__ = ["check_labels", "fit_tasks", "label_matrix"]

Labels = npt.NDArray[np.float32]
BOOLEANS = {"True": "1", "true": "1", "False": "0", "false": "0"}  # as programs write them


def label_matrix(
    frame: pl.DataFrame, columns: Mapping[str, str], tasks: Sequence[TaskSchema]
) -> Labels:
    """labels_NK in the order of `tasks`; `columns` maps a task to its label's column.

    Raises DataError for every task with an observed label that is not 0 or 1 (binary), not finite
    in float32 (regression), or not above 0 (`lognormal`).
    """
    by_name = {task.name: task for task in tasks}
    done: dict[str, npt.NDArray[np.float64]] = {}
    problems: list[str] = []

    def observed(task: TaskSchema) -> npt.NDArray[np.float64]:
        if task.name not in done:
            values_N = _numbers(frame[columns[task.name]], task)
            if task.given is not None:
                values_N = np.where(observed(by_name[task.given]) == 1, values_N, np.nan)
            problems.extend(_wrong_values(values_N, frame[columns[task.name]], task))
            done[task.name] = values_N
        return done[task.name]

    labels_NK = np.empty((frame.height, len(tasks)), dtype=np.float32)
    for index, task in enumerate(tasks):
        with np.errstate(over="ignore"):  # reported below
            labels_NK[:, index] = observed(task)
    if problems:
        raise DataError("\n".join(problems))
    return labels_NK


def _numbers(values: pl.Series, task: TaskSchema) -> npt.NDArray[np.float64]:
    if values.dtype == pl.String:
        values = values.replace(BOOLEANS)
    rule = "0 or 1" if task.kind == "binary" else "a number"
    hint = f"the {task.kind} task {task.name!r} needs {rule}, or null where it is not observed"
    return as_numbers(values, hint=hint).fill_null(float("nan")).to_numpy()


def _wrong_values(
    values_N: npt.NDArray[np.float64], column: pl.Series, task: TaskSchema
) -> list[str]:
    """One line if any observed label is wrong, with an example."""
    known_N = ~np.isnan(values_N)
    if task.kind == "binary":
        wrong_N = known_N & (values_N != 0) & (values_N != 1)
        rule = "is not 0 or 1; write 0 and 1 into the column (null where it is not observed)"
    else:
        wrong_N = known_N & (np.abs(values_N) > np.finfo(np.float32).max)
        rule = "is not a finite float32; write null where the label is not observed"
        if task.loss == "lognormal" and not wrong_N.any():
            wrong_N = known_N & (values_N.astype(np.float32) <= 0)
            rule = "is not above 0, which `loss: lognormal` needs; write null there, or use huber"
    if not wrong_N.any():
        return []
    row = row_of(pl.Series(wrong_N))
    return [
        f"column {column.name!r} (label of task {task.name!r}), row {row} (counted from 0):"
        f" {column[row]!r} {rule}; {int(wrong_N.sum())} rows are like this"
    ]


def check_labels(
    labels_NK: Labels, columns: Mapping[str, str], tasks: Sequence[TaskSchema], *, split: str
) -> None:
    """Raises DataError for every task whose observed labels in this split are all the same."""
    problems = []
    for index, task in enumerate(tasks):
        known_N = labels_NK[:, index][~np.isnan(labels_NK[:, index])]
        where = f"{split} rows" + (f" after {task.given!r} = 1" if task.given else "")
        place = f"column {columns[task.name]!r} (label of task {task.name!r})"
        if known_N.size == 0:
            problems.append(f"{place}: none of the {where} has a label")
        elif known_N.min() == known_N.max():
            problems.append(f"{place}: is {known_N[0]:g} on all {known_N.size} of the {where}")
    if problems:
        way_out = "a task needs different labels in train and valid; check column and split"
        raise DataError("\n".join(f"{problem}; {way_out}" for problem in problems))


def fit_tasks(tasks: Sequence[TaskSchema], labels_NK: Labels) -> tuple[TaskSchema, ...]:
    """The tasks with `mean` and `std` of each regression label's observed rows (given: train).

    Of the label's logarithm for `lognormal`. A constant label has std 1.
    """
    return tuple(
        _fit(task, labels_NK[:, index]) if task.kind == "regression" else task
        for index, task in enumerate(tasks)
    )


def _fit(task: TaskSchema, labels_N: Labels) -> TaskSchema:
    known_N = labels_N[~np.isnan(labels_N)].astype(np.float64)
    if task.loss == "lognormal":
        known_N = np.log(known_N)
    if known_N.size == 0:
        return task
    std = float(known_N.std())
    spread = std if known_N.min() < known_N.max() and std > 0 else 1.0
    return dataclasses.replace(task, mean=float(known_N.mean()), std=spread)
