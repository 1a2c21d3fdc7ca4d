"""What is said while models are trained: one moving line on a terminal, else plain lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

from automtl.analysis import text
from automtl.records import TrialRecord
from automtl.terminal.console import is_terminal
from automtl.terminal.moving_line import MovingLine
from automtl.terminal.progress_line import bar

__all__ = ["RunsLine"]


class RunsLine:
    """Follows `total` runs on `stream` (stderr). `more` is what stands behind the bar, asked for
    whenever it is drawn."""

    def __init__(self, stream: TextIO | None = None, *, more: Callable[[], str] = str) -> None:
        self._stream = stream or sys.stderr
        self._moving = MovingLine(self._stream, self._parts) if is_terminal(self._stream) else None
        self._more = more

    def start(self, line: str, *, total: int, done: int) -> None:
        """`done` of `total` runs were there already."""
        self._before = self._done = done
        self._total = total
        self._start = self._last = time.monotonic()
        self._say(line)
        if self._moving is not None:
            self._moving.start()

    def ended(self, what: str, record: TrialRecord) -> None:
        """The run that is called `what` has ended."""
        if record.state == "interrupted":
            return  # it is run again
        self._done, self._last = self._done + 1, time.monotonic()
        if record.state == "failed":
            self._say(f"{what} failed: {record.reason}", style="yellow")
        elif self._moving is None:
            self._say(f"{what}: {_values(record)}  ({self._pace()})")

    def step(self, what: str) -> None:
        """Something else that takes time; a moving line shows it by `more`."""
        if self._moving is None:
            self._say(what)

    def stop(self) -> None:
        if self._moving is not None:
            self._moving.stop()

    def _say(self, line: str, *, style: str = "") -> None:
        if self._moving is not None:
            self._moving.say(line, style=style)
        else:
            self._stream.write(f"{line}\n")
            self._stream.flush()

    def _parts(self) -> tuple[str, ...]:
        return (f"{bar(self._done, self._total)} {self._pace()}", self._more())

    def _pace(self) -> str:
        """`7/24, eta 3m10s`; the time since the start while no run has ended."""
        now, ended = time.monotonic(), self._done - self._before
        told = f"{self._done}/{self._total}"
        if not ended:
            return f"{told}, {text.duration(now - self._start)} so far"
        left_s = (self._last - self._start) / ended * (self._total - self._done)
        return f"{told}, eta {text.duration(left_s - (now - self._last))}"


def _values(record: TrialRecord) -> str:
    values = record.values or {}
    return " ".join(f"{name} {text.metric(name, value)}" for name, value in values.items())
