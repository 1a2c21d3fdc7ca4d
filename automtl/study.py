"""One search on disk: the lock of what is searched, every trial, every evaluation, the weights.

    RUN/study.json    the lock: the whole spec, versions, seed, fingerprint of the rows, command
    RUN/spec.yaml     the spec to read, with every default and absolute paths
    RUN/journal.log   the trials, as an Optuna journal in native units (optuna-dashboard reads it)
    RUN/weights/      t0042.safetensors, for the trials that can still be picked
    RUN/inside/       t0042.json, what its weights do on test rows (`analysis/inside.py`)
    RUN/alive/        t0042, while trial 42 runs: its last step (`search/heartbeat.py`)
    RUN/lock          held by the one process that writes

The directory is the single source of truth: who reads it (status, report, export) needs neither
Ray nor torch, and a search that was killed goes on from it. Here it is read; what changes it is
in `study_writer.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import optuna
from optuna.trial import FrozenTrial

from automtl import pareto, records, rundir
from automtl.config import (
    Constraint,
    Evaluation,
    Objective,
    TrainedOn,
    TrialConfig,
    from_jsonable,
)
from automtl.confirmed import Confirmation, confirmed_knee, read_confirmation
from automtl.errors import RunError
from automtl.journal import open_journal
from automtl.records import TrialRecord
from automtl.spec.schema import Spec
from automtl.study_entries import evaluation_of, to_record

__all__ = ["Arrival", "DataLock", "Study", "TrialRecord"]

Answer = TypeVar("Answer")

optuna.logging.set_verbosity(optuna.logging.WARNING)  # a line a trial is the console's business


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a search met: a trial's start, one of its evaluations, or its end."""

    kind: Literal["start", "evaluation", "end"]
    number: int
    evaluation: Evaluation | None = None


class DataLock(Protocol):
    """What a study remembers of the encoded rows (`data.cache.EncodedData`)."""

    @property
    def directory(self) -> Path: ...
    @property
    def fingerprint(self) -> str: ...


