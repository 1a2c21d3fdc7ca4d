"""Which executor runs the trials of a spec."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from automtl.errors import RunError
from automtl.search.executor import Executor, LocalExecutor
from automtl.search.heartbeat import Watchdog
from automtl.spec.schema import TrialSpec

__all__ = ["check_executor", "make_executor"]

EXECUTORS = ("ray", "local")


def check_executor(name: str) -> None:
    """Raises RunError for a name that no executor has."""
    if name not in EXECUTORS:
        raise RunError(f"executor: {name!r} is none; write one of {', '.join(EXECUTORS)}")


def make_executor(
    name: Literal["ray", "local"],
    trial: TrialSpec,
    alive_dir: Path,
    *,
    workers: int | None,
    address: str | None,
) -> Executor:
    """The executor called `name`, for trials that take what `trial` says, and that hang when there
    is no sign of life in `alive_dir` for as long as it says."""
    watchdog = Watchdog(alive_dir, stall_s=60 * trial.stall_minutes)
    if name == "local":
        return LocalExecutor(watchdog)
    from automtl.search.ray_executor import RayExecutor  # here: importing Ray takes a second

    return RayExecutor(
        workers=workers,
        cpus=trial.cpus,
        gpus=0.0 if trial.device == "cpu" else trial.gpus,
        address=address,
        watchdog=watchdog,
    )
