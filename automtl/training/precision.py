"""Which numbers the dense part computes with, and why.

Measured (`benchmarks/training.py`, variants fp32, tf32 and bf16): on CPUs with matrix units for
bfloat16 (AMX) a product takes half the time and a whole step four fifths; on CPUs without, bfloat16
is emulated and a step takes several times as long. GPUs since Ampere multiply fp32 numbers in TF32,
with ten bits of fraction, at a cost in AUC that was not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal

import torch

from automtl.config import Precision

__all__ = ["Used", "autocast", "multiplying", "resolve_precision"]

Used = Literal["fp32", "tf32", "bf16"]

AMPERE = (8, 0)  # the first compute capability with TF32
# of torch.cpu: there since 2.6, not part of its documented face
BF16_UNITS = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")


def resolve_precision(precision: Precision, device: torch.device) -> tuple[Used, str]:
    """(what is used, why, in a few words). `auto` is tf32 on a GPU that has it, bf16 on a CPU with
    units for it, else fp32."""
    if precision == "tf32" and not _has_tf32(device):
        return "fp32", "tf32 needs a GPU of compute capability 8.0"
    if precision != "auto":
        return precision, "asked for"
    if _has_tf32(device):
        return "tf32", "auto: this GPU multiplies in TF32"
    if device.type != "cpu":
        return "fp32", "auto: nothing faster was measured on this device"
    if _has_bf16_units():
        return "bf16", "auto: this CPU has units for bf16"
    return "fp32", "auto: this CPU has no units for bf16"


def autocast(precision: Used, device: torch.device) -> AbstractContextManager[None]:
    """For a forward pass: matrix products in `precision`, weights and sums stay fp32."""
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return multiplying(precision)


def multiplying(precision: Used) -> AbstractContextManager[None]:
    """For a backward pass, which autocast does not concern."""
    return _tf32() if precision == "tf32" else nullcontext()


@contextmanager
def _tf32() -> Iterator[None]:
    products = torch.backends.cuda.matmul
    before, products.allow_tf32 = products.allow_tf32, True
    try:
        yield
    finally:
        products.allow_tf32 = before


def _has_tf32(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= AMPERE


def _has_bf16_units() -> bool:
    probes: list[Callable[[], bool] | None] = [
        getattr(torch.cpu, name, None) for name in BF16_UNITS
    ]
    return any(probe() for probe in probes if probe is not None)
