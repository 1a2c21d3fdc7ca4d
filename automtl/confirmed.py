"""What retraining with fresh seeds has found, as plain values, and what is decided by it.

`RUN/confirm/results.json` holds one `Confirmation`. Every decision here goes by the means over the
seeds on VALIDATION rows; TEST rows, which nothing was decided by, only report.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from automtl import pareto, rundir
from automtl.config import Objective, from_jsonable, to_jsonable
from automtl.errors import RunError
from automtl.files import written_whole

__all__ = [
    "Confirmation",
    "ConfirmedModel",
    "Measure",
    "Versus",
    "confirmed_front",
    "confirmed_knee",
    "kept_run",
    "losses",
    "read_confirmation",
    "write_confirmation",
]

RESULTS = "results.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Versus:
    """A model against another on the same TEST rows: `difference` in the metric's units, + is
    better, with its 95 % interval; `p_value` of no difference, and `p_adjusted` by Holm (1979)
    over all comparisons of its table."""

    difference: float
    low: float
    high: float
    p_value: float
    p_adjusted: float

    @property
    def is_told_apart(self) -> bool:
        """At 5 % over the whole table."""
        return self.p_adjusted < 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One objective of one model: its value by seed, the mean, and how sure that is at 95 %.

    `seed_low` and `seed_high` hold the rows fixed, `row_error` (a standard error) the seeds; `low`
    and `high` hold nothing fixed. None where it cannot be known: one seed, validation rows, too few
    positives.
    """

    by_seed: tuple[float, ...]
    mean: float
    seed_low: float | None = None
    seed_high: float | None = None
    row_error: float | None = None
    low: float | None = None
    high: float | None = None
    versus_reference: Versus | None = None
    versus_suggested: Versus | None = None

    @property
    def seed_error(self) -> float:
        """The standard error of the mean over the seeds; 0 for one seed."""
        count = len(self.by_seed)
        return float(np.std(self.by_seed, ddof=1)) / count**0.5 if count > 1 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmedModel:
    """A configuration that was trained again, or (`trial` None) a reference from outside.

    `runs` are its runs in the confirming study that came to their end, `kept` the one whose
    validation score is the median and whose weights are kept. `may_lead`: feasible, and in the
    space that was searched.
    """

    trial: int | None
    name: str
    family: str
    is_candidate: bool = False
    is_baseline: bool = False
    is_reference: bool = False
    may_lead: bool = False
    runs: tuple[int, ...] = ()
    num_failed: int = 0
    kept: int | None = None
    costs: Mapping[str, float] = field(default_factory=dict)
    valid: Mapping[str, Measure] = field(default_factory=dict)
    test: Mapping[str, Measure] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.name if self.trial is None else rundir.trial_id(self.trial)

    @property
    def is_contender(self) -> bool:
        """Whether it may be picked from the confirmed front: a candidate that may lead, and every
        seed of it came to its end."""
        return self.is_candidate and self.may_lead and bool(self.runs) and not self.num_failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """All models, candidates first in the order of the search's front, then the reference and the
    baselines. `group` is the column whose `num_groups` values were taken for independent, None if
    rows were."""

    seeds: int
    group: str | None
    num_groups: int
    num_test_rows: int
    models: tuple[ConfirmedModel, ...]

    def model(self, trial: int) -> ConfirmedModel | None:
        return next((one for one in self.models if one.trial == trial), None)

    @property
    def reference(self) -> ConfirmedModel | None:
        return next((one for one in self.models if one.is_reference), None)

    @property
    def outside(self) -> ConfirmedModel | None:
        return next((one for one in self.models if one.trial is None), None)


# ---- decisions -----------------------------------------------------------------------------


def losses(models: Sequence[ConfirmedModel], objectives: Sequence[Objective]) -> pareto.Floats:
    """losses_NM of the validation means; costs as they are (`pareto.to_losses`)."""
    rows = [
        [
            model.costs[one.name] if one.task is None else model.valid[one.name].mean
            for one in objectives
        ]
        for model in models
    ]
    return pareto.to_losses(rows, objectives)


def confirmed_front(
    confirmation: Confirmation, objectives: Sequence[Objective]
) -> tuple[ConfirmedModel, ...]:
    """The candidates that no other one dominates by validation means, best in the first objective
    first; a candidate of which a seed failed is none."""
    contenders = [one for one in confirmation.models if one.is_contender]
    return tuple(contenders[i] for i in pareto.front_order(losses(contenders, objectives)))


def confirmed_knee(
    confirmation: Confirmation, objectives: Sequence[Objective]
) -> ConfirmedModel | None:
    """The suggested compromise of the confirmed front (`pareto.knee`)."""
    front = confirmed_front(confirmation, objectives)
    return front[pareto.knee(losses(front, objectives))] if front else None


def kept_run(confirmation: Confirmation | None, trial: int) -> int | None:
    """The run in the confirming study that stands for a trial: it is exported and looked into. None
    where the search's own training does: the trial was not confirmed, or no run of it has ended."""
    model = None if confirmation is None else confirmation.model(trial)
    return None if model is None else model.kept


# ---- the file ------------------------------------------------------------------------------


def write_confirmation(run_dir: Path, confirmation: Confirmation) -> None:
    path = run_dir / rundir.CONFIRM / RESULTS
    with written_whole(path) as aside:
        text = json.dumps(to_jsonable(confirmation), indent=1, allow_nan=False) + "\n"
        aside.write_text(text, encoding="utf-8")


def read_confirmation(run_dir: Path) -> Confirmation | None:
    """What was confirmed of the run; None if nothing was. RunError if the file is damaged."""
    path = run_dir / rundir.CONFIRM / RESULTS
    try:
        return from_jsonable(Confirmation, json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())
        raise RunError(f"{path}: is damaged ({why}); delete it, and confirm again") from error
