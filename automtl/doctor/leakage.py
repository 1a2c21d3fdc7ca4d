"""Whether one feature alone tells a label: then it is the label, or known only after it.

A number speaks for itself, in both directions, and by the rate of its bin. An id speaks by the
rate of train rows that have it, drawn towards the mean, and is judged on VALID rows, so that an id
of few rows cannot know their labels by heart. A list speaks by the highest and by the mean rate of
its items. Regression labels: (1 + |rank correlation|) / 2 stands for the AUC.

Shapes: J rows with a label, V codes, L items.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automtl.config import TaskSchema
from automtl.data.vocabulary import MISSING
from automtl.doctor.finding import Finding, Severity
from automtl.doctor.order import auc, auc_of_rows, rank_correlation
from automtl.doctor.sample import Column

__all__ = ["LEAK", "SUSPECT", "Strength", "check_leaks", "score_strength", "strength"]

Floats = NDArray[np.float64]
LEAK, SUSPECT = 0.99, 0.95
FAR_AHEAD = 4
EXACT = {"binary": 1.0, "regression": 1 - 1e-6}  # ranks are not exact: float32 makes ties
MIN_OF_A_KIND = 10  # positives and negatives: with fewer, an AUC of 0.95 may be luck
SURE_OF_A_KIND = 50  # to call an AUC of 1 no luck
PULL = 10.0  # rows at the mean rate that every id is given


@dataclass(frozen=True, slots=True, kw_only=True)
class Strength:
    """What one feature alone tells of one task on valid rows. `auc` from 0.5 to 1; `how` says by
    what; `is_exact`: the labels are told without an exception, on enough rows to be sure."""

    task: str
    feature: str
    auc: float
    how: str
    is_exact: bool


def strength(
    column: Column,
    codes: Mapping[str, NDArray[Any]],
    labels: Mapping[str, NDArray[np.float32]],
    task: TaskSchema,
    *,
    values_J: NDArray[np.float32] | None = None,
) -> Strength | None:
    """Of one feature for one task; None where too few valid rows have the label.

    `codes` (`Sample.codes`) and `labels` are of train and valid, `values_J` the numbers of valid
    for a numeric feature.
    """
    is_known_J = ~np.isnan(labels["valid"])
    label_J = labels["valid"][is_known_J].astype(np.float64)
    rarer = _rarer(label_J, task)
    if rarer < MIN_OF_A_KIND:
        return None
    known_codes = codes["valid"][is_known_J]
    rate_V = _rates(codes["train"], labels["train"], column)
    found: list[tuple[float, str]] = []
    if column.kind == "sequence":
        rates_JL = rate_V[known_codes]
        is_item_JL = known_codes != MISSING
        mean_J = np.where(is_item_JL, rates_JL, 0).sum(1) / np.maximum(1, is_item_JL.sum(1))
        none_J = ~is_item_JL.any(axis=1)
        mean_J[none_J] = rate_V[MISSING]
        most_J = np.where(is_item_JL, rates_JL, -np.inf).max(axis=1)
        most_J[none_J] = rate_V[MISSING]
        found.append((_area(mean_J, label_J, task), "by the mean rate of its items"))
        found.append((_area(most_J, label_J, task), "by the highest rate of its items"))
    elif task.kind == "binary":
        positive_V, all_V = (
            np.bincount(known_codes, weights, minlength=len(rate_V)) for weights in (label_J, None)
        )
        is_there = np.flatnonzero(all_V)
        area = auc(rate_V[is_there], positive_V[is_there], all_V[is_there] - positive_V[is_there])
        found.append((area, "by the rate of each value"))
    else:
        found.append((_area(rate_V[known_codes], label_J, task), "by the mean of each value"))
    if values_J is not None:
        area = _area(values_J[is_known_J], label_J, task)
        found.append((max(area, 1 - area), "by the number itself"))
    best, how = max(found, key=lambda one: one[0])
    return Strength(
        task=task.name,
        feature=column.name,
        auc=best,
        how=how,
        is_exact=best >= EXACT[task.kind] and rarer >= SURE_OF_A_KIND,
    )


def score_strength(
    feature: str,
    scores_J: NDArray[np.float32],
    label_J: NDArray[np.float32],
    task: TaskSchema,
    *,
    how: str,
) -> Strength | None:
    """What scores of valid rows tell of one task; None where too few of them have the label."""
    is_known_J = ~np.isnan(label_J)
    known_J = label_J[is_known_J].astype(np.float64)
    rarer = _rarer(known_J, task)
    if rarer < MIN_OF_A_KIND:
        return None
    area = _area(scores_J[is_known_J], known_J, task)
    area = max(area, 1 - area)
    is_exact = area >= EXACT[task.kind] and rarer >= SURE_OF_A_KIND
    return Strength(task=task.name, feature=feature, auc=area, how=how, is_exact=is_exact)


def _rarer(label_J: Floats, task: TaskSchema) -> int:
    if task.kind == "regression":
        return len(label_J)
    num_positive = int(np.count_nonzero(label_J))
    return min(num_positive, len(label_J) - num_positive)


def _rates(codes: NDArray[Any], label_J: NDArray[np.float32], column: Column) -> Floats:
    """The label's mean [V] over the train rows (or items) of each code, drawn to that of all."""
    is_known_J = ~np.isnan(label_J)
    known, label_J = codes[is_known_J], label_J[is_known_J].astype(np.float64)
    mean = float(label_J.mean()) if label_J.size else 0.0
    if known.ndim == 2:  # padding would count an empty row many times
        is_empty_J = ~known.any(axis=1)
        known = np.concatenate([known[known != MISSING], known[is_empty_J, 0]])
        weights = np.concatenate(
            [np.repeat(label_J, (codes[is_known_J] != MISSING).sum(axis=1)), label_J[is_empty_J]]
        )
    else:
        weights = label_J
    count_V = np.bincount(known, minlength=column.num_codes)
    total_V = np.bincount(known, weights, minlength=column.num_codes)
    return np.asarray((total_V + PULL * mean) / (count_V + PULL))


