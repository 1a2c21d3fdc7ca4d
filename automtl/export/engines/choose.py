"""Which engine a bundle gets. Importing this imports neither torch nor ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from automtl.errors import BundleError
from automtl.export.engines.engine import Engine
from automtl.export.manifest import Manifest
from automtl.extras import missing, missing_told, require

if TYPE_CHECKING:
    from automtl.export.engines.torch_engine import TorchEngine

__all__ = ["EngineChoice", "open_engine", "open_torch"]

EngineChoice = Literal["auto", "torch", "onnx"]


def open_engine(
    directory: Path, manifest: Manifest, engine: EngineChoice, *, num_threads: int = 0
) -> Engine:
    """`auto`: ONNX Runtime where the bundle has a graph for it and the extra is installed, else
    torch. `num_threads` is that of `OnnxEngine.open`. BundleError if what was asked for is not
    there, or does not fit the manifest; MissingPackageError if it is not installed."""
    if engine not in ("auto", "torch", "onnx"):
        raise BundleError(f"engine {engine!r}: no such engine; choose auto, torch or onnx")
    has_graph, has_onnx = manifest.onnx is not None, missing("onnx") is None
    if engine == "torch" or (engine == "auto" and not (has_graph and has_onnx)):
        if not has_graph:
            return open_torch(directory, manifest, or_else="export it again with --format onnx")
        install = "" if has_onnx else "pip install 'automtl[onnx]' and "
        return open_torch(directory, manifest, or_else=f"{install}load it with engine='onnx'")
    if not has_graph:
        raise BundleError(
            f"{directory}: it has no ONNX graph; export it again with --format onnx, or load it "
            "with engine='torch'"
        )
    require(
        "onnx", needed_by=f"{directory}, by ONNX Runtime", or_else="load it with engine='torch'"
    )
    from automtl.export.engines.onnx_engine import OnnxEngine

    return OnnxEngine.open(directory, manifest, num_threads=num_threads)


def open_torch(directory: Path, manifest: Manifest, *, or_else: str = "") -> TorchEngine:
    """A plain nn.Module. BundleError if its weights are not those of the manifest's model,
    MissingPackageError if torch is not installed; `or_else` is another way out of that."""
    with missing_told(needed_by=f"{directory}, by torch", or_else=or_else):
        from automtl.export.engines.torch_engine import TorchEngine  # torch: who needs it waits
    return TorchEngine.open(directory, manifest)
