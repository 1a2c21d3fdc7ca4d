"""Where the tensors of model.safetensors lie, trusting nothing about the file. No torch."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from automtl.config import FeatureSchema, ModelConfig, TaskSchema
from automtl.errors import BundleError
from automtl.models.cost import costs

__all__ = ["Span", "check_finite", "check_size", "damaged", "read_spans", "unfit"]

BYTES_PER_PARAMETER = 4
MOST_LEVELS = 1000
MOST_COLUMNS = 10**6  # of ids, and of numbers
BLOCK = 2**20  # numbers that are looked at at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A float32 tensor, row-major and little-endian: `num_bytes` of the file from `start` on."""

    start: int
    num_bytes: int
    shape: tuple[int, ...]


def read_spans(path: Path) -> dict[str, Span]:
    """Every tensor of the file by its name. BundleError if it is damaged or not all float32."""
    try:
        # the library's reader holds the header to its size and the spans to the file's
        with safe_open(path, framework="numpy") as file:
            names = list(file.keys())
        with path.open("rb") as file:
            header_bytes = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(header_bytes))
    except (SafetensorError, OSError, ValueError) as error:
        raise damaged(path, error) from error
    spans: dict[str, Span] = {}
    for name in names:
        entry = header[name]
        if entry["dtype"] != "F32":
            raise unfit(path, f"{name} is {entry['dtype']}, not F32")
        start, stop = entry["data_offsets"]
        spans[name] = Span(
            start=8 + header_bytes + start, num_bytes=stop - start, shape=tuple(entry["shape"])
        )
    return spans


def check_finite(path: Path, spans: dict[str, Span]) -> None:
    """BundleError names a tensor that holds NaN or infinity."""
    for name, span in spans.items():
        num_values = span.num_bytes // BYTES_PER_PARAMETER
        if not num_values:
            continue
        values = np.memmap(path, dtype="<f4", mode="r", offset=span.start, shape=(num_values,))
        for start in range(0, num_values, BLOCK):
            if not np.isfinite(values[start : start + BLOCK]).all():
                raise unfit(path, f"{name} holds values that are not finite")


def check_size(
    path: Path, config: ModelConfig, features: FeatureSchema, tasks: tuple[TaskSchema, ...]
) -> None:
    """BundleError unless the file is large enough for the model: nothing large is built before."""
    if not 1 <= config.num_levels <= MOST_LEVELS:
        raise unfit(path, f"{config.num_levels} levels")
    for num_columns in (features.num_id_columns, features.num_number_columns):
        if not 0 <= num_columns <= MOST_COLUMNS:
            raise unfit(path, f"{num_columns} columns")
    try:
        num_params = costs(config, features, tasks)["params"]
        num_bytes = path.stat().st_size
    except (OSError, ValueError, LookupError, ZeroDivisionError) as error:
        raise unfit(path, str(error)) from error
    if not (math.isfinite(num_params) and num_params * BYTES_PER_PARAMETER <= num_bytes):
        raise unfit(path, f"{num_params:.0f} parameters cannot be in {num_bytes} bytes")


def damaged(path: Path, error: Exception) -> BundleError:
    return BundleError(f"{path}: damaged weights ({error}); copy or export again")


def unfit(path: Path, why: str) -> BundleError:
    return BundleError(f"{path}: not the weights of the model described beside it ({why})")
