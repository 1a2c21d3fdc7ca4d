"""The writing of a search on disk: a new study, and the one process that changes it.

Each change is one line of the journal; a trial enters it together with its configuration, so that
a kill at any moment leaves a study that can be read.
"""

from __future__ import annotations

import datetime as dt
import math
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from automtl import records, rundir
from automtl.config import Evaluation, TrainedOn, to_jsonable
from automtl.errors import RunError
from automtl.records import NewTrial, TrialRecord
from automtl.spec.schema import Spec
from automtl.study import DataLock, Study
from automtl.study_entries import create_journal, evaluation_json

__all__ = ["StudyWriter", "create_study", "writing"]


def create_study(
    run_dir: Path, spec: Spec, data: DataLock, *, trained_on: TrainedOn = "train"
) -> Study:
    """A new study, all of it or nothing; `trained_on` is that of `data`.

    Raises RunError if `run_dir` holds something already or cannot be written.
    """
    from automtl.spec.load import dump_yaml

    plain = spec.to_dict(absolute_paths=True)
    meta = {
        "name": spec.name,
        "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "versions": rundir.versions(),
        "seed": spec.search.seed,
        "spec": plain,
        "spec_digest": rundir.digest(plain),
        "data": {
            "fingerprint": data.fingerprint,
            "cache": str(data.directory),
            "trained_on": trained_on,
        },
        "command": shlex.join(sys.argv),
    }

    def fill(aside: Path) -> None:
        (aside / "spec.yaml").write_text(dump_yaml(plain), encoding="utf-8")
        create_journal(aside, spec)

    run_dir = run_dir.absolute()
    rundir.create(run_dir, meta, fill)
    return Study(run_dir, meta)


