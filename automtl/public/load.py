"""An exported model, for Python. Importing this imports nothing that trains."""

from __future__ import annotations

from pathlib import Path

from automtl.export.bundle import Bundle
from automtl.export.engines.choose import EngineChoice

__all__ = ["load"]


def load(bundle: str | Path, *, engine: EngineChoice = "auto") -> Bundle:
    """An exported model: its `model` (a plain `nn.Module` on the CPU), its `encoder`, its
    `manifest`. Nothing in the directory is run or unpickled; all of it is checked.

    `engine` computes: `auto` is ONNX Runtime where the bundle has a graph for it and the extra
    `onnx` is installed, else torch.

    Raises BundleError if it is damaged, foreign, of a later format, or has no graph for the engine,
    and MissingPackageError if the engine is not installed.

        scores = automtl.load("reports/kuairand/bundle").predict(frame)
    """
    return Bundle.load(bundle, engine=engine)
