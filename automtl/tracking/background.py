"""A tracker in a thread of its own: whatever it does, the search neither stops nor waits for it."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable

from automtl.tracking.events import Event, Tracker, TrialChanged

__all__ = ["MAX_WAITING", "PATIENCE_S", "Background", "to_stderr"]

MAX_WAITING = 1000  # events; some megabytes
PATIENCE_S = 10.0  # at the end of a search


def to_stderr(message: str) -> None:
    sys.stderr.write(f"warning: {message}\n")
    sys.stderr.flush()


class Background:
    """Hands events to `tracker`, in their order, and says once if that fails.

    A tracker that has failed is told of later events all the same: its server may come back, and
    the next event makes up for what was missed. A thread that hangs dies with the process.
    """

    def __init__(
        self,
        tracker: Tracker,
        *,
        warn: Callable[[str], None] = to_stderr,
        max_waiting: int = MAX_WAITING,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._tracker, self._warn = tracker, warn
        self._max_waiting, self._patience_s = max_waiting, patience_s
        self._waiting: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._lock, self._has_warned = threading.Lock(), False
        self._thread = threading.Thread(target=self._work, name="automtl-tracking", daemon=True)
        self._thread.start()

    def tell(self, event: Event) -> None:
        """Returns at once. Where too many events wait a trial's change is left out: the end of
        the search makes up for it."""
        if isinstance(event, TrialChanged) and self._waiting.qsize() >= self._max_waiting:
            return
        self._waiting.put(event)

    def close(self) -> None:
        """Waits until all is told, for `patience_s` at most; says so if that is not enough."""
        self._waiting.put(None)
        self._thread.join(self._patience_s)
        if self._thread.is_alive():
            self._complain(f"has not taken the last results within {self._patience_s:g} s")

    def _work(self) -> None:
        while (event := self._waiting.get()) is not None:
            try:
                self._tracker.tell(event)
            except Exception as error:  # whatever a server, a driver or a disk comes up with
                self._complain(f"failed ({describe(error)})")

    def _complain(self, what: str) -> None:
        with self._lock:
            if self._has_warned:
                return
            self._has_warned = True
        self._warn(
            f"{self._tracker.place}: {what}; the search goes on without it, and nothing of the "
            "run is lost: --resume with the same --track brings what is missing"
        )


def describe(error: Exception) -> str:
    """An error in one short line."""
    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return text if len(text) <= 500 else f"{text[:499]}…"
