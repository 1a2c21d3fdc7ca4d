"""What an engine is, and which one a bundle gets. Imports neither torch nor ONNX Runtime."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from automtl.data.encode import Inputs
from automtl.errors import BundleError
from automtl.export.manifest import Manifest

__all__ = [
    "EXTRA_HINT",
    "Engine",
    "EngineChoice",
    "EngineName",
    "Predictions",
    "has_onnx",
    "open_engine",
]

EngineName = Literal["torch", "onnx"]
EngineChoice = Literal["auto", "torch", "onnx"]
Predictions = dict[str, NDArray[np.float32]]
EXTRA_HINT = 'pip install "automtl[onnx]"'


class Engine(Protocol):
    """A model that is ready."""

    @property
    def name(self) -> EngineName: ...

    def predict(self, inputs: Inputs) -> Predictions:
        """[N] float32 for each `OutputColumn.prediction`, of one row or more."""


def has_onnx() -> bool:
    """Whether the extra `onnx` is installed; imports nothing of it."""
    return all(importlib.util.find_spec(name) is not None for name in ("onnx", "onnxruntime"))


def open_engine(directory: Path, manifest: Manifest, engine: EngineChoice) -> Engine:
    """`auto`: ONNX Runtime where the bundle has a graph for it and the extra is installed, else
    torch. BundleError if what was asked for is not there, or does not fit the manifest."""
    if engine not in ("auto", "torch", "onnx"):
        raise BundleError(f"engine {engine!r}: no such engine; choose auto, torch or onnx")
    if engine == "auto":
        engine = "onnx" if manifest.onnx is not None and has_onnx() else "torch"
    if engine == "torch":
        from automtl.export.engines.torch_engine import TorchEngine  # torch: who needs it waits

        return TorchEngine.open(directory, manifest)
    if manifest.onnx is None:
        raise BundleError(
            f"{directory}: it has no ONNX graph; export it again with --format onnx, or load it "
            "with engine='torch'"
        )
    if not has_onnx():
        raise BundleError(
            f"{directory}: ONNX Runtime is not installed; {EXTRA_HINT}, or load it with "
            "engine='torch'"
        )
    from automtl.export.engines.onnx_engine import OnnxEngine

    return OnnxEngine.open(directory, manifest)
