"""Which trials are trained again, and with which seeds: a function of the study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from automtl import pareto, records
from automtl.config import Objective, TrialConfig
from automtl.errors import RunError
from automtl.records import TrialRecord
from automtl.study import Study

__all__ = ["Rerun", "Selection", "reruns", "select", "spread"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The trials that are trained again: some of the front, the reference, defaults of families.
    A trial may be in several."""

    candidates: tuple[TrialRecord, ...]
    reference: TrialRecord | None
    baselines: tuple[TrialRecord, ...]

    @property
    def trials(self) -> tuple[TrialRecord, ...]:
        """Each once: candidates first."""
        reference = () if self.reference is None else (self.reference,)
        found = {one.number: one for one in (*self.candidates, *reference, *self.baselines)}
        return tuple(found.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """One training of a selected trial's configuration with a fresh seed."""

    key: str
    trial: int
    config: TrialConfig
    seed: int


def select(study: Study, *, candidates: int, baselines: bool) -> Selection:
    """Up to `candidates` trials spread over the front, and what they are compared with.

    RunError if there is no front yet.
    """
    front = study.front()
    if not front:
        raise RunError(
            f"{study.run_dir}: no trial is on the front, so there is nothing to confirm; "
            "go on searching with --resume"
        )
    defaults = [one for one in study.trials() if one.role == "baseline" and one.values]
    return Selection(
        candidates=spread(front, study.objectives, candidates),
        reference=study.reference(),
        baselines=tuple(defaults) if baselines else (),
    )


def spread(
    front: Sequence[TrialRecord], objectives: Sequence[Objective], count: int
) -> tuple[TrialRecord, ...]:
    """`count` members of a front, in its order: the knee, then, one after the other, the one that
    adds most hypervolume to those chosen. Of equal ones the first is taken.

    Greedy, and so at least 1 - 1/e of the best choice's volume (Guerreiro et al. 2016).
    """
    if len(front) <= count:
        return tuple(front)
    losses_NM = records.losses(front, objectives)
    ref_M = pareto.reference_point(losses_NM)
    chosen = [pareto.knee(losses_NM)]
    while len(chosen) < count:
        volumes = [
            -1.0 if i in chosen else pareto.hypervolume(losses_NM[[*chosen, i]], ref_M)
            for i in range(len(front))
        ]
        chosen.append(int(np.argmax(volumes)))
    return tuple(front[i] for i in sorted(chosen))


def reruns(selection: Selection, *, seeds: int, study_seed: int) -> tuple[Rerun, ...]:
    """Every selected trial with every seed; the first seed of all comes first, so that whoever
    stops early has something of each. More seeds repeat none of the fewer."""
    return tuple(
        Rerun(
            key=f"{trial.id}:{index}",
            trial=trial.number,
            config=trial.config,
            seed=_fresh_seed(study_seed, trial.number, index),
        )
        for index in range(seeds)
        for trial in selection.trials
    )


def _fresh_seed(study_seed: int, trial: int, index: int) -> int:
    """Another stream than that of the search's own trials (`search.loop.trial_seed`)."""
    sequence = np.random.SeedSequence(study_seed, spawn_key=(trial, 1 + index))
    return int(sequence.generate_state(1)[0])
