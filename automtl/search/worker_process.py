"""The process of a worker, from the side of the search."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Literal

from automtl.config import Evaluation
from automtl.search.assignment import Assignment, Job
from automtl.search.endings import LESS_MEMORY, Death, Ended
from automtl.search.worker import BEGUN

__all__ = ["WorkerProcess"]

# in a session of its own: Ctrl-C is for the search; and `-P`, as the search's own path is passed on
COMMAND = ("-P", "-X", "faulthandler", "-c", "from automtl.search.worker import main; main()")
LAST_WORDS_BYTES = 4000
EXIT_S = 10.0  # for a process that has closed its files to be gone


class WorkerProcess:
    """Starts at once, and again when a trial comes after its end.

    `number` is the trial that it runs. `connection` can be waited for.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.number: int | None = None
        self._environment = environment
        self._start()

    def give(self, job: Job, assignment: Assignment) -> None:
        """The trial to run, where none does."""
        if self._process.poll() is not None:
            self.end()
            self._start()
        self.number, self._has_begun = assignment.number, False
        self._send((job, assignment))

    def answer(self, verdict: Literal["continue", "stop"]) -> None:
        """Of the evaluation that was heard last."""
        self._send(verdict)

    def hear(self) -> Literal["begun"] | Evaluation | Ended | Death:
        """What it says next of its trial."""
        try:
            said: Literal["begun"] | Evaluation | Ended = self.connection.recv()
        except (EOFError, OSError):
            return self._death()
        self._has_begun = self._has_begun or said == BEGUN
        return said

    def end(self) -> None:
        """Kills it: what is worth keeping has been told, or lies on the disk."""
        self._process.kill()
        self._process.wait()
        for file in (self.connection, self._lifeline, self._words):
            file.close()

    def _start(self) -> None:
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - `end` closes it
        self.connection, theirs = Pipe()
        lifeline, self._lifeline = Pipe(duplex=False)
        files = (theirs.fileno(), lifeline.fileno())
        path = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)
        with theirs, lifeline:
            self._process = subprocess.Popen(
                [sys.executable, *COMMAND, *map(str, files)],
                pass_fds=files,
                env={**os.environ, **self._environment, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=self._words,
                stderr=self._words,
                start_new_session=True,
            )

    def _send(self, message: object) -> None:
        with suppress(OSError):  # it is dead, which will be heard
            self.connection.send(message)

    def _death(self) -> Death:
        """Of no fault of the trial's where that had not begun."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(EXIT_S)
        code = self._process.poll()
        self._words.seek(0, os.SEEK_END)
        self._words.seek(max(0, self._words.tell() - LAST_WORDS_BYTES))
        text = self._words.read().decode(errors="replace").strip()
        self.end()
        return Death(f"the worker died: {_ending(code, text)}", text, is_lost=not self._has_begun)


def _ending(code: int | None, text: str) -> str:
    if code is None:
        return "its process does not answer"
    if code == -signal.SIGKILL:
        return (
            f"its process was killed (signal 9); if memory was short (dmesg tells), {LESS_MEMORY}"
        )
    if code < 0:
        return f"its process crashed ({signal.Signals(-code).name})"
    lines = text.splitlines()
    return f"its process ended with exit code {code}" + (f": {lines[-1]}" if lines else "")
