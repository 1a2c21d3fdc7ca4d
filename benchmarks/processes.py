"""Rows on disk for a benchmark, and jobs over them, each in a process of its own.

Unlike `jobs.py` it imports no torch, whose memory would count.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["done", "fill_once", "run_job"]


def fill_once(folder: Path, fill: Callable[[], None]) -> None:
    """Has `fill` write into the folder; nothing if it did before."""
    mark = folder / "done"
    if mark.exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    fill()
    mark.touch()


def run_job(script: str, job: str, folder: Path, *, cache: Path) -> dict[str, Any]:
    """What `script --job JOB --folder FOLDER` says at its end (`done`)."""
    command = [sys.executable, script, "--job", job, "--folder", str(folder)]
    environment = {**os.environ, "AUTOMTL_CACHE": str(cache)}
    output = subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout
    said: dict[str, Any] = json.loads(output)
    return said


def done(took: dict[str, Any]) -> None:
    """Prints what a job took, with the `peak` of this process in GB: VmHWM, the most that it ever
    had."""
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    print(json.dumps(took | {"peak": int(peak[1]) / 1e6 if peak else 0.0}))
