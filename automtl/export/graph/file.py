"""model.onnx: written from a manifest, and read only to see that it is what would be written.

A graph can hold loops, operators of others, or weights in any file of the machine. None of that has
to be looked for: a file that is not the very graph of the model beside it is refused.
"""

from __future__ import annotations

from pathlib import Path

from google.protobuf.message import DecodeError
from onnx import ModelProto

from automtl.errors import BundleError
from automtl.export.graph.build import GRAPH_VERSION, build
from automtl.export.manifest import GRAPH_FILE, Manifest

__all__ = ["check_graph", "write_graph"]

LARGEST_GRAPH_BYTES = 64 * 2**20  # weights are not in it


def write_graph(manifest: Manifest, directory: Path) -> None:
    """Writes the graph of the manifest's model over the weights in `directory`."""
    proto = build(manifest, directory)
    (directory / GRAPH_FILE).write_bytes(proto.SerializeToString(deterministic=True))


def check_graph(manifest: Manifest, directory: Path) -> None:
    """BundleError unless model.onnx is the graph of the manifest's model, and nothing else."""
    path = directory / GRAPH_FILE
    if manifest.onnx is not None and manifest.onnx.version != GRAPH_VERSION:
        raise BundleError(
            f"{path}: a graph of version {manifest.onnx.version}, this automtl makes "
            f"{GRAPH_VERSION}; use the version that wrote it, load it with engine='torch', or "
            "export again"
        )
    try:
        if path.stat().st_size > LARGEST_GRAPH_BYTES:
            raise BundleError(f"{path}: too large for a graph of automtl")
        found = ModelProto.FromString(path.read_bytes())
    except (OSError, DecodeError) as error:
        raise BundleError(f"{path}: damaged ({error}); copy or export again") from error
    if found != build(manifest, directory):
        raise BundleError(
            f"{path}: foreign, it is not the graph of the model described beside it; export again"
        )