def _area(scores_J: NDArray[Any], label_J: Floats, task: TaskSchema) -> float:
    if task.kind == "binary":
        return auc_of_rows(scores_J, label_J == 1)
    correlation = rank_correlation(scores_J, label_J)
    return 0.5 if np.isnan(correlation) else (1 + correlation) / 2


# ---- what is worth a word ------------------------------------------------------------------


def check_leaks(strengths: Sequence[Strength], places: Mapping[str, str]) -> Iterator[Finding]:
    """A finding for every feature that tells a task nearly alone; `places` are those of features.

    Between SUSPECT and LEAK a feature may be a good one. It is taken for a leak where it leaves
    less than a FAR_AHEAD-th of the pairs in wrong order that the best unsuspected feature leaves:
    what is known beforehand seldom tells so much more than all the rest.
    """
    for one in strengths:
        if one.auc <= SUSPECT:
            continue
        others = [
            other
            for other in strengths
            if other.task == one.task and other.auc <= SUSPECT and other.feature != one.feature
        ]
        runner_up = max(others, key=lambda other: other.auc, default=None)
        yield _finding(one, runner_up, places[one.feature])


def _finding(one: Strength, runner_up: Strength | None, place: str) -> Finding:
    away = f"take {one.feature} away from {place.partition(':')[0]}"
    level = f"{one.task} with an AUC of {one.auc:.4f} on valid rows, {one.how}"
    if runner_up is not None:
        level += f" (the best of the others: {runner_up.auc:.4f})"
    rest = 1 - (0.5 if runner_up is None else runner_up.auc)
    severity: Severity = "warning"
    if one.is_exact:
        severity, says = "error", f"tells {one.task} without an exception, {one.how}"
        write = f"{away}: it is the label, or follows from it"
    elif one.auc > LEAK or FAR_AHEAD * (1 - one.auc) <= rest:
        says = f"LEAK? alone it tells {level}"
        write = f"{away}, unless it is known before {one.task} happens"
    else:
        severity, says = "note", f"alone it tells {level}"
        write = f"check that it is known before {one.task} happens"
    return Finding(severity=severity, check="leak", place=place, says=says, write=write)