class Study:
    """One search, to read. Many may at once, also while one is `study_writer.writing` it."""

    def __init__(self, run_dir: Path, meta: Mapping[str, Any]) -> None:
        self.run_dir = run_dir
        self.meta = meta
        storage = open_journal(run_dir / rundir.JOURNAL)
        self._study = optuna.load_study(
            study_name=None, storage=storage, sampler=optuna.samplers.RandomSampler()
        )
        self._known: dict[int, tuple[FrozenTrial, TrialRecord]] = {}
        self._history: tuple[TrialRecord, ...] = ()
        self._seen: tuple[list[FrozenTrial], frozenset[int]] = ([], frozenset())  # of `_history`
        self._answers: tuple[tuple[TrialRecord, ...], dict[str, Any]] = ((), {})

    # ---- opening ---------------------------------------------------------------------------

    @staticmethod
    def open(run_dir: Path) -> Study:
        """The study in `run_dir`; raises RunError if there is none or it is damaged."""
        run_dir = run_dir.absolute()
        meta = rundir.read_meta(run_dir)
        try:
            return Study(run_dir, meta)
        except (OSError, KeyError, ValueError) as error:
            raise RunError(f"{run_dir}: the study is damaged ({error})") from error

    @cached_property
    def spec(self) -> Spec:
        """What is searched, as it was resolved when the study was made."""
        return Spec.from_dict(self.meta["spec"], base_dir=self.run_dir)

    @cached_property
    def objectives(self) -> tuple[Objective, ...]:
        return self.spec.objective_list()

    @cached_property
    def constraints(self) -> tuple[Constraint, ...]:
        return self.spec.constraint_list()

    @property
    def trained_on(self) -> TrainedOn:
        """The rows that its trials learn from: those of train, but where the winner is trained for
        use (`automtl train`)."""
        known: TrainedOn = self.meta["data"].get("trained_on", "train")
        return known

    @property
    def weights_dir(self) -> Path:
        """Where weights are kept, a file a trial."""
        return self.run_dir / rundir.WEIGHTS

    @property
    def alive_dir(self) -> Path:
        """Where running trials show that they live; there while someone is writing."""
        return self.run_dir / rundir.ALIVE

    def weights_path(self, number: int) -> Path:
        """Where the weights of trial `number` are or would be."""
        return self.weights_dir / rundir.weights_name(number)

    def check_spec(self, spec: Spec) -> None:
        """Raises RunError, with the key, if `spec` changes more than `rundir.NOT_COMPARED`."""
        change = rundir.first_change(self.meta["spec"], spec.to_dict(absolute_paths=True))
        if change:
            raise RunError(
                f"{self.run_dir}: {change}: old and new trials could not be compared; "
                "undo the change, or choose another --out"
            )

    def check_data(self, data: DataLock) -> None:
        """Raises RunError if the study is of other rows."""
        if data.fingerprint != self.meta["data"]["fingerprint"]:
            raise RunError(
                f"{self.run_dir}: data.path: the rows have changed since the search began: old and "
                "new trials could not be compared; bring them back, or choose another --out"
            )

    # ---- reading ---------------------------------------------------------------------------

    def history(self) -> tuple[TrialRecord, ...]:
        """Everything that ever started, the trials that a kill interrupted included."""
        trials, weights = self._study.get_trials(deepcopy=False), self._weights()
        seen_trials, seen_weights = self._seen
        changed = {
            new.number
            for new, old in zip_longest(trials, seen_trials)
            if new is not old and "role" in new.user_attrs  # others may add trials: not ours
        }
        changed |= (weights ^ seen_weights) & self._known.keys()
        for number in changed:
            self._record(trials[number], weights)
        if changed:
            known = self._known
            self._history = tuple(known[t.number][1] for t in trials if t.number in known)
        self._seen = trials, weights
        return self._history

    def trials(self) -> tuple[TrialRecord, ...]:
        """The trials of the study by number; one that was interrupted shows as its retry only."""
        return self._answer(
            "trials", lambda: tuple(r for r in self._history if r.state != "interrupted")
        )

    def get(self, number: int) -> TrialRecord:
        """The record of one trial; raises RunError if there is none of this number."""
        if number not in self._known:
            self.history()
        if number not in self._known:
            raise RunError(f"{self.run_dir}: there is no trial {number}")
        return self._record(self._frozen(number), self._weights())

    def front(self) -> tuple[TrialRecord, ...]:
        """The Pareto front, best in the first objective first (`records.front`)."""
        return self._answer("front", lambda: records.front(self.trials(), self.objectives))

    def reference(self) -> TrialRecord | None:
        """The tuned single_task that gains are against (`records.best_reference`)."""
        return self._answer(
            "reference", lambda: records.best_reference(self.trials(), self.objectives)
        )

    def knee(self) -> TrialRecord | None:
        """The suggested compromise on the front (`pareto.knee`); None while there is no front."""
        front = self.front()
        return front[pareto.knee(records.losses(front, self.objectives))] if front else None

    def confirmation(self) -> Confirmation | None:
        """What retraining with fresh seeds has found, None before (`automtl confirm`)."""
        return read_confirmation(self.run_dir)

    def suggested(self) -> TrialRecord | None:
        """The knee of the confirmed front, before that of the front; None without either."""
        found = self.confirmation()
        knee = None if found is None else confirmed_knee(found, self.objectives)
        if knee is None or knee.trial is None:
            return self.knee()
        return next((one for one in self.trials() if one.number == knee.trial), self.knee())

    def gains(self, trial: TrialRecord) -> dict[str, float]:
        """How much better than the reference in each task objective (`records.gains`)."""
        return records.gains(trial, self.reference(), self.objectives)

    def hypervolume_trace(self) -> list[tuple[int, float]]:
        """(trial number, hypervolume so far) in the order of finishing
        (`records.hypervolume_trace`)."""
        return records.hypervolume_trace(self.trials(), self.objectives)

    @property
    def budget(self) -> int:
        """How many trials the search starts in all."""
        return int(self._study.user_attrs.get("budget", self.spec.search.trials))

    @property
    def ended(self) -> str:
        """Why no more trials start although the budget has some left, or ""."""
        return str(self._study.user_attrs.get("ended", ""))

    @property
    def num_rejected(self) -> int:
        """How many configurations broke a constraint and were not trained."""
        return int(self._study.user_attrs.get("rejected", 0))

    @property
    def wall_s(self) -> float:
        """For how long was searched in all processes so far, in seconds."""
        return float(self._study.user_attrs.get("wall_s", 0.0))

    def arrivals(self) -> tuple[Arrival, ...]:
        """Every start, evaluation and end in the order in which the search met them."""
        found = []
        for trial in self._study.get_trials(deepcopy=False):
            attrs = trial.user_attrs
            if "role" not in attrs:
                continue
            found.append((attrs["arrival"], Arrival("start", trial.number)))
            for value in attrs.get("evaluations", ()):
                arrival = Arrival("evaluation", trial.number, evaluation_of(value))
                found.append((value["arrival"], arrival))
            if "end" in attrs:
                found.append((attrs["end"], Arrival("end", trial.number)))
        return tuple(arrival for _, arrival in sorted(found, key=lambda pair: pair[0]))

    def is_active(self) -> bool:
        """Whether a process is searching at this moment."""
        return rundir.is_locked(self.run_dir)

    def summary(self) -> dict[str, Any]:
        """The study in figures, as JSON: what `automtl status` prints."""
        trials, front = self.trials(), self.front()
        knee, reference = self.suggested(), self.reference()
        trace = self.hypervolume_trace()
        states = ("running", "complete", "pruned", "failed")
        best = {}
        for objective in self.objectives if front else ():
            leader = records.undominated(front, [objective])[0]
            value = (leader.values or {})[objective.name]
            best[objective.name] = {"trial": leader.id, "value": value}
        return {
            "name": self.meta["name"],
            "run_dir": str(self.run_dir),
            "active": self.is_active(),
            "total": self.budget,
            "started": len(trials),
            "rejected": self.num_rejected,
            "ended": self.ended,
            "wall_s": self.wall_s,
            "counts": {state: sum(r.state == state for r in trials) for state in states},
            "front": [record.id for record in front],
            "front_size": len(front),
            "knee": knee.id if knee else None,
            "reference": reference.id if reference else None,
            "best": best,
            "hypervolume": trace[-1][1] if trace else 0.0,
        }

    # ---- inside ----------------------------------------------------------------------------

    def _answer(self, question: str, compute: Callable[[], Answer]) -> Answer:
        """`compute()`, remembered until a trial changes."""
        history = self.history()
        if self._answers[0] is not history:
            self._answers = (history, {})
        answers = self._answers[1]
        if question not in answers:
            answers[question] = compute()
        answer: Answer = answers[question]
        return answer

    def _weights(self) -> frozenset[int]:
        """The trials whose weights there are."""
        names = (rundir.weights_number(path.name) for path in self.weights_dir.iterdir())
        return frozenset(number for number in names if number is not None)

    def _record(self, trial: FrozenTrial, weights: frozenset[int]) -> TrialRecord:
        """The record of an Optuna trial; the journal replaces the trial whenever it changes."""
        known, record = self._known.get(trial.number, (None, None))
        has_weights = trial.number in weights
        if record is None:
            config = from_jsonable(TrialConfig, trial.user_attrs["config"])
            record = to_record(trial, self.objectives, config)
        elif known is not trial:
            record = to_record(trial, self.objectives, record.config)
        if record.has_weights != has_weights:
            record = dataclasses.replace(record, has_weights=has_weights)
        self._known[trial.number] = (trial, record)
        return record

    def _frozen(self, number: int) -> FrozenTrial:
        """A trial of ours as it is now: the journal has them by ids of its own."""
        return self._study._storage.get_trial(self._known[number][0]._trial_id)
