"""A process that runs one trial after the other for the search that has started it.

It is told the numbers of two open files, a connection and a lifeline. Through the connection come a
job and an assignment; back go one `BEGUN`, the evaluations, each answered by "continue" or "stop",
and one `Ended`, but not after a "stop". Nobody writes to the lifeline: it ends with the search,
however that ends, and then so does this process.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from automtl.search.assignment import Assignment, Job
from automtl.search.endings import Ended, ended_by

__all__ = ["BEGUN", "main"]

BEGUN: Final = "begun"
OOM_SCORE = "500"  # of 1000, at which the kernel would end it first of all


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the search
    with suppress(OSError):  # where memory runs out a trial is ended, not the search
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
    connection, lifeline = map(int, sys.argv[1:])
    threading.Thread(target=_die_with, args=(lifeline,), daemon=True).start()
    _work(Connection(connection))


def _work(connection: Connection) -> None:
    """Runs what comes until nothing more comes."""
    while True:
        try:
            job, assignment = connection.recv()
        except EOFError:
            return
        connection.send(BEGUN)
        if (end := _run(job, assignment, connection)) is not None:
            connection.send(end)


def _run(job: Job, assignment: Assignment, connection: Connection) -> Ended | None:
    """How the trial ended; None if it was stopped. An exception travels as a value, so that this
    process lives on for the next trial."""
    try:
        for evaluation in job.run(assignment):
            connection.send(evaluation)
            if connection.recv() == "stop":
                return None
        return Ended()
    except Exception as error:
        return ended_by(error)


def _die_with(lifeline: int) -> None:
    os.read(lifeline, 1)
    os._exit(1)
