"""Signs of life: a worker keeps a small file while it trains, and a watchdog looks at the files.

RUN/alive/t0042    "350 1200": trial 42 was at step 350 of 1,200 when the file was last written
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from automtl.rundir import trial_id
from automtl.search.home import HERE, Home

__all__ = ["OnStep", "Watchdog", "beating"]

BEAT_S = 2.0  # a file is written at most so often
CHECKS = 8  # for each time that a trial may be silent
LONGEST_CHECK_S = 5.0

OnStep = Callable[[int, int], None]


@contextmanager
def beating(
    alive_dir: Path | None, number: int, *, beat_s: float = BEAT_S, home: Home = HERE
) -> Iterator[OnStep]:
    """Gives what a training loop calls with its step and the number of its steps, as often as it
    likes; while the block runs trial `number` has a file in `alive_dir`. None: no file."""
    if alive_dir is None:
        yield lambda step, num_steps: None
        return
    path, due_s = alive_dir / trial_id(number), 0.0

    def beat(step: int, num_steps: int) -> None:
        nonlocal due_s
        if (now := time.monotonic()) >= due_s:
            due_s = now + beat_s
            home.note(path, f"{step} {num_steps}")

    beat(0, 0)
    try:
        yield beat
    finally:
        home.forget(path)


@dataclass(slots=True)
class _Watched:
    seen_s: float  # when the watchdog saw a change last, by its own clock
    stamp: int = 0
    place: str = "before its first step"


class Watchdog:
    """Finds trials that have shown no sign of life for `stall_s`.

    A sign is their start, their file being written, and what they report. What counts is when the
    watchdog saw it: the clocks of other machines, and of the disk, may go wrong.
    """

    def __init__(
        self, alive_dir: Path, *, stall_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.alive_dir, self.stall_s = alive_dir, stall_s
        self.check_s = min(stall_s / CHECKS, LONGEST_CHECK_S)  # `hung` is to be asked so often
        self._clock = clock
        self._watched: dict[int, _Watched] = {}

    def saw(self, number: int) -> None:
        """Trial `number` has started on a worker, or has reported."""
        known = self._watched.setdefault(number, _Watched(0.0))
        known.seen_s = self._clock()

    def ended(self, number: int) -> None:
        """Nothing more is expected of trial `number`; what a killed worker left is removed."""
        self._watched.pop(number, None)
        with suppress(OSError):
            (self.alive_dir / trial_id(number)).unlink(missing_ok=True)

    def hung(self) -> dict[int, str]:
        """The trials that hang, each with the reason in one line, until they have `ended`."""
        for number, trial in self._watched.items():
            self._look(number, trial)
        late = self._clock() - self.stall_s
        return {
            number: f"hung: no sign of life for {_duration(self.stall_s)}; last seen {trial.place}"
            for number, trial in self._watched.items()
            if trial.seen_s <= late
        }

    def _look(self, number: int, trial: _Watched) -> None:
        path = self.alive_dir / trial_id(number)
        try:
            stamp, text = path.stat().st_mtime_ns, path.read_text(encoding="ascii")
        except OSError:
            return  # not yet written
        if stamp != trial.stamp:
            trial.stamp, trial.seen_s = stamp, self._clock()
        step, _, num_steps = text.partition(" ")
        if num_steps.isdecimal() and int(num_steps):
            trial.place = f"at step {int(step):,} of {int(num_steps):,}"


def _duration(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 120 else f"{seconds:g} seconds"
