"""What is said while models are trained again (`runs_line.py`)."""

from __future__ import annotations

from typing import TextIO

from automtl.confirm.candidates import Selection
from automtl.records import TrialRecord
from automtl.terminal.runs_line import RunsLine

__all__ = ["ConfirmLine"]


class ConfirmLine:
    """Follows a confirmation on `stream` (stderr)."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._step = ""
        self._line = RunsLine(stream, more=lambda: self._step)

    def on_start(self, selection: Selection, *, seeds: int, total: int, done: int) -> None:
        first = _first_line(selection, seeds=seeds, total=total, done=done)
        self._line.start(first, total=total, done=done)

    def on_run(self, record: TrialRecord) -> None:
        trial, _, seed = record.planned.partition(":")
        self._line.ended(f"{trial} with seed {int(seed) + 1}", record)

    def on_step(self, what: str) -> None:
        self._step = what
        self._line.step(what)

    def on_end(self) -> None:
        self._line.stop()


def _first_line(selection: Selection, *, seeds: int, total: int, done: int) -> str:
    parts = [f"{len(selection.candidates)} of the front"]
    others = [one for one in selection.trials if one not in selection.candidates]
    if selection.reference in others:
        parts.append("the single_task reference")
    if num_defaults := sum(one is not selection.reference for one in others):
        parts.append(f"{num_defaults} defaults of families")
    before = f", {done} of {total} runs done before" if done else f": {total} runs"
    return f"confirming {', '.join(parts)}, {seeds} fresh seeds each{before}"
