"""Ray Tune runs the trials: many at once, on this machine or on a cluster.

What Tune asks meanwhile is answered in `ray_tune.py`, what workers ask on other machines in
`ray_home.py`; no other file uses Ray.
"""

from __future__ import annotations

import itertools
import logging
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import ray
from ray import tune

from automtl.errors import RunError
from automtl.search.assignment import Job, Loop
from automtl.search.executor import room
from automtl.search.heartbeat import Watchdog
from automtl.search.ray_tune import (
    Bridge,
    TrialActor,
    TuneLookout,
    TuneScheduler,
    TuneSearcher,
    memory_was_short,
)
from automtl.search.scratch import scratch_directory

__all__ = ["RayExecutor"]

OBJECT_STORE_BYTES = 200_000_000  # configurations and metrics only: rows are memory-mapped
DRIVER_ENVIRONMENT: Mapping[str, str] = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no telemetry
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # the coming default; without it Ray warns
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # no result files beside the study
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is for whoever called us
    "TUNE_GLOBAL_CHECKPOINT_S": "inf",  # of all trials, for a restore that we never do
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # a failure is a row of the study
}


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
            stack.enter_context(_environment(DRIVER_ENVIRONMENT))
            # Ray prints the death of a worker, whatever it is told; stdout is for results
            stack.enter_context(redirect_stdout(sys.stderr))
            scratch = stack.enter_context(scratch_directory())
            stack.enter_context(self._cluster(scratch))
            gpus = self.gpus if _resources().get("GPU", 0) else 0
            bridge = Bridge(loop, job, self.watchdog)
            workers = self._num_workers(gpus)
            for attempt in itertools.count():
                tuner = self._tuner(bridge, gpus, workers, scratch, name=f"search{attempt}")
                try:
                    with _quiet("ray.tune"):
                        tuner.fit()
                    break
                except RuntimeError as error:
                    if (reason := memory_was_short(error)) is None:
                        raise
                    bridge.end_all(reason, workers)
                    workers = max(1, workers // 2)
            bridge.raise_error()

    def _tuner(
        self, bridge: Bridge, gpus: float, workers: int, scratch: Path, *, name: str
    ) -> tune.Tuner:
        return tune.Tuner(
            tune.with_resources(TrialActor, {"cpu": self.cpus, "gpu": gpus}),
            tune_config=tune.TuneConfig(
                search_alg=TuneSearcher(bridge),
                scheduler=TuneScheduler(bridge),
                num_samples=-1,
                max_concurrent_trials=workers,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: str(trial.trial_id),
            ),
            run_config=tune.RunConfig(
                name=name,
                storage_path=str(scratch),
                verbose=0,
                callbacks=[TuneLookout(bridge)],
                # weights are the job's business; by default Tune saves every trial at its end
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        )

    def _num_workers(self, gpus: float) -> int:
        have = _resources()
        num_cpus, num_gpus = have.get("CPU", 0), have.get("GPU", 0)
        fitting = room(num_cpus, num_gpus, cpus=self.cpus, gpus=gpus)
        if fitting < 1:
            raise RunError(
                f"trial.cpus: a trial takes {self.cpus:g} CPUs and {gpus:g} GPUs, and Ray has "
                f"{num_cpus:g} and {num_gpus:g}; ask for less"
            )
        return fitting if self.workers is None else self.workers

    @contextmanager
    def _cluster(self, scratch: Path) -> Iterator[None]:
        """Ray as the caller has it, or one of our own for as long as it is needed."""
        if ray.is_initialized():
            yield
            return
        if self.address is not None and self.address.startswith("ray://"):
            raise RunError(
                f"--address {self.address}: the search must run on a machine of the cluster, which "
                "a ray:// address cannot do; run it there with --address auto"
            )
        options: dict[str, Any] = {
            "logging_level": logging.ERROR,
            "log_to_driver": False,
            "runtime_env": {"env_vars": self._worker_environment()},
        }
        if self.address is None:
            options |= {
                # as many as Ray finds, or room for as many workers as were asked for
                "num_cpus": math.ceil(self.workers * self.cpus) if self.workers else None,
                "include_dashboard": False,
                "object_store_memory": OBJECT_STORE_BYTES,
                "_temp_dir": str(scratch / "ray"),
            }
        else:
            options["address"] = self.address
        try:
            ray.init(**options)
        except ConnectionError as error:
            raise RunError(
                f"--address {self.address}: no Ray cluster answers there ({error}); start one with "
                "`ray start --head`, or leave --address out"
            ) from error
        except Exception as error:  # a bare one, where its processes are not up within 30 s
            if self.address is not None:
                raise
            raise RunError(
                f"Ray cannot be started on this machine ({error}); if it is busy, try again "
                "later, or run one trial at a time without Ray: --executor local"
            ) from error
        try:
            yield
        finally:
            ray.shutdown()

    def _worker_environment(self) -> dict[str, str]:
        """One thread a core that the trial has; waiting threads sleep."""
        return {"OMP_NUM_THREADS": str(max(1, int(self.cpus))), "OMP_WAIT_POLICY": "PASSIVE"}


def _resources() -> dict[str, float]:
    """What the cluster has in all, by name."""
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return resources


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Environment variables that are not set otherwise, for a while."""
    added = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


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
