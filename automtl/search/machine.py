"""What this machine has for trials."""

from __future__ import annotations

import ctypes
import os

from automtl.errors import RunError

__all__ = ["checked_room", "gpu_names", "num_cpus", "room"]


def num_cpus() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))


def gpu_names() -> tuple[str, ...]:
    """Of each GPU that torch would see what CUDA_VISIBLE_DEVICES calls it.

    Where there is no driver torch need not be imported to know that.
    """
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return ()
    import torch

    given = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = [name.strip() for name in given.split(",") if name.strip()]
    count = torch.cuda.device_count()
    return tuple(names[:count]) or tuple(str(index) for index in range(count))


def room(num_cpus: float, num_gpus: float, *, cpus: float, gpus: float) -> int:
    """How many trials run at once where each takes `cpus` and `gpus`; these count where there are
    some."""
    fitting = int(num_cpus / cpus + 1e-9)
    return min(fitting, int(num_gpus / gpus + 1e-9)) if num_gpus and gpus else fitting


def checked_room(num_cpus: float, num_gpus: float, *, cpus: float, gpus: float, owner: str) -> int:
    """The same; raises RunError where there is none, with what the `owner` has."""
    fitting = room(num_cpus, num_gpus, cpus=cpus, gpus=gpus)
    if fitting < 1:
        raise RunError(
            f"trial.cpus: a trial takes {cpus:g} CPUs and {gpus if num_gpus else 0:g} GPUs, and "
            f"{owner} has {num_cpus:g} and {num_gpus:g}; ask for less"
        )
    return fitting
