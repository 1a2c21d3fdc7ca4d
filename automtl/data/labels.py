"""Labels as a float32 matrix, NaN where a label is not observed, and what must hold for them.

A label is not observed where the file has null, and, for a task with `given`, where the condition
does not hold: its label is not 1, or is itself not observed. Only observed labels are checked, so
a log may hold anything in `spend` where nothing was bought.

Shapes: N rows, K tasks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.config import TaskSchema
from automtl.data.batch import Batch
from automtl.data.coded import Distinct
from automtl.data.columns import ColumnError, Wrong, number_array, row_of
from automtl.data.evaluate import BOOLEANS, label_values
from automtl.data.expression import Column, is_column, parse_label
from automtl.data.scaling import Moments
from automtl.data.written import plain_numbers

__all__ = ["LabelStats", "after_conditions", "label_matrix"]

Labels = npt.NDArray[np.float32]
F = TypeVar("F", np.float32, np.float64)


def label_matrix(batch: Batch, labels: Mapping[str, str], tasks: Sequence[TaskSchema]) -> Labels:
    """labels_NK in the order of `tasks`; `labels` maps a task to its column or expression.

    Raises ColumnError for every task with an observed label that is not 0 or 1 (binary), not finite
    in float32 (regression), or not above 0 (`lognormal`).
    """
    by_name = {task.name: task for task in tasks}
    done: dict[str, npt.NDArray[np.float64]] = {}
    problems: list[Wrong] = []

    def observed(task: TaskSchema) -> npt.NDArray[np.float64]:
        if task.name not in done:
            label = labels[task.name]
            values_N = _numbers(batch, label, task)
            if task.given is not None:
                values_N = _after(observed(by_name[task.given]), values_N)
            problems.extend(_wrong_values(values_N, batch, label, task))
            done[task.name] = values_N
        return done[task.name]

    labels_NK = np.empty((batch.height, len(tasks)), dtype=np.float32)
    for index, task in enumerate(tasks):
        with np.errstate(over="ignore"):  # reported below
            labels_NK[:, index] = observed(task)
    if problems:
        raise ColumnError(problems)
    return labels_NK


def after_conditions(labels_NK: Labels, tasks: Sequence[TaskSchema]) -> Labels:
    """Labels as they are -> NaN where a task's condition does not hold, or is not observed."""
    by_name = dict(zip((task.name for task in tasks), labels_NK.T, strict=True))
    given = {task.name: task.given for task in tasks}

    def observed(name: str) -> npt.NDArray[np.float32]:
        condition = given[name]
        return by_name[name] if condition is None else _after(observed(condition), by_name[name])

    return np.stack([observed(task.name) for task in tasks], axis=1)


def _after(condition_N: npt.NDArray[F], values_N: npt.NDArray[F]) -> npt.NDArray[F]:
    return np.where(condition_N == 1, values_N, np.nan).astype(values_N.dtype, copy=False)


def _numbers(batch: Batch, label: str, task: TaskSchema) -> npt.NDArray[np.float64]:
    tree = parse_label(label)
    if isinstance(tree, Column):
        if (numbers_N := batch.floats(tree.name)) is not None:
            return numbers_N
        if (coded := batch.coded(tree.name)) is not None:
            with suppress(ColumnError):  # of a value, perhaps of no row; below it is one of a row
                return np.append(_of_text(coded.distinct), np.nan).take(coded.codes_N)
    values = label_values(batch, label)
    if values.dtype == pl.String:
        values = values.replace(BOOLEANS)
    rule = "0 or 1" if task.kind == "binary" else "a number"
    hint = f"the {task.kind} task {task.name!r} needs {rule}, or null where it is not observed"
    return number_array(values, hint=hint)


def _of_text(distinct: Distinct) -> npt.NDArray[np.float64]:
    """The numbers that some text stands for, NaN for none. Raises ColumnError."""
    plain_D = plain_numbers(distinct.array)
    return number_array(distinct.values.replace(BOOLEANS), hint="") if plain_D is None else plain_D


def _wrong_values(
    values_N: npt.NDArray[np.float64], batch: Batch, label: str, task: TaskSchema
) -> list[Wrong]:
    """One if any observed label is wrong, with an example."""
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
    count = f"{int(wrong_N.sum())} of the {len(values_N)} rows read with it are like this"
    value = label_values(batch, label)[row]
    return [Wrong(_place(label, task), f"{value!r} {rule}; {count}", row)]


def _place(label: str, task: TaskSchema) -> str:
    if is_column(label):
        return f"column {label!r} (label of task {task.name!r})"
    return f"label {label!r} of task {task.name!r}"


class LabelStats:
    """What is known of each task's observed labels in some rows; parts of the rows merge."""

    def __init__(self, tasks: Sequence[TaskSchema]) -> None:
        self._tasks = tasks
        self._counts = [0] * len(tasks)
        self._lows = [np.inf] * len(tasks)
        self._highs = [-np.inf] * len(tasks)
        self._moments = [Moments() for _ in tasks]

    def add(self, labels_NK: Labels) -> None:
        for index, task in enumerate(self._tasks):
            known_N = labels_NK[:, index]
            known_N = known_N[~np.isnan(known_N)]
            if not known_N.size:
                continue
            self._counts[index] += known_N.size
            self._lows[index] = min(self._lows[index], float(known_N.min()))
            self._highs[index] = max(self._highs[index], float(known_N.max()))
            if task.kind == "regression":
                values_N = known_N.astype(np.float64)
                values_N = np.log(values_N) if task.loss == "lognormal" else values_N
                self._moments[index].add(values_N)

    def merge(self, other: LabelStats) -> None:
        for index in range(len(self._tasks)):
            self._counts[index] += other._counts[index]
            self._lows[index] = min(self._lows[index], other._lows[index])
            self._highs[index] = max(self._highs[index], other._highs[index])
            self._moments[index].merge(other._moments[index])

    def problems(self, labels: Mapping[str, str], *, split: str) -> list[str]:
        """A line for every task whose observed labels, those of `split`, are all the same."""
        problems = []
        for index, task in enumerate(self._tasks):
            where = f"{split} rows" + (f" after {task.given!r} = 1" if task.given else "")
            place = _place(labels[task.name], task)
            way_out = "a task needs different labels in train and valid; check column and split"
            count, low = self._counts[index], self._lows[index]
            if count == 0:
                problems.append(f"{place}: none of the {where} has a label; {way_out}")
            elif low == self._highs[index]:
                problems.append(f"{place}: is {low:g} on all {count} of the {where}; {way_out}")
        return problems

    def fitted(self) -> tuple[TaskSchema, ...]:
        """The tasks with `mean` and `std` of each regression label (given: those of train rows).

        Of the label's logarithm for `lognormal`. A constant label has std 1.
        """
        tasks = []
        for task, moments in zip(self._tasks, self._moments, strict=True):
            of_label = moments.scaling(task.name)
            if task.kind == "regression" and moments.bounds():
                task = dataclasses.replace(task, mean=of_label.mean, std=of_label.std)
            tasks.append(task)
        return tuple(tasks)
