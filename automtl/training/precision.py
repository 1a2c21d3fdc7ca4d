"""Which numbers the dense part computes with, and why.

Measured: on CPUs with matrix units for bfloat16 (AMX) a product takes half the time and a whole
step four fifths; on CPUs without, bfloat16 is emulated and a step takes several times as long
(`benchmarks/training.py`, variant bf16). Nothing was measured on GPUs, so `auto` stays with fp32
there.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from automtl.config import Precision

__all__ = ["autocast", "resolve_precision"]

# of torch.cpu: there since 2.6, not part of its documented face
BF16_UNITS = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")


def resolve_precision(
    precision: Precision, device: torch.device
) -> tuple[Literal["fp32", "bf16"], str]:
    """(what is used, why, in a few words). `auto` is bf16 on a CPU with units for it, else fp32."""
    if precision != "auto":
        return precision, "asked for"
    if device.type != "cpu":
        return "fp32", "auto: bf16 was not measured on this device"
    if _has_bf16_units():
        return "bf16", "auto: this CPU has units for bf16"
    return "fp32", "auto: this CPU has no units for bf16"


def autocast(
    precision: Literal["fp32", "bf16"], device: torch.device
) -> AbstractContextManager[None]:
    """For a forward pass: matrix products in bf16 under `bf16`, weights and sums stay fp32."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def _has_bf16_units() -> bool:
    probes: list[Callable[[], bool] | None] = [
        getattr(torch.cpu, name, None) for name in BF16_UNITS
    ]
    return any(probe() for probe in probes if probe is not None)
