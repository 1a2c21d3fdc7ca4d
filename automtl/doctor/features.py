"""What each feature holds, split by split: missing, never seen in train, always the same, drifted.

Drift is the total variation between a feature's values in train and in another split: the share of
rows that would have to change for the two to be alike. It needs no empty bin to be invented, as the
PSI does, and bounds what any model can tell of a row's split by this feature. Values that hold less
than RARE of train, or FEW rows, are one bin, and what two samples of one distribution would differ
by on average is taken off, so that neither rare ids nor few rows look like drift.

Shapes: J rows looked at, V codes, L items.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automtl.data.vocabulary import MISSING, UNSEEN
from automtl.doctor.finding import Finding
from automtl.doctor.sample import Column, Sample
from automtl.spec.data_block import ColumnSplit, SplitSpec, TimeSplit

__all__ = ["ColumnFacts", "check_column", "column_facts", "total_variation"]

Floats = NDArray[np.float64]
RARE = 1e-3
FEW = 20  # rows: what is chosen for its count in train was lucky there, rare values most of all
NEARLY = 0.999  # of the rows have one value
MISSING_NOTE = 0.5
UNSEEN_WARNING, UNSEEN_NOTE = 0.5, 0.2
# at t this feature alone tells valid rows from train rows with an AUC of (1 + t) / 2 at least and
# of 1 - (1 - t)^2 / 2 at most: 0.62 to 0.72
DRIFT = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFacts:
    """`missing`, `unseen` and `drift` are by split (`unseen`: of rows, for a sequence of items; ids
    only; `drift` from train). `top_share` is that of train's most frequent value, missing included.
    """

    name: str
    kind: str
    top_share: float
    missing: Mapping[str, float]
    unseen: Mapping[str, float]
    drift: Mapping[str, float]


def column_facts(
    column: Column, samples: Mapping[str, Sample], codes: Mapping[str, NDArray[Any]]
) -> ColumnFacts:
    """Of one feature; `samples` and their `codes` are of train and of what else has rows."""
    counts_V = {split: _counts(found, column) for split, found in codes.items()}
    has_ids = column.kind != "numeric"
    return ColumnFacts(
        name=column.name,
        kind=column.kind,
        top_share=_top_share(column, samples["train"], codes["train"], counts_V["train"]),
        missing={split: _missing(found) for split, found in codes.items()},
        unseen={
            split: float(counts[UNSEEN] / max(1, counts.sum() - counts[MISSING]))
            if column.kind == "sequence"
            else float(counts[UNSEEN] / max(1, counts.sum()))
            for split, counts in counts_V.items()
        }
        if has_ids
        else {},
        drift={
            split: total_variation(
                _known(counts_V["train"], column),
                _known(counts, column),
                num_rows=(len(samples["train"]), len(samples[split])),
            )
            for split, counts in counts_V.items()
            if split != "train"
        },
    )


def _counts(codes: NDArray[Any], column: Column) -> NDArray[np.int64]:
    return np.bincount(codes.ravel(), minlength=max(column.num_codes, UNSEEN + 1))


def _missing(codes: NDArray[Any]) -> float:
    """The share of rows without a value, or without a single item."""
    empty_J = (codes == MISSING) if codes.ndim == 1 else (codes == MISSING).all(axis=1)
    return float(empty_J.mean())


def _top_share(
    column: Column, train: Sample, codes: NDArray[Any], counts_V: NDArray[np.int64]
) -> float:
    """The share of rows (for a sequence: of items, or of empty rows) with the commonest value."""
    if column.kind == "sequence":
        num_items = counts_V[1:].sum()
        return max(_missing(codes), float(counts_V[1:].max() / num_items) if num_items else 1.0)
    if column.kind == "categorical":
        return float(counts_V.max() / max(1, counts_V.sum()))
    # a bin holds many values: count these
    values_J = np.where(train.is_missing(column), np.float32(np.nan), train.values(column))
    return float(np.unique(values_J, return_counts=True)[1].max() / len(values_J))


def _known(counts_V: NDArray[np.int64], column: Column) -> NDArray[np.int64]:
    """Without padding and without what train has never shown: these have numbers of their own."""
    if column.kind == "numeric":
        return counts_V
    left_out = [UNSEEN] if column.kind == "categorical" else [MISSING, UNSEEN]
    known_V = counts_V.copy()
    known_V[left_out] = 0
    return known_V


def total_variation(
    train_V: NDArray[np.int64], other_V: NDArray[np.int64], *, num_rows: tuple[int, int]
) -> float:
    """Between two counts of the same codes, from 0 to 1, less what chance alone would make.

    Chance is that of `num_rows` independent rows in each.
    """
    if not train_V.sum() or not other_V.sum():
        return 0.0
    is_frequent = train_V >= max(RARE * train_V.sum(), FEW)
    train, other = (
        np.append(counts[is_frequent], counts[~is_frequent].sum()) / counts.sum()
        for counts in (train_V, other_V)
    )
    weights = np.array(num_rows, dtype=np.float64)
    pooled = (train * weights[0] + other * weights[1]) / weights.sum()
    by_chance = np.sqrt(2 / np.pi * pooled * (1 - pooled) * (1 / weights).sum())
    return max(0.0, float(np.abs(train - other).sum() - by_chance.sum()) / 2)


# ---- what is worth a word ------------------------------------------------------------------


def check_column(column: Column, facts: ColumnFacts, split: SplitSpec) -> Iterator[Finding]:
    """Constant, missing, unseen, drifted. `split` is the spec's, by which the rows were split."""
    place, away = column.place, f"take {column.name} away from {column.place.partition(':')[0]}"
    if facts.top_share == 1:
        says = (
            "has no value in any train row"
            if facts.missing["train"] == 1
            else ("never changes in train")
        )
        yield Finding(severity="warning", check="constant", place=place, says=says, write=away)
        return
    if facts.top_share >= NEARLY:
        yield Finding(
            severity="note",
            check="nearly_constant",
            place=place,
            says=f"has one value in {100 * facts.top_share:.2f} % of train",
            write=f"{away}, if the rest is noise",
        )
    if facts.missing["train"] >= MISSING_NOTE:
        yield Finding(
            severity="note",
            check="missing",
            place=place,
            says=f"is missing in {100 * facts.missing['train']:.0f} % of train",
        )
    yield from _unseen(column, facts, split, away)
    yield from _drift(column, facts, split, away)


