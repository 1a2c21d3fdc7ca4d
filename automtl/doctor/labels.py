"""How often each label is 1, split by split, and whether that is enough to learn and to judge.

Shapes: N rows of a split, K tasks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automtl.config import TaskSchema
from automtl.data.cache import EncodedData
from automtl.doctor.finding import Finding, Severity
from automtl.doctor.order import Z, auc_reach, positives_for_reach
from automtl.search.fidelity import MIN_POSITIVES

__all__ = ["LabelCounts", "check_labels", "check_outside", "count_labels"]

BLOCK = 1 << 20  # rows
REACH_WARNING = 0.05  # of an AUC: as much as architectures ever differ by
REACH_NOTE = 0.02  # about what the better half of architectures differ by
RATIO_WARNING, RATIO_NOTE = 1.5, 1.2  # of rates between splits
SHIFT_WARNING, SHIFT_NOTE = 0.5, 0.2  # of means, in train's standard deviations
OUTSIDE_WARNING = 0.25  # of a label's positives without its condition


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCounts:
    """A task's label in one split. `rate`: of the `num_observed` rows, with `given` those after its
    condition; a mean for regression, with its `std`. `joint_rate`: of all rows."""

    task: str
    split: str
    kind: str
    given: str | None
    num_rows: int
    num_observed: int
    num_positive: int
    rate: float
    joint_rate: float
    std: float

    @property
    def num_negative(self) -> int:
        return self.num_observed - self.num_positive


def count_labels(data: EncodedData) -> tuple[LabelCounts, ...]:
    """Of every task and every split that has rows, over all rows."""
    return tuple(
        _count(data.rows(split).labels_NK[:, index], task, split)
        for index, task in enumerate(data.tasks)
        for split, num_rows in data.num_rows.items()
        if num_rows
    )


def _count(label_N: NDArray[np.float32], task: TaskSchema, split: str) -> LabelCounts:
    observed = positive = 0
    total = squares = 0.0
    for start in range(0, len(label_N), BLOCK):
        known = label_N[start : start + BLOCK].astype(np.float64)
        known = known[~np.isnan(known)]
        observed += known.size
        positive += int(np.count_nonzero(known == 1))
        total += float(known.sum())
        squares += float(np.square(known - task.mean).sum())  # near the mean: nothing cancels
    mean = total / observed if observed else math.nan
    variance = squares / observed - (mean - task.mean) ** 2 if observed else math.nan
    is_binary = task.kind == "binary"
    return LabelCounts(
        task=task.name,
        split=split,
        kind=task.kind,
        given=task.given,
        num_rows=len(label_N),
        num_observed=observed,
        num_positive=positive if is_binary else observed,
        rate=mean,
        joint_rate=positive / len(label_N) if is_binary else math.nan,
        std=math.sqrt(max(0.0, variance)) if observed else math.nan,
    )


# ---- enough of them? -----------------------------------------------------------------------


def check_labels(counts: tuple[LabelCounts, ...]) -> Iterator[Finding]:
    """Too few to learn from or to judge by, and rates that differ between splits."""
    by_task: dict[str, dict[str, LabelCounts]] = {}
    for one in counts:
        by_task.setdefault(one.task, {})[one.split] = one
    for splits in by_task.values():
        yield from _enough_to_learn(splits["train"])
        for split in ("valid", "test"):
            if split in splits:
                yield from _enough_to_judge(splits[split])
                yield from _drift(splits["train"], splits[split])


def _enough_to_learn(train: LabelCounts) -> Iterator[Finding]:
    rarer = train.num_positive
    if train.kind == "binary":
        rarer = min(train.num_positive, train.num_negative)
    if rarer < MIN_POSITIVES:
        side = "rows with a label"
        if train.kind == "binary":
            side = "positives" if rarer == train.num_positive else "negatives"
        yield Finding(
            severity="warning",
            check="few_labels",
            place=f"tasks.{train.task}",
            says=f"train has {rarer:,} {side}; below {MIN_POSITIVES} a model learns little and no"
            " trial is judged early",
            write="take more rows, or leave the task out",
        )


def _enough_to_judge(counts: LabelCounts) -> Iterator[Finding]:
    if counts.kind != "binary":
        return
    place = f"tasks.{counts.task}"
    if not counts.num_positive or not counts.num_negative:
        side = "positives" if not counts.num_positive else "negatives"
        yield Finding(
            severity="warning",
            check="few_labels",
            place=place,
            says=f"{counts.split} has no {side} among {counts.num_observed:,} labels: no AUC",
            write="give it more rows: data.split",
        )
        return
    reach = auc_reach(counts.num_positive, counts.num_negative)
    if reach <= REACH_NOTE:
        return
    aim = REACH_WARNING if reach > REACH_WARNING else REACH_NOTE
    needed = positives_for_reach(aim, counts.rate)
    yield Finding(
        severity="warning" if reach > REACH_WARNING else "note",
        check="few_labels",
        place=place,
        says=f"{counts.split} has {counts.num_positive:,} positives: a model's AUC is known to"
        f" ±{reach:.3f} (95 %, near 0.75); ±{aim:g} needs about {needed:,}",
        write=f"give {counts.split} a larger share of the rows, or take more rows",
    )


# ---- the same everywhere? ------------------------------------------------------------------


def _drift(train: LabelCounts, other: LabelCounts) -> Iterator[Finding]:
    if not train.num_observed or not other.num_observed:
        return
    if train.kind == "binary":
        low, high, said = _ratio(train, other)
    else:
        low, high, said = _shift(train, other)
    away = max(low, -high, 0.0)  # the end that is nearer to "no drift", in units of `_grade`
    severity = _grade(away, binary=train.kind == "binary")
    if severity is not None:
        yield Finding(
            severity=severity,
            check="label_drift",
            place=f"tasks.{train.task}",
            says=said,
            write=f"look at how {other.split} rows were chosen: data.split",
        )


def _grade(away: float, *, binary: bool) -> Severity | None:
    limits = (
        (math.log(RATIO_WARNING), math.log(RATIO_NOTE)) if binary else (SHIFT_WARNING, SHIFT_NOTE)
    )
    return "warning" if away > limits[0] else "note" if away > limits[1] else None


def _ratio(train: LabelCounts, other: LabelCounts) -> tuple[float, float, str]:
    """The interval of the logarithm of the rates' ratio, and the sentence."""
    # half a case on each side: a rate of 0 has an interval, too
    rates = [(one.num_positive + 0.5) / (one.num_observed + 1) for one in (train, other)]
    variance = sum(
        (1 - rate) / ((one.num_observed + 1) * rate)
        for rate, one in zip(rates, (train, other), strict=True)
    )
    log_ratio, reach = math.log(rates[1] / rates[0]), Z * math.sqrt(variance)
    low, high = log_ratio - reach, log_ratio + reach
    after = f" after {train.given}" if train.given else ""
    said = (
        f"its rate{after} is {_percent(train.rate)} in train and {_percent(other.rate)} in"
        f" {other.split}: {math.exp(log_ratio):.2f} times as much"
        f" [{math.exp(low):.2f}, {math.exp(high):.2f}]"
    )
    return low, high, said


