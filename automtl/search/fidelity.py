"""Where a trial is evaluated on its way: the rungs, in epochs of the train rows.

Fidelity is the number of training examples seen. Rungs are the same numbers for all trials of a
study, whatever their own `epochs`, so that a rung compares like with like.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from automtl.config import TaskSchema
from automtl.data.cache import Rows
from automtl.spec.domains import largest
from automtl.spec.schema import SearchSpec, Spec

__all__ = ["MIN_POSITIVES", "Ladder", "asked_rungs", "count_positives", "make_ladder"]

MIN_POSITIVES = 200  # of the rarest task, seen in training before a trial is judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """`rungs` in epochs, rising; a trial's own end is not among them. `why` says, in a sentence,
    why there are fewer than were asked for, "" if there are not."""

    rungs: tuple[float, ...]
    why: str = ""


def asked_rungs(search: SearchSpec) -> tuple[float, ...]:
    """In epochs, rising: below the longest trial's each rung has 1/eta of the examples of the
    next."""
    longest = float(largest(search.epochs))
    return tuple(longest / search.eta**power for power in reversed(range(1, search.rungs)))


def make_ladder(spec: Spec, positives: dict[str, int]) -> Ladder:
    """The rungs of a search over rows with so many train positives a task (`count_positives`).

    Of those that are asked for, one at which a trial has seen fewer than MIN_POSITIVES of the
    rarest task is left out.
    """
    asked = asked_rungs(spec.search)
    rarest = min(positives, key=lambda name: positives[name])
    rungs = tuple(epochs for epochs in asked if epochs * positives[rarest] >= MIN_POSITIVES)
    if len(rungs) == len(asked):
        return Ladder(rungs=rungs)
    rest = f"the first rung is at {rungs[0]:.3g} epochs" if rungs else "no trial stops early"
    return Ladder(
        rungs=rungs,
        why=f"{rarest} has {positives[rarest]:,} positives in train and a trial is judged after"
        f" {MIN_POSITIVES} of them: {rest}",
    )


def count_positives(rows: Rows, tasks: Iterable[TaskSchema]) -> dict[str, int]:
    """Train positives by task; for regression, the rows that have a label."""
    return {
        task.name: int(
            np.count_nonzero(label_N == 1)
            if task.kind == "binary"
            else np.count_nonzero(~np.isnan(label_N))
        )
        for task, label_N in zip(tasks, rows.labels_NK.T, strict=True)
    }
