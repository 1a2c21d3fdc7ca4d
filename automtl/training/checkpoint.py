"""A training on disk, as far as it has come: whoever goes on from there ends with the same numbers.

A checkpoint is one safetensors file: the model, what the optimisers remember and the generators of
random numbers as tensors, the rest as JSON beside them. Nothing is unpickled.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from automtl.files import written_whole

__all__ = ["Checkpoint", "Checkpoints", "generators", "set_generators"]

FORMAT = "automtl-checkpoint-1"
CPU, CUDA = "generator.cpu", "generator.cuda"

Keeping = Callable[[Path], AbstractContextManager[Path]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A training after `step` steps of `batch_size` rows. `state` is that of `Stepper.state`,
    `random` that of `generators`."""

    step: int
    batch_size: int
    wall_s: float
    notes: tuple[str, ...]
    state: Mapping[str, Tensor]
    random: Mapping[str, Tensor]

    def fits(self, state: Mapping[str, Tensor]) -> bool:
        """Whether it is of the same parts: names, types and shapes."""
        return _kinds(self.state) == _kinds(state)


class Checkpoints:
    """The latest state of one training in the file `path`, written every `every_s` seconds.

    `keeping` says how a file is written whole.
    """

    def __init__(
        self,
        path: Path,
        *,
        every_s: float,
        keeping: Keeping = written_whole,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self._every_s, self._keeping, self._clock = every_s, keeping, clock
        self._saved_s = clock()

    def is_due(self) -> bool:
        return self._clock() - self._saved_s >= self._every_s

    def save(self, checkpoint: Checkpoint) -> str:
        """Puts the file into place of the one before; -> why it could not, or ""."""
        facts = {
            "format": FORMAT,
            "step": checkpoint.step,
            "batch_size": checkpoint.batch_size,
            "wall_s": checkpoint.wall_s,
            "notes": checkpoint.notes,
        }
        try:
            with self._keeping(self.path) as aside:
                save_file(
                    {**checkpoint.state, **checkpoint.random},
                    aside,
                    metadata={"checkpoint": json.dumps(facts)},
                )
        except (OSError, SafetensorError) as error:
            # what names the file aside differs each time, and a note is told once
            why = getattr(error, "strerror", None) or "is the directory there, and room?"
            return f"{self.path}: the checkpoint cannot be written ({why})"
        finally:
            self._saved_s = self._clock()
        return ""

    def load(self) -> Checkpoint | None:
        """What was saved last; None where there is nothing, or nothing whole."""
        try:
            with safe_open(self.path, framework="pt") as file:
                facts = json.loads(file.metadata()["checkpoint"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
            if facts["format"] != FORMAT:
                return None
            return Checkpoint(
                step=facts["step"],
                batch_size=facts["batch_size"],
                wall_s=facts["wall_s"],
                notes=tuple(facts["notes"]),
                state={name: one for name, one in tensors.items() if name not in (CPU, CUDA)},
                random={name: one for name, one in tensors.items() if name in (CPU, CUDA)},
            )
        except (OSError, SafetensorError, LookupError, TypeError, ValueError):
            return None


def generators(device: torch.device) -> dict[str, Tensor]:
    """The states of the global generators that a step on `device` may draw from."""
    states = {CPU: torch.get_rng_state()}
    if device.type == "cuda":
        states[CUDA] = torch.cuda.get_rng_state(device)
    return states


def set_generators(states: Mapping[str, Tensor], device: torch.device) -> None:
    """The inverse of `generators`."""
    torch.set_rng_state(states[CPU])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states[CUDA], device)


def _kinds(state: Mapping[str, Tensor]) -> dict[str, tuple[torch.dtype, torch.Size]]:
    return {name: (one.dtype, one.shape) for name, one in state.items()}
