"""Ray Tune runs the trials: many at once, on this machine or on a cluster. The only use of Ray.

Tune asks our searcher for the next trial and our scheduler whether a trial goes on; both pass the
question to the loop, and what Tune itself remembers is thrown away: the study on disk is the
truth. One actor runs one trial after the other, so a process starts and imports once.
"""

from __future__ import annotations

import logging
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from automtl.config import Evaluation
from automtl.errors import RunError
from automtl.search.assignment import Assignment, Job
from automtl.search.executor import describe_failure
from automtl.search.loop import SearchLoop

__all__ = ["RayExecutor"]

WAIT_S = 0.1  # before the loop is asked again when it had nothing to start
OBJECT_STORE_BYTES = 200_000_000  # configurations and metrics only: rows are memory-mapped
DRIVER_ENVIRONMENT: Mapping[str, str] = {
    "RAY_USAGE_STATS_ENABLED": "0",  # no telemetry
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # the coming default; without it Ray warns
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # no result files beside the study
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is for whoever called us
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # a failure is a row of the study
}


class RayExecutor:
    """Trials as Ray Tune actors.

    `cpus` and `gpus` are what one trial takes; without a GPU in the cluster `gpus` does not
    count. `workers` is how many trials run at once, by default what the cluster has room for.
    `address` joins a cluster (`auto`, `host:port`); without one a Ray of our own is started, and
    stopped afterwards, unless the caller has started Ray already.
    """

    def __init__(
        self, *, workers: int | None, cpus: float, gpus: float, address: str | None
    ) -> None:
        self.workers, self.cpus, self.gpus, self.address = workers, cpus, gpus, address

    def run(self, loop: SearchLoop, job: Job) -> None:
        """Raises RunError if the cluster cannot be joined or has no room for one trial."""
        with ExitStack() as stack:
            stack.enter_context(_environment(DRIVER_ENVIRONMENT))
            # Ray prints the death of a worker, whatever it is told; stdout is for results
            stack.enter_context(redirect_stdout(sys.stderr))
            scratch = stack.enter_context(
                tempfile.TemporaryDirectory(
                    prefix="automtl-", dir=_scratch_root(), ignore_cleanup_errors=True
                )
            )
            stack.enter_context(self._cluster(Path(scratch)))
            gpus = self.gpus if _resources().get("GPU", 0) else 0
            bridge = _Bridge(loop, job)
            tuner = tune.Tuner(
                tune.with_resources(_Actor, {"cpu": self.cpus, "gpu": gpus}),
                tune_config=tune.TuneConfig(
                    search_alg=_Searcher(bridge),
                    scheduler=_Scheduler(bridge),
                    num_samples=-1,
                    max_concurrent_trials=self._num_workers(gpus),
                    reuse_actors=True,
                    trial_dirname_creator=lambda trial: str(trial.trial_id),
                ),
                run_config=tune.RunConfig(
                    name="search",
                    storage_path=scratch,
                    verbose=0,
                    # weights are the job's business; by default Tune saves every trial at its end
                    checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                ),
            )
            with _quiet("ray.tune"):
                tuner.fit()
            bridge.raise_error()

    def _num_workers(self, gpus: float) -> int:
        resources = _resources()
        room = int(resources.get("CPU", 0) / self.cpus + 1e-9)
        if gpus:
            room = min(room, int(resources["GPU"] / gpus + 1e-9))
        if room < 1:
            raise RunError(
                f"trial.cpus: a trial takes {self.cpus:g} CPUs and {gpus:g} GPUs, and Ray has "
                f"{resources.get('CPU', 0):g} and {resources.get('GPU', 0):g}; ask for less"
            )
        return room if self.workers is None else self.workers

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
        try:
            yield
        finally:
            ray.shutdown()

    def _worker_environment(self) -> dict[str, str]:
        """One thread a core that the trial has; waiting threads sleep."""
        return {"OMP_NUM_THREADS": str(max(1, int(self.cpus))), "OMP_WAIT_POLICY": "PASSIVE"}


