"""Memory: what a model needs against what is free, and an allocator that keeps what it has."""

from __future__ import annotations

import ctypes
import resource
from pathlib import Path

import torch

from automtl.config import TrialConfig
from automtl.errors import TrialFailedError
from automtl.models.plan import ModelPlan
from automtl.training.tables import state_floats

__all__ = [
    "check_fits",
    "free_bytes",
    "is_out_of_memory",
    "keep_freed_memory",
    "needed_bytes",
    "peak_bytes",
]

BYTES_PER_FLOAT = 4
DENSE_FLOATS = 4  # a parameter, its gradient and the two moments of Adam
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # of glibc's mallopt
CPU_ALLOCATOR = "DefaultCPUAllocator"  # all that tells its RuntimeError from others
KEPT_BYTES, PADDING_BYTES = 2**30, 2**26


def keep_freed_memory() -> None:
    """Tells glibc to keep the memory of one step's tensors for the next step's.

    By default tensors of more than 32 MB, and all at the heap's end, go back to the system when
    they are freed and are faulted in again, page by page: up to a third of a step. Concerns the
    whole process, so it is called where a process exists to train. Elsewhere it does nothing.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # no glibc
        return
    mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
    mallopt(M_TOP_PAD, PADDING_BYTES)


def needed_bytes(config: TrialConfig, plan: ModelPlan) -> int:
    """Tables and their optimiser's state, and the dense part's; activations are not counted."""
    kind, copies = config.train.embedding_optimizer, plan.num_copies
    tables = sum(
        copies * lookup.num_rows * (lookup.width + state_floats(kind, lookup.width))
        for lookup in plan.inputs.lookups
    )
    return BYTES_PER_FLOAT * (tables + DENSE_FLOATS * plan.dense_params)


def check_fits(config: TrialConfig, plan: ModelPlan, device: torch.device) -> None:
    """Raises TrialFailedError, with the numbers, for a model that cannot fit the free memory."""
    needed, free = needed_bytes(config, plan), free_bytes(device)
    if free is None or needed <= free:
        return
    raise TrialFailedError(
        f"the model needs {_gigabytes(needed)} ({plan.embedding_params:,} parameters in embeddings"
        f" with embedding_optimizer {config.train.embedding_optimizer}), {_gigabytes(free)} are"
        " free; a smaller embedding_dim, a max_vocab, or embedding_optimizer rowwise_adagrad needs"
        " less"
    )


def free_bytes(device: torch.device) -> int | None:
    """What this process may still take; None where that cannot be told."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type != "cpu":
        return None
    limits = [left for left in (_free_of_machine(), _free_of_cgroup()) if left is not None]
    return min(limits, default=None)


def is_out_of_memory(error: Exception) -> bool:
    """Whether an allocation failed: PyTorch's on a GPU or on the CPU, or NumPy's."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and CPU_ALLOCATOR in str(error)


def peak_bytes(device: torch.device) -> int:
    """The most that was taken at once so far: on a GPU by tensors, else by this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _free_of_machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else None


def _free_of_cgroup(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Of a container with a limit (cgroup v2), what it has not yet used; caches count as free."""
    try:
        limit = (root / "memory.max").read_text(encoding="ascii").strip()
        used = int((root / "memory.current").read_text(encoding="ascii"))
        statistics = (root / "memory.stat").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    if limit == "max":
        return None
    cached = sum(int(line.split()[1]) for line in statistics if line.startswith("inactive_file "))
    return max(int(limit) - used + cached, 0)


def _gigabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:,.1f} GB"