def _unseen(column: Column, facts: ColumnFacts, split: SplitSpec, away: str) -> Iterator[Finding]:
    shares = {name: share for name, share in facts.unseen.items() if name != "train"}
    if max(shares.values(), default=0.0) < UNSEEN_NOTE:
        return
    what = "items" if column.kind == "sequence" else "rows"
    said = " and ".join(f"{100 * share:.0f} % of {name} {what}" for name, share in shares.items())
    rare = facts.unseen["train"]
    in_train = f" (and in {100 * rare:.0f} % of train, too rare for a place)" if rare > 0.01 else ""
    write = f"{away}, or split by time"
    if getattr(split, "group", None) == column.name:
        write = f"{away}: the split is by {column.name}, so valid and test have none of train's"
    elif isinstance(split, TimeSplit | ColumnSplit):
        write = f"{away}, or take something that comes again"
    yield Finding(
        severity="warning" if max(shares.values()) >= UNSEEN_WARNING else "note",
        check="unseen",
        place=column.place,
        says=f"{said} hold an id never seen in train{in_train}",
        write=write,
    )


def _drift(column: Column, facts: ColumnFacts, split: SplitSpec, away: str) -> Iterator[Finding]:
    """By time, values may drift, and such a split is there to show what that costs; rows or groups
    chosen at random must not."""
    worst = max(facts.drift, key=lambda name: facts.drift[name], default=None)
    if worst is None or facts.drift[worst] < DRIFT:
        return
    may_drift = isinstance(split, TimeSplit | ColumnSplit)
    yield Finding(
        severity="note" if may_drift else "warning",
        check="drift",
        place=column.place,
        says=f"{100 * facts.drift[worst]:.0f} % of {worst} rows would have to change for its values"
        " to be those of train (total variation, chance taken off)",
        write=f"{away}, or look at how {worst} rows were chosen",
    )
