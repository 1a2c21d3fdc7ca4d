"""Predictions by ONNX Runtime, on the CPU. Imports no torch.

Shapes: N rows, B rows of a batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, TypeVar

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from automtl.data.encode import Inputs
from automtl.errors import BundleError
from automtl.export.engines.engine import Predictions
from automtl.export.graph.build import IDS, NUMBERS
from automtl.export.graph.file import check_graph
from automtl.export.manifest import GRAPH_FILE, WEIGHTS_FILE, Manifest, OutputColumn
from automtl.export.tensors import check_finite, read_spans

__all__ = ["OnnxEngine"]

T = TypeVar("T", bound=np.generic)

BATCH_SIZE = 2048  # activations of more rows leave the processor's cache
# the last rows of a batch that does not fill the processor's vectors are computed by other
# instructions, and come out otherwise in the last digit
LANES = 16
ERRORS_ONLY = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OnnxEngine:
    """A session over model.onnx. The weights are mapped from their file, not read into memory.

    A row has the same score, bit for bit, whatever rows are scored with it.
    """

    session: onnxruntime.InferenceSession
    outputs: tuple[OutputColumn, ...]
    name: Literal["onnx"] = "onnx"

    @classmethod
    def open(cls, directory: Path, manifest: Manifest, *, num_threads: int = 0) -> Self:
        """`num_threads` compute a batch; 0: as many as there are cores.

        BundleError if the graph or the weights are damaged, or not the model of the manifest.
        """
        check_graph(manifest, directory)
        weights = directory / WEIGHTS_FILE
        check_finite(weights, read_spans(weights))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        options.log_severity_level = ERRORS_ONLY
        path = directory / GRAPH_FILE
        try:
            session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the runtime has no exception of its own for all it raises
            raise BundleError(f"{path}: ONNX Runtime cannot load it ({error})") from error
        return cls(session=session, outputs=manifest.outputs)

    def predict(self, inputs: Inputs) -> Predictions:
        names = [one.name for one in self.outputs]
        num_rows = len(inputs.ids_NC)
        predictions = {one.prediction: np.empty(num_rows, dtype=np.float32) for one in self.outputs}
        for start in range(0, num_rows, BATCH_SIZE):
            batch = slice(start, start + BATCH_SIZE)
            fed = {IDS: _filled(inputs.ids_NC[batch]), NUMBERS: _filled(inputs.numeric_NF[batch])}
            scores = self.session.run(names, fed)
            for values_N, values_B in zip(predictions.values(), scores, strict=True):
                values_N[batch] = values_B[: min(BATCH_SIZE, num_rows - start)]
        return predictions


def _filled(rows_BC: NDArray[T]) -> NDArray[T]:
    """The rows, and the first one again behind them, up to a multiple of LANES."""
    missing = -len(rows_BC) % LANES
    if not missing:
        return np.ascontiguousarray(rows_BC)
    return np.concatenate([rows_BC, np.repeat(rows_BC[:1], missing, axis=0)])