def _shift(train: LabelCounts, other: LabelCounts) -> tuple[float, float, str]:
    """The interval of the difference of means in train's standard deviations, and the sentence."""
    spread = train.std or 1.0
    shift = (other.rate - train.rate) / spread
    variance = train.std**2 / train.num_observed + other.std**2 / other.num_observed
    reach = Z * math.sqrt(variance) / spread
    said = (
        f"its mean is {train.rate:.4g} in train and {other.rate:.4g} in {other.split}:"
        f" {shift:+.2f} standard deviations [{shift - reach:+.2f}, {shift + reach:+.2f}]"
    )
    return shift - reach, shift + reach, said


# ---- conditions ----------------------------------------------------------------------------


def check_outside(
    outside: Mapping[str, tuple[int, int]], given: Mapping[str, str]
) -> list[Finding]:
    """`outside`: by task, (positives of the raw label where its condition does not hold, all)."""
    return [
        Finding(
            severity="warning" if without / total > OUTSIDE_WARNING else "note",
            check="outside_condition",
            place=f"tasks.{task}",
            says=f"{without:,} of the {total:,} positives of its label"
            f" ({_percent(without / total)}) are where {given[task]} is not 1; they count as not"
            " observed",
            write=f"write the task without given: {given[task]}, if they matter",
        )
        for task, (without, total) in outside.items()
        if without
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.3g} %"
