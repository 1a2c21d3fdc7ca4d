"""What is said while files are read: one moving line on a terminal, plain lines in a pipe."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TextIO

from automtl.analysis import text
from automtl.console import is_terminal
from automtl.moving_line import MovingLine

__all__ = ["PrepareLine"]

PLAIN_EVERY_S = 10.0


class PrepareLine:
    """How far each file is, and how long it may still take; a line that stays when one is read."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._file, self._line = "", ""
        self._start = self._said = time.monotonic()
        self._moving = (
            MovingLine(self._stream, lambda: (self._line,)) if is_terminal(self._stream) else None
        )

    def __enter__(self) -> PrepareLine:
        if self._moving:
            self._moving.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._keep()
        if self._moving:
            self._moving.stop()

    def report(self, name: str, share: float, num_rows: int) -> None:
        """Of the file `name`, the `share` that holds the first `num_rows` rows has been read."""
        now = time.monotonic()
        if name != self._file:
            self._keep()
            self._file, self._start, self._said = name, now, now
        took_s = now - self._start
        left = f", eta {text.duration(took_s / share - took_s)}" if 0 < share < 1 and took_s else ""
        self._line = f"{name}: {share:.0%}, {num_rows:,} rows{left}"
        if self._moving is None and now - self._said >= PLAIN_EVERY_S:
            self._said = now
            self._say(self._line)

    def _keep(self) -> None:
        if self._line:
            self._say(self._line.split(", eta")[0])
            self._line = ""

    def _say(self, line: str) -> None:
        if self._moving:
            self._moving.say(line)
        else:
            self._stream.write(f"{line}\n")
            self._stream.flush()
