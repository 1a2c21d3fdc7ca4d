"""The journal of a run: a file that Optuna's tools read, and that a kill leaves readable."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend, JournalFileOpenLock

__all__ = ["open_journal"]


def open_journal(path: Path) -> JournalStorage:
    """The journal at `path`, made if there is none."""
    return JournalStorage(_Journal(path))


class _Journal(BaseJournalBackend):
    """Optuna's file of logs, a line each, but flushed to the disk only where a trial starts or
    ends.

    A kill of the process loses nothing that was written, flushed or not; a machine that loses its
    power may lose the last evaluations of trials that ran. Flushing every line costs more than
    all else that a search does beside training. The lock is for others who write through Optuna;
    unlike its default it does not outlive a kill (`rundir.repair_journal` removes it).
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, JournalFileOpenLock(str(path))
        self._file = JournalFileBackend(str(path), lock_obj=self._lock)

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        return self._file.read_logs(log_number_from)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        self._lock.acquire()
        try:
            with self._path.open("ab") as file:
                file.write(lines.encode())
                file.flush()
                if any("state" in log for log in logs):
                    os.fsync(file.fileno())
        finally:
            self._lock.release()
