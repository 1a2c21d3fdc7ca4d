"""What is said while models are trained again: one moving line on a terminal, else plain lines."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from automtl.analysis import text
from automtl.confirm.candidates import Selection
from automtl.console import is_terminal
from automtl.moving_line import MovingLine
from automtl.progress_line import bar
from automtl.records import TrialRecord

__all__ = ["ConfirmLine"]


class ConfirmLine:
    """Follows a confirmation on `stream` (stderr)."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._moving = MovingLine(self._stream, self._parts) if is_terminal(self._stream) else None

    def on_start(self, selection: Selection, *, seeds: int, total: int, done: int) -> None:
        self._before = self._done = done
        self._total, self._step = total, ""
        self._start = self._last = time.monotonic()
        self._say(_first_line(selection, seeds=seeds, total=total, done=done))
        if self._moving is not None:
            self._moving.start()

    def on_run(self, record: TrialRecord) -> None:
        if record.state == "interrupted":
            return  # it is run again
        self._done, self._last = self._done + 1, time.monotonic()
        trial, _, seed = record.planned.partition(":")
        what = f"{trial} with seed {int(seed) + 1}"
        if record.state == "failed":
            self._say(f"{what} failed: {record.reason}", style="yellow")
        elif self._moving is None:
            self._say(f"{what}: {_values(record)}  ({self._pace()})")

    def on_step(self, what: str) -> None:
        self._step = what
        if self._moving is None:
            self._say(what)

    def on_end(self) -> None:
        if self._moving is not None:
            self._moving.stop()

    def _say(self, line: str, *, style: str = "") -> None:
        if self._moving is not None:
            self._moving.say(line, style=style)
        else:
            self._stream.write(f"{line}\n")
            self._stream.flush()

    def _parts(self) -> tuple[str, ...]:
        return (f"{bar(self._done, self._total)} {self._pace()}", self._step)

    def _pace(self) -> str:
        """`7/24, eta 3m10s`; the time since the start while no run has ended."""
        now, ended = time.monotonic(), self._done - self._before
        told = f"{self._done}/{self._total}"
        if not ended:
            return f"{told}, {text.duration(now - self._start)} so far"
        left_s = (self._last - self._start) / ended * (self._total - self._done)
        return f"{told}, eta {text.duration(left_s - (now - self._last))}"


def _first_line(selection: Selection, *, seeds: int, total: int, done: int) -> str:
    parts = [f"{len(selection.candidates)} of the front"]
    others = [one for one in selection.trials if one not in selection.candidates]
    if selection.reference in others:
        parts.append("the single_task reference")
    if num_defaults := sum(one is not selection.reference for one in others):
        parts.append(f"{num_defaults} defaults of families")
    before = f", {done} of {total} runs done before" if done else f": {total} runs"
    return f"confirming {', '.join(parts)}, {seeds} fresh seeds each{before}"


def _values(record: TrialRecord) -> str:
    values = record.values or {}
    return " ".join(f"{name} {text.metric(name, value)}" for name, value in values.items())
