"""AdamW (Loshchilov and Hutter, 2019) over groups of parameters, by torch's own kernels.

`torch.optim.AdamW` gives the same numbers, but the first optimiser of a process imports torch's
compiler: two seconds before the first step of every worker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.optim.adamw import adamw

__all__ = ["AdamW", "Group"]

BETAS = (0.9, 0.999)
EPS = 1e-8
FUSED_ON = ("cpu", "cuda")


@dataclass(kw_only=True, eq=False)
class Group:
    """Parameters with one learning rate and one weight decay, and what is known of each: both
    moments of its gradient, and the number of its steps."""

    parameters: Sequence[Tensor]
    lr: float
    weight_decay: float = 0.0
    means: list[Tensor] = field(init=False)
    squares: list[Tensor] = field(init=False)
    steps: list[Tensor] = field(init=False)
    is_fused: bool = field(init=False)

    def __post_init__(self) -> None:
        device = self.parameters[0].device
        self.is_fused = device.type in FUSED_ON
        self.means = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.squares = [torch.zeros_like(parameter) for parameter in self.parameters]
        # a count that is read in Python stays on the CPU
        counted_on = device if self.is_fused else torch.device("cpu")
        self.steps = [torch.zeros((), device=counted_on) for _ in self.parameters]

    @torch.no_grad()
    def step(self) -> None:
        at = [n for n, parameter in enumerate(self.parameters) if parameter.grad is not None]
        adamw(
            [self.parameters[n] for n in at],
            [grad for parameter in self.parameters if (grad := parameter.grad) is not None],
            [self.means[n] for n in at],
            [self.squares[n] for n in at],
            [],
            [self.steps[n] for n in at],
            fused=self.is_fused,
            foreach=not self.is_fused,
            amsgrad=False,
            beta1=BETAS[0],
            beta2=BETAS[1],
            lr=self.lr,
            weight_decay=self.weight_decay,
            eps=EPS,
            maximize=False,
        )


class AdamW:
    """All groups; a parameter without a gradient stays as it is."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self._groups = tuple(groups)

    def zero_grad(self) -> None:
        """Drops the gradients."""
        for group in self._groups:
            for parameter in group.parameters:
                parameter.grad = None

    def step(self) -> None:
        """Updates every parameter that has a gradient."""
        for group in self._groups:
            group.step()

    def state(self) -> dict[str, Tensor]:
        """What it remembers of earlier steps, as it is in memory; not the parameters."""
        return {
            f"{number}.{what}.{place}": tensor
            for number, group in enumerate(self._groups)
            for what in ("means", "squares", "steps")
            for place, tensor in enumerate(getattr(group, what))
        }
