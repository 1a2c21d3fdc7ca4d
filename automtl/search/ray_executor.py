"""Ray Tune runs the trials: many at once, on this machine or on a cluster.

What Tune asks meanwhile is answered in `ray_tune.py`, what workers ask on other machines in
`ray_home.py`; how Ray starts stands in `ray_cluster.py`. No other file uses Ray.
"""

from __future__ import annotations

import itertools
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout

from automtl.search.assignment import Job, Loop
from automtl.search.heartbeat import Watchdog
from automtl.search.machine import checked_room
from automtl.search.ray_cluster import (
    DRIVER_ENVIRONMENT,
    cluster,
    environment,
    left_in_order,
    resources,
)
from automtl.search.scratch import scratch_directory

__all__ = ["RayExecutor"]


class RayExecutor:
    """Trials as Ray Tune actors.

    `cpus` and `gpus` are what one trial takes; without a GPU in the cluster `gpus` does not
    count. `workers` is how many trials run at once, by default what the cluster has room for.
    `address` joins a cluster (`auto`, `host:port`); without one a Ray of our own is started, and
    stopped afterwards, unless the caller has started Ray already. `watchdog` finds the trials
    that hang; their workers are killed.
    """

    def __init__(
        self,
        *,
        workers: int | None,
        cpus: float,
        gpus: float,
        address: str | None,
        watchdog: Watchdog | None = None,
    ) -> None:
        self.workers, self.cpus, self.gpus, self.address = workers, cpus, gpus, address
        self.watchdog = watchdog

    def run(self, loop: Loop, job: Job) -> None:
        """Raises RunError if the cluster cannot be joined or has no room for one trial.

        Where Ray ends workers as a machine's memory runs short, Tune gives up; then all goes on
        with half as many at a time.
        """
        with ExitStack() as stack:
            added = {k: v for k, v in DRIVER_ENVIRONMENT.items() if k not in os.environ}
            stack.enter_context(environment(added))
            # Ray prints the death of a worker, whatever it is told; stdout is for results
            stack.enter_context(redirect_stdout(sys.stderr))
            scratch = stack.enter_context(scratch_directory())
            starting = cluster(scratch, workers=self.workers, cpus=self.cpus, address=self.address)
            wait_for_ray = stack.enter_context(starting)
            # here: importing Tune takes a second or two, in which Ray starts
            from automtl.search.ray_tune import Bridge, memory_was_short, tuner

            wait_for_ray()
            stack.enter_context(left_in_order())
            gpus = self.gpus if resources().get("GPU", 0) else 0
            bridge = Bridge(loop, job, self.watchdog)
            workers = self._num_workers(gpus)
            for attempt in itertools.count():
                search = tuner(
                    bridge,
                    cpus=self.cpus,
                    gpus=gpus,
                    workers=workers,
                    scratch=scratch,
                    name=f"search{attempt}",
                )
                try:
                    with _quiet("ray.tune"):
                        search.fit()
                    break
                except RuntimeError as error:
                    if (reason := memory_was_short(error)) is None:
                        raise
                    bridge.end_all(reason, workers)
                    workers = max(1, workers // 2)
            bridge.raise_error()

    def _num_workers(self, gpus: float) -> int:
        have = resources()
        num_cpus, num_gpus = have.get("CPU", 0), have.get("GPU", 0)
        fitting = checked_room(num_cpus, num_gpus, cpus=self.cpus, gpus=gpus, owner="Ray")
        return fitting if self.workers is None else self.workers


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """A library's logger, silent for a while."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