class _Bridge:
    """Between Tune's callbacks and the loop, by Tune's ids.

    An error of the loop (a full disk, say) is not a trial's: Tune would swallow it. It is kept,
    the search ends, and `raise_error` throws it.
    """

    def __init__(self, loop: SearchLoop, job: Job) -> None:
        self.loop, self.job = loop, job
        self.numbers: dict[str, int] = {}  # Tune's id of a running trial -> its number
        self.deaths: dict[str, tuple[str, str]] = {}
        self._error: Exception | None = None

    @contextmanager
    def guard(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._error = self._error or error

    @property
    def is_broken(self) -> bool:
        return self._error is not None

    def raise_error(self) -> None:
        if self._error is not None:
            raise self._error


class _Searcher(Searcher):
    def __init__(self, bridge: _Bridge) -> None:
        super().__init__()
        self.bridge = bridge

    def suggest(self, trial_id: str) -> Any:
        """A configuration, or FINISHED, or None for not now."""
        with self.bridge.guard():
            turn = self.bridge.loop.propose() if not self.bridge.is_broken else "finished"
            if isinstance(turn, Assignment):
                self.bridge.numbers[trial_id] = turn.number
                return {"assignment": turn, "job": self.bridge.job}
            if turn == "wait":
                time.sleep(WAIT_S)
                return None
        return Searcher.FINISHED

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        number = self.bridge.numbers.pop(trial_id, None)
        if number is None or self.bridge.is_broken:
            return
        with self.bridge.guard():
            if error:
                self.bridge.loop.fail(number, *self.bridge.deaths.pop(trial_id, _UNKNOWN_DEATH))
            elif result and result.get("failure"):
                self.bridge.loop.fail(number, *result["failure"])
            else:
                self.bridge.loop.complete(number)

    def save(self, checkpoint_path: str) -> None:
        """Tune saves its searcher now and then; ours is in the study."""

    def restore(self, checkpoint_path: str) -> None:
        raise AssertionError("a search goes on from its study, never from Tune")

    def __reduce__(self) -> tuple[type[Searcher], tuple[()]]:
        return Searcher, ()  # Tune pickles its configuration for a restore that we never do


class _Scheduler(FIFOScheduler):
    def __init__(self, bridge: _Bridge) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bridge = bridge

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if self.bridge.is_broken:
            return str(FIFOScheduler.STOP)
        with self.bridge.guard():
            number = self.bridge.numbers[trial.trial_id]
            if self.bridge.loop.report(number, result["evaluation"]) == "stop":
                return str(FIFOScheduler.STOP)
        return str(FIFOScheduler.CONTINUE)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        with self.bridge.guard():
            text = Path(trial.error_file).read_text() if trial.error_file else ""
            if lines := text.strip().splitlines():
                reason = f"the worker died: {lines[-1].split('. ')[0]}"  # Ray explains at length
                self.bridge.deaths[trial.trial_id] = reason, text

    def __reduce__(self) -> tuple[type[FIFOScheduler], tuple[()]]:
        return FIFOScheduler, ()


_UNKNOWN_DEATH = "the worker process died", ""


class _Actor(tune.Trainable):
    """Runs in a worker: one step is one evaluation; the step after the last says done.

    An exception travels as a value, so the actor lives on for the next trial.
    """

    def setup(self, config: dict[str, Any]) -> None:
        self._evaluations: Iterator[Evaluation] = config["job"].run(config["assignment"])

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        try:
            evaluation = next(self._evaluations, None)
        except Exception as error:
            return {"done": True, "failure": describe_failure(error)}
        return {"done": evaluation is None, "evaluation": evaluation}


def _scratch_root() -> str:
    """Where Ray puts its session for the time of a search: a socket's path has 107 bytes at most,
    and about 70 of them follow."""
    root = tempfile.gettempdir()
    return root if len(root) < 30 else "/tmp"


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
