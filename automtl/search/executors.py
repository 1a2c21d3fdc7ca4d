"""Which executor runs the trials of a spec."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from automtl.config import ExecutorName
from automtl.errors import RunError
from automtl.search.executor import Executor, LocalExecutor
from automtl.search.heartbeat import Watchdog
from automtl.search.process_executor import ProcessExecutor
from automtl.spec.schema import TrialSpec

__all__ = ["check_executor", "make_executor"]


def check_executor(name: str, *, address: str | None = None) -> None:
    """Raises RunError for a name that no executor has, or an `address` that it cannot go to."""
    names = get_args(ExecutorName)
    if name not in names:
        raise RunError(f"executor: {name!r} is none; write one of {', '.join(names)}")
    if address is not None and name != "ray":
        raise RunError(
            f"--address {address}: only Ray reaches a cluster; write --executor ray, or leave "
            "--address out"
        )


def make_executor(
    name: ExecutorName,
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
    gpus = 0.0 if trial.device == "cpu" else trial.gpus
    if name == "processes":
        return ProcessExecutor(workers=workers, cpus=trial.cpus, gpus=gpus, watchdog=watchdog)
    from automtl.search.ray_executor import RayExecutor  # here: importing Ray takes a second

    return RayExecutor(
        workers=workers, cpus=trial.cpus, gpus=gpus, address=address, watchdog=watchdog
    )