@contextmanager
def writing(study: Study) -> Iterator[StudyWriter]:
    """The right to write, for one process at a time; a kill gives it back.

    What a killed writer left is put in order first: half a line of the journal goes, trials
    that ran become "interrupted". Raises RunError if another process is searching.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(rundir.locked(study.run_dir))
        except BlockingIOError:
            raise RunError(
                f"{study.run_dir}: another process is searching in this run; "
                "wait for it, or choose another --out"
            ) from None
        rundir.repair_journal(study.run_dir)
        writer = StudyWriter(study.run_dir, study.meta)
        for record in writer.history():
            if record.state == "running":
                writer.interrupt(record.number)
        writer.drop_weights()
        stack.enter_context(rundir.signs_of_life(study.run_dir))
        yield writer


class StudyWriter(Study):
    """A study that can be changed as well; made by `writing` alone, which holds the lock.

    Every other `Study` of the same directory sees each change when it is next asked.
    """

    def __init__(self, run_dir: Path, meta: Mapping[str, Any]) -> None:
        super().__init__(run_dir, meta)
        self._num_arrivals = len(self.arrivals())  # no one else adds any

    def set_budget(self, num_trials: int) -> None:
        """How many trials the search is to start in all."""
        if num_trials != self.budget or "budget" not in self._study.user_attrs:
            self._study.set_user_attr("budget", num_trials)

    def set_ended(self, why: str) -> None:
        """Why no more trials start although the budget has some left; "" if they do."""
        if why != self.ended:
            self._study.set_user_attr("ended", why)

    def add_rejected(self, num_configs: int) -> None:
        """Counts configurations that broke a constraint before they were trained."""
        if num_configs:
            self._study.set_user_attr("rejected", self.num_rejected + num_configs)

    def set_wall_s(self, wall_s: float) -> None:
        """For how long was searched in all processes so far, in seconds."""
        self._study.set_user_attr("wall_s", round(wall_s, 3))

    def next_number(self) -> int:
        """The number that the next trial to start will get."""
        return len(self._study.get_trials(deepcopy=False))

    def start(self, trial: NewTrial) -> TrialRecord:
        """Enters a running trial, whole, with the constraints that are known before training."""
        number = self.next_number()
        self._study.add_trial(
            optuna.trial.create_trial(
                state=TrialState.RUNNING,
                params=dict(trial.params),
                distributions=dict(trial.distributions),
                constraints={str(one): violation for one, violation in trial.violations.items()},
                user_attrs={
                    "role": trial.role,
                    "config": to_jsonable(trial.config),
                    "seed": trial.seed,
                    "in_space": trial.in_space,
                    "planned": trial.planned,
                    "origin": number if trial.origin is None else trial.origin,
                    "arrival": self._next_arrival(),
                },
            )
        )
        return self.get(number)

    def add_evaluation(self, number: int, evaluation: Evaluation) -> None:
        """Keeps what an evaluation of a running trial saw, and when it came (`arrivals`)."""
        seen = self._frozen(number).user_attrs.get("evaluations", [])
        new = evaluation_json(evaluation) | {"arrival": self._next_arrival()}
        self._trial(number).set_user_attr("evaluations", [*seen, new])

    def complete(self, number: int) -> None:
        """Ends a trial that was trained to the end: its values are those of its last evaluation.

        A trial that stopped short of its epochs, or has an objective or a constraint that is not
        finite, is failed instead, with the reason.
        """
        record = self.get(number)
        if fault := records.fault(record, self.objectives, self.constraints):
            self.fail(number, fault)
        else:
            self._set_constraints(number, record.metrics)
            values = [record.metrics[objective.name] for objective in self.objectives]
            self._end(number, TrialState.COMPLETE, values)

    def prune(
        self, number: int, reason: str, *, metrics: Mapping[str, float] | None = None
    ) -> None:
        """Ends a trial that was stopped before its end, with the reason; it has no values.

        `metrics` is what was measured besides its evaluations, and broke a constraint.
        """
        self._set_constraints(number, {**self.get(number).metrics, **(metrics or {})})
        self._trial(number).set_user_attr("reason", " ".join(reason.split()))
        if metrics:
            self._trial(number).set_user_attr("measured", dict(metrics))
        self._end(number, TrialState.PRUNED)

    def fail(self, number: int, reason: str, traceback: str = "") -> None:
        """Ends a trial that died, with the reason in one line."""
        trial = self._trial(number)
        trial.set_user_attr("reason", " ".join(reason.split()) or "unknown")
        if traceback:
            trial.set_user_attr("traceback", traceback)
        self._end(number, TrialState.FAIL)

    def interrupt(self, number: int, reason: str = "") -> None:
        """Ends a trial that is to be run again, as it died of no fault of its own: of a kill of
        the search (no reason), or of its machine (the reason in one line)."""
        trial = self._trial(number)
        if reason:
            trial.set_user_attr("reason", " ".join(reason.split()))
        trial.set_user_attr("interrupted", True)
        self._end(number, TrialState.FAIL)

    def drop_weights(self) -> None:
        """Deletes all weights but those of trials that run or that can still be picked.

        These are the front's, and those of references that no other reference dominates: who is
        dominated can become neither the knee nor the reference again. Whoever confirms says
        itself which are not needed any more (`forget_weights`).
        """
        metrics = records.task_objectives(self.objectives) or self.objectives
        references = [r for r in self.trials() if r.role == "reference" and r.values]
        keep = {
            *(record.id for record in self.front()),
            *(record.id for record in records.undominated(references, metrics)),
            *(record.id for record in self.trials() if record.state == "running"),
            *(record.id for record in self.trials() if record.role in ("confirm", "train")),
        }
        for path in self.weights_dir.iterdir():
            if path.name.split(".")[0] not in keep:
                path.unlink(missing_ok=True)

    def forget_weights(self, numbers: Iterable[int]) -> None:
        """Deletes the weights of these trials."""
        for number in numbers:
            self.weights_path(number).unlink(missing_ok=True)

    # ---- inside ----------------------------------------------------------------------------

    def _next_arrival(self) -> int:
        """The place of the next event in `arrivals`."""
        self._num_arrivals += 1
        return self._num_arrivals

    def _set_constraints(self, number: int, metrics: Mapping[str, float]) -> None:
        """All constraints that are known now; Optuna takes a trial without any for feasible."""
        trial, known = self._trial(number), self._frozen(number).constraints
        for constraint in self.constraints:
            key = str(constraint)
            if key not in known and math.isfinite(metrics.get(constraint.name, math.nan)):
                trial.set_constraint(key, constraint.violation(metrics))

    def _end(self, number: int, state: TrialState, values: Sequence[float] | None = None) -> None:
        self._trial(number).set_user_attr("end", self._next_arrival())
        self._study.tell(number, values, state)

    def _trial(self, number: int) -> optuna.trial.Trial:
        """A handle to write attributes of a running trial."""
        return optuna.trial.Trial(self._study, self._frozen(number)._trial_id)
