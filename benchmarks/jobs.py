"""Run one job in a process of its own, on a fixed number of threads."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from peers.job import ROWS_FILE, Job, Result

HERE = Path(__file__).parent
OURS = "automtl"
PEERS = ("rechub", "deepctr")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
SHOWN_LINES = 15


def run(job: Job, rows: Path, *, peers_python: Path) -> Result:
    """The result of `job` on the rows at `rows`; RuntimeError with its last words if it fails."""
    is_ours = job.side == OURS
    python = Path(sys.executable) if is_ours else peers_python
    script = HERE / "ours.py" if is_ours else HERE / "peers" / "worker.py"
    threads = dict.fromkeys(THREAD_VARIABLES, str(job.threads))
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        job.save(directory)
        (directory / ROWS_FILE).symlink_to(rows.absolute())
        done = subprocess.run(
            [python, script, directory],
            env=os.environ | threads,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            last = "\n".join(done.stdout.splitlines()[-SHOWN_LINES:])
            raise RuntimeError(f"{job} ended with {done.returncode}:\n{last}")
        return Result.load(directory)


def markdown(head: list[str], lines: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines))
