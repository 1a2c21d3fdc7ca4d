"""Ray as the caller has it, a cluster that runs already, or one of our own while it is needed."""

from __future__ import annotations

import logging
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import ray

from automtl.errors import RunError
from automtl.search.executor import worker_environment

__all__ = [
    "DRIVER_ENVIRONMENT",
    "OBJECT_STORE_BYTES",
    "cluster",
    "environment",
    "left_in_order",
    "resources",
]

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
QUICK_START: Mapping[str, str] = {  # of a Ray of our own
    # none ahead of time: they would not fit the environment that Tune gives its trials
    "RAY_prestart_worker_first_driver": "0",
    # a node looks for its object store every 20 ms, not every second, for 10 s as it is
    "RAY_raylet_client_connect_timeout_milliseconds": "20",
    "RAY_raylet_client_num_connect_attempts": "500",
}


@contextmanager
def cluster(
    scratch: Path, *, workers: int | None, cpus: float, address: str | None
) -> Iterator[Callable[[], None]]:
    """What to call before Ray is used: until then it starts, in a thread, which takes seconds.

    One of our own has room for as many `workers` as were asked for, of `cpus` each, and is stopped
    at the end. What is called raises RunError where Ray does not start, or cannot be joined.
    """
    if ray.is_initialized():
        yield lambda: None
        return
    if address is not None and address.startswith("ray://"):
        raise RunError(
            f"--address {address}: the search must run on a machine of the cluster, which "
            "a ray:// address cannot do; run it there with --address auto"
        )
    of_workers = worker_environment(cpus)
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    inherited: Mapping[str, str] = {}
    if address is None:
        inherited = {**of_workers, **QUICK_START}
        options |= {
            # as many as Ray finds, or room for as many workers as were asked for
            "num_cpus": math.ceil(workers * cpus) if workers else None,
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE_BYTES,
            "_temp_dir": str(scratch / "ray"),
        }
    else:
        options |= {"address": address, "runtime_env": {"env_vars": of_workers}}
    # the thread lives as long as Ray: Linux ends the processes that a thread has started with it
    with ThreadPoolExecutor(max_workers=1) as thread, environment(inherited) as restore:
        starting = thread.submit(ray.init, **options)

        def wait() -> None:
            try:
                starting.result()
            except ConnectionError as error:
                raise RunError(
                    f"--address {address}: no Ray cluster answers there ({error}); start one with "
                    "`ray start --head`, or leave --address out"
                ) from error
            except Exception as error:  # a bare one, where its processes are not up within 30 s
                if address is not None:
                    raise
                raise RunError(
                    f"Ray cannot be started on this machine ({error}); if it is busy, try again "
                    "later, or run one trial at a time without Ray: --executor local"
                ) from error
            finally:
                restore()

        try:
            yield wait
        finally:
            starting.exception()  # it is stopped when it has started
            ray.shutdown()


@contextmanager
def left_in_order() -> Iterator[None]:
    """A SIGTERM ends this process as `sys.exit` does. To be entered when Ray is up, whose own
    handler prints a stack; where the signal finds Ray waiting, it makes an exit of its own of ours.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    code: int | None = None

    def leave(number: int, _frame: FrameType | None) -> None:
        nonlocal code
        code = 128 + number
        sys.exit(code)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    except BaseException:
        if code is not None:
            sys.exit(code)
        raise
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def resources() -> dict[str, float]:
    """What the cluster has in all, by name."""
    found: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return found


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[Callable[[], None]]:
    """Environment variables for a while: to the end, or until what this gives is called."""
    before = {name: os.environ.get(name) for name in values}

    def restore() -> None:
        for name in list(before):
            value = before.pop(name)
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    os.environ.update(values)
    try:
        yield restore
    finally:
        restore()
