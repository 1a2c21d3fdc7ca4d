"""What columns of vectors hold: always the same ones, places that never change, a label.

A vector tells a label by one direction: that from the mean of train rows without it to the mean of
those with it (of a number: by which each place goes with it), judged on valid rows.

Shapes: J rows looked at, D numbers of a vector.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automtl.config import DenseFeature, TaskSchema
from automtl.data.cache import EncodedData, Rows
from automtl.doctor.duplicates import row_numbers
from automtl.doctor.features import ColumnFacts
from automtl.doctor.finding import Finding
from automtl.doctor.leakage import Strength, score_strength
from automtl.doctor.sample import Sample, labels_of, samples_of

__all__ = ["VectorFacts", "check_vectors", "vector_facts"]

MAX_NUMBERS = 1 << 24  # of a split: 64 MB
ONE_VECTOR = 0.2  # of train rows have it
STILL = 0.1  # of its places never change

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorFacts:
    """`still` of `width` places never change in train."""

    column: ColumnFacts
    still: int
    width: int
    strengths: tuple[Strength, ...]


def vector_facts(data: EncodedData, *, max_rows: int) -> list[VectorFacts]:
    """Of each column of vectors."""
    found, first = [], len(data.features.numeric)
    for feature in data.features.dense:
        most = min(max_rows, max(1, MAX_NUMBERS // feature.width))
        samples = samples_of(data, max_rows=most)
        found.append(_facts(feature, first, samples, data.tasks))
        first += feature.width
    return found


def _facts(
    feature: DenseFeature, first: int, samples: Mapping[str, Sample], tasks: Sequence[TaskSchema]
) -> VectorFacts:
    vectors = {split: one.numbers(first, feature.width) for split, one in samples.items()}
    most = max(1, feature.width - 1)  # behind the numbers there may be an indicator
    is_missing = {split: ~found_JD[:, :most].any(axis=1) for split, found_JD in vectors.items()}
    train_JD = vectors["train"]
    counts = np.unique(row_numbers(_rows(train_JD)), return_counts=True)[1]
    strengths = []
    for index, task in enumerate(tasks):
        labels = labels_of(samples, index)
        direction_D = _direction(train_JD, labels["train"])
        scores_J = vectors["valid"] @ direction_D
        one = score_strength(feature.name, scores_J, labels["valid"], task, how="by one direction")
        strengths += [one] if one is not None else []
    return VectorFacts(
        column=ColumnFacts(
            name=feature.name,
            kind="dense",
            top_share=float(counts.max() / len(train_JD)),
            missing={split: float(found_J.mean()) for split, found_J in is_missing.items()},
            unseen={},
            drift={},
        ),
        still=int((np.ptp(train_JD, axis=0) == 0).sum()),
        width=feature.width,
        strengths=tuple(strengths),
    )


def _direction(train_JD: Vectors, label_J: NDArray[np.float32]) -> Vectors:
    """How each place [D] goes with the label, where that is known."""
    is_known_J = ~np.isnan(label_J)
    known_J = label_J[is_known_J]
    if not known_J.size:
        return np.zeros(train_JD.shape[1], dtype=np.float32)
    direction_D: Vectors = (known_J - known_J.mean()) @ train_JD[is_known_J]
    return direction_D


def _rows(vectors_JD: Vectors) -> Rows:
    none = np.zeros((len(vectors_JD), 0))
    return Rows(
        ids_NC=none.astype(np.int32), numeric_NF=vectors_JD, labels_NK=none.astype(np.float32)
    )


def check_vectors(found: Sequence[VectorFacts]) -> Iterator[Finding]:
    """Vectors that say nothing, or the same in many rows."""
    for one in found:
        name, share = one.column.name, one.column.top_share
        place, away = f"data.dense: {name}", f"take {name} away from data.dense"
        if share == 1:
            says = "never changes in train"
            yield Finding(severity="warning", check="constant", place=place, says=says, write=away)
            continue
        if share >= ONE_VECTOR:
            yield Finding(
                severity="note",
                check="one_vector",
                place=place,
                says=f"{100 * share:.0f} % of train rows have the same vector, or none",
                write="leave the field empty where there is none, if zeros stand for that",
            )
        if one.still >= STILL * one.width:
            yield Finding(
                severity="note",
                check="still_places",
                place=place,
                says=f"{one.still} of its {one.width} numbers never change in train",
            )
