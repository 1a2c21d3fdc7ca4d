"""Where a search keeps what it knows: a study on disk, or, for simulations, memory alone."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from automtl import records
from automtl.config import Constraint, Evaluation, Objective
from automtl.records import NewTrial, TrialRecord
from automtl.spec.schema import Spec

__all__ = ["Ledger", "MemoryLedger"]


class Ledger(Protocol):
    """What the loop asks of a study (`study_writer.StudyWriter` says what each part promises)."""

    @property
    def objectives(self) -> tuple[Objective, ...]: ...
    @property
    def constraints(self) -> tuple[Constraint, ...]: ...
    @property
    def wall_s(self) -> float: ...
    @property
    def ended(self) -> str: ...
    def history(self) -> tuple[TrialRecord, ...]: ...
    def trials(self) -> tuple[TrialRecord, ...]: ...
    def get(self, number: int) -> TrialRecord: ...
    def next_number(self) -> int: ...
    def set_ended(self, why: str) -> None: ...
    def set_wall_s(self, wall_s: float) -> None: ...
    def add_rejected(self, num_configs: int) -> None: ...
    def start(self, trial: NewTrial) -> TrialRecord: ...
    def add_evaluation(self, number: int, evaluation: Evaluation) -> None: ...
    def complete(self, number: int) -> None: ...
    def prune(
        self, number: int, reason: str, *, metrics: Mapping[str, float] | None = None
    ) -> None: ...
    def fail(self, number: int, reason: str, traceback: str = "") -> None: ...
    def interrupt(self, number: int, reason: str = "") -> None: ...
    def drop_weights(self) -> None: ...


class MemoryLedger:
    """A study without a disk: whole searches in milliseconds. `clock` gives the seconds since
    the search began."""

    def __init__(self, spec: Spec, *, clock: Callable[[], float] = lambda: 0.0) -> None:
        self.objectives, self.constraints = spec.objective_list(), spec.constraint_list()
        self.wall_s, self.ended, self.num_rejected = 0.0, "", 0
        self._records: list[TrialRecord] = []
        self._clock = clock

    def history(self) -> tuple[TrialRecord, ...]:
        return tuple(self._records)

    def trials(self) -> tuple[TrialRecord, ...]:
        return tuple(record for record in self._records if record.state != "interrupted")

    def get(self, number: int) -> TrialRecord:
        return self._records[number]

    def next_number(self) -> int:
        return len(self._records)

    def set_ended(self, why: str) -> None:
        self.ended = why

    def set_wall_s(self, wall_s: float) -> None:
        self.wall_s = wall_s

    def add_rejected(self, num_configs: int) -> None:
        self.num_rejected += num_configs

    def start(self, trial: NewTrial) -> TrialRecord:
        number = len(self._records)
        record = TrialRecord(
            number=number,
            state="running",
            role=trial.role,
            params=trial.params,
            config=trial.config,
            evaluations=(),
            values=None,
            feasible=all(violation <= 0 for violation in trial.violations.values()),
            in_space=trial.in_space,
            reason="",
            traceback="",
            started=self._now(),
            finished=None,
            seed=trial.seed,
            origin=number if trial.origin is None else trial.origin,
            planned=trial.planned,
            has_weights=False,
        )
        self._records.append(record)
        return record

    def add_evaluation(self, number: int, evaluation: Evaluation) -> None:
        self._change(number, evaluations=(*self.get(number).evaluations, evaluation))

    def complete(self, number: int) -> None:
        record = self.get(number)
        if fault := records.fault(record, self.objectives, self.constraints):
            self.fail(number, fault)
        else:
            values = {one.name: record.metrics[one.name] for one in self.objectives}
            feasible = all(one.violation(record.metrics) <= 0 for one in self.constraints)
            self._end(number, state="complete", values=values, feasible=feasible)

    def prune(
        self, number: int, reason: str, *, metrics: Mapping[str, float] | None = None
    ) -> None:
        self._end(number, state="pruned", reason=reason, measured=metrics or {})

    def fail(self, number: int, reason: str, traceback: str = "") -> None:
        self._end(number, state="failed", reason=reason, traceback=traceback)

    def interrupt(self, number: int, reason: str = "") -> None:
        self._end(number, state="interrupted", reason=reason)

    def drop_weights(self) -> None:
        pass

    def _end(self, number: int, **changes: Any) -> None:
        self._change(number, finished=self._now(), **changes)

    def _change(self, number: int, **changes: Any) -> None:
        self._records[number] = dataclasses.replace(self._records[number], **changes)

    def _now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._clock(), dt.UTC)
