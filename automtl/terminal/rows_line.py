"""What is said while rows are read: one moving line on a terminal, plain lines in a pipe."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TextIO

from automtl.analysis import text
from automtl.data.cache import DONE
from automtl.terminal.console import is_terminal
from automtl.terminal.moving_line import MovingLine

__all__ = ["PATIENCE_S", "RowsLine"]

PATIENCE_S = 1.5  # what a user waits before asking what is done
PLAIN_EVERY_S = 10.0


class RowsLine:
    """How far each step (a file, a pass) is, and how long it may still take; a line that stays
    when one is done. What is over within `patience_s` is not worth a word."""

    def __init__(self, *, patience_s: float = 0.0, stream: TextIO | None = None) -> None:
        self._stream, self._patience_s = stream or sys.stderr, patience_s
        self._step, self._line, self._summary = "", "", ""
        self._began = self._start = self._said = time.monotonic()
        self._moving: MovingLine | None = None

    def __enter__(self) -> RowsLine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def report(self, step: str, share: float, num_rows: int) -> None:
        """Of `step` the `share` that holds the first `num_rows` rows is done; after DONE there is
        no line any more, so that another may move."""
        now = time.monotonic()
        if step == DONE:
            self._end()
            return
        if step != self._step:
            self._keep()
            self._step, self._start, self._said = step, now, now
        if now - self._began < self._patience_s:
            return
        took_s = now - self._start
        took = f" in {text.duration(took_s)}"
        self._summary = (
            f"{step}: {num_rows:,} rows{took}" if num_rows else step + took * (share > 0)
        )
        self._line = _line(step, share, num_rows, took_s)
        if not is_terminal(self._stream):
            if now - self._said >= PLAIN_EVERY_S:
                self._said = now
                self._say(self._line)
        elif self._moving is None:
            self._moving = MovingLine(self._stream, lambda: (self._line,))
            self._moving.start()

    def _keep(self) -> None:
        if self._summary:
            self._say(self._summary)
        self._summary = self._line = ""

    def _end(self) -> None:
        self._keep()
        if self._moving:
            self._moving.stop()
            self._moving = None
        self._step = ""

    def _say(self, line: str) -> None:
        if self._moving:
            self._moving.say(line)
        else:
            self._stream.write(f"{line}\n")
            self._stream.flush()


def _line(step: str, share: float, num_rows: int, took_s: float) -> str:
    if not share:
        return step
    parts = [f"{step}: {share:.0%}", f"{num_rows:,} rows" if num_rows else ""]
    if took_s >= 1:  # before, speeds jump
        parts.append(f"{text.count(num_rows / took_s)} rows/s" if num_rows else "")
        parts.append(f"eta {text.duration(took_s / share - took_s)}" if share < 1 else "")
    return ", ".join(filter(None, parts))
