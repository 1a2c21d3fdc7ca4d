"""A virtual environment of the peers' own, made once: our torch, and nothing of automtl.

torch comes first and pinned, so that all sides run the same kernels and no other build is pulled
in with the peers.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

__all__ = ["REQUIREMENTS", "default_directory", "ensure", "ensure_syne_tune"]

# DeepCTR-Torch also imports `requests`, for a version check that `deepctr.py` leaves out
REQUIREMENTS = ("torch-rechub==0.9.0", "deepctr-torch==0.3.0")
SYNE_TUNE = "syne-tune==0.16.0"
DONE_FILE = "installed.txt"
IMPORTABLE = "import torch_rechub.trainers, torch_rechub.models.multi_task, sklearn, tqdm"


def default_directory() -> Path:
    return Path(tempfile.gettempdir()) / f"automtl-benchmark-peers-torch-{torch_version()}"


def torch_version() -> str:
    """Ours, without the suffix that names the build (`2.9.0+cpu` -> `2.9.0`)."""
    return version("torch").partition("+")[0]


def ensure(directory: Path | None = None) -> Path:
    """The environment's python; the environment is made if it is missing or not what is wanted."""
    steps = ([f"torch=={torch_version()}"], REQUIREMENTS)
    return ensure_packages(directory or default_directory(), steps, IMPORTABLE)


def ensure_syne_tune(directory: Path | None = None) -> Path:
    """The same for Syne Tune, in an environment of its own."""
    named = Path(tempfile.gettempdir()) / f"automtl-benchmark-{SYNE_TUNE.replace('==', '-')}"
    module = "syne_tune.optimizer.schedulers.multiobjective.moasha"
    return ensure_packages(directory or named, ([SYNE_TUNE],), f"import {module}")


def ensure_packages(directory: Path, steps: Sequence[Sequence[str]], importable: str) -> Path:
    """`steps` are installed one after the other; `importable` must run afterwards."""
    python = directory / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    wanted = "\n".join(name for packages in steps for name in packages)
    done = directory / DONE_FILE
    if done.is_file() and done.read_text(encoding="utf-8") == wanted:
        return python
    print(f"making the peers' environment in {directory} (once)", file=sys.stderr)
    venv.create(directory, with_pip=True)
    for packages in steps:
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    subprocess.run([python, "-c", importable], check=True)
    done.write_text(wanted, encoding="utf-8")
    return python
