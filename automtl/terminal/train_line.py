"""What is said while the model that goes out is trained (`runs_line.py`)."""

from __future__ import annotations

from contextlib import suppress
from typing import TextIO

from automtl.data.cache import EncodedData
from automtl.records import TrialRecord
from automtl.study import Study
from automtl.terminal.runs_line import RunsLine

__all__ = ["TrainLine"]


class TrainLine:
    """Follows a training on `stream` (stderr): which step of which seed, from its signs of life."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._study: Study | None = None
        self._line = RunsLine(stream, more=self._steps)

    def on_start(self, study: Study, data: EncodedData, *, total: int, done: int) -> None:
        self._study = study
        rows = f"{len(data.rows('train')):,} rows ({study.trained_on.replace('+', ' and ')})"
        seeds = "1 seed" if total == 1 else f"{total} seeds"
        before = f", {done} done before" if done else ""
        self._line.start(f"training on {rows}, {seeds}{before}", total=total, done=done)

    def on_run(self, record: TrialRecord) -> None:
        self._line.ended(f"seed {record.seed}", record)

    def on_end(self) -> None:
        self._line.stop()

    def _steps(self) -> str:
        """`step 350 of 1,200`, of each run that shows a sign of life (`search/heartbeat.py`)."""
        found = []
        if self._study is not None:
            with suppress(OSError, ValueError):  # gone, or half written
                for path in sorted(self._study.alive_dir.iterdir()):
                    step, num_steps = map(int, path.read_text(encoding="ascii").split())
                    found.append(f"step {step:,} of {num_steps:,}")
        return ", ".join(found)
