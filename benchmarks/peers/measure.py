"""How every side is measured: time from step to step, memory, AUC. Needs numpy and torch only.

Shapes: N rows, K tasks.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

MIB = 2.0**20
STATUS_FILE = Path("/proc/self/status")


class StepTimes:
    """When each training step's forward pass of a torch module began.

    The time from one beginning to the next is a whole step: forward, loss, backward, update, and
    making the next batch, whatever the loop around the model is.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self.times: list[float] = []

        def note(module: torch.nn.Module, _: Any) -> None:
            if module.training:
                self.times.append(time.perf_counter())

        model.register_forward_pre_hook(note)

    def examples_per_s(self, batch_size: int, *, skip: int) -> float | None:
        """By the median step after `skip` (at most half of all); None where no step was seen."""
        steps = np.diff(self.times)
        if not len(steps):
            return None
        return batch_size / float(np.median(steps[min(skip, len(steps) // 2) :]))


def bare_bytes() -> float:
    """Resident memory after all imports; where the system does not tell, the largest so far.

    torch imports much of itself with the first optimiser: that is done here, once, so that neither
    memory nor time of it counts as a model's.
    """
    torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])
    return _status("VmRSS") or _largest_ever()


def peak_bytes() -> float:
    """The largest resident memory of this program so far.

    From the kernel's VmHWM where there is one: `ru_maxrss` of a child process starts with the
    memory of the parent that started it.
    """
    return _status("VmHWM") or _largest_ever()


def peak_mib(bare: float, device: str) -> float:
    """What `Result.peak_mib` is, `bare` being the memory after the imports."""
    if device == "cpu":
        return (peak_bytes() - bare) / MIB
    return torch.cuda.max_memory_allocated() / MIB


def wait_for(device: str) -> None:
    """Until all that was asked of the device is done, so that a clock may be read."""
    if device != "cpu":
        torch.cuda.synchronize()


def aucs(
    labels: Mapping[str, np.ndarray[Any, Any]], scores: Mapping[str, np.ndarray[Any, Any]]
) -> dict[str, tuple[float, ...]]:
    """Split -> the AUC of every task, from [N, K] labels in {0, 1} and [N, K] scores."""
    return {
        split: tuple(auc(labels[split][:, k], scores_NK[:, k]) for k in range(scores_NK.shape[1]))
        for split, scores_NK in scores.items()
    }


def auc(labels_N: np.ndarray[Any, Any], scores_N: np.ndarray[Any, Any]) -> float:
    """The area under the ROC curve, exact, ties counted one half (Mann-Whitney)."""
    order_N = np.argsort(scores_N)
    sorted_N = scores_N[order_N]
    starts = np.flatnonzero(np.concatenate(([True], sorted_N[1:] != sorted_N[:-1])))
    ends = np.append(starts[1:], len(sorted_N))
    positives = np.add.reduceat(labels_N[order_N].astype(np.float64), starts)
    num_positive = float(positives.sum())
    num_pairs = num_positive * (len(labels_N) - num_positive)
    rank_sum = float(positives @ ((starts + ends + 1) / 2))
    return (rank_sum - num_positive * (num_positive + 1) / 2) / num_pairs


def _status(name: str) -> float | None:
    if not STATUS_FILE.exists():
        return None
    lines = STATUS_FILE.read_text(encoding="utf-8").splitlines()
    kib = [line.split()[1] for line in lines if line.startswith(f"{name}:")]
    return float(kib[0]) * 1024 if kib else None


def _largest_ever() -> float:
    unit = 1.0 if sys.platform == "darwin" else 1024.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
