"""Whether ONNX Runtime predicts what torch predicts: measured before a bundle is handed out.

Shapes: N rows.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from automtl.config import TaskSchema
from automtl.data.cache import EncodedData
from automtl.data.encode import Inputs
from automtl.errors import RunError
from automtl.export.engines.engine import Predictions
from automtl.export.engines.onnx_engine import OnnxEngine
from automtl.export.engines.torch_engine import TorchEngine
from automtl.export.graph.build import GRAPH_VERSION, OPSET
from automtl.export.manifest import Manifest, OnnxGraph

__all__ = ["TOLERANCE", "compared", "largest_difference"]

TOLERANCE = 1e-5
MOST_ROWS = 10_000


def compared(manifest: Manifest, directory: Path, data: EncodedData) -> OnnxGraph:
    """What is said of the graph that was written to `directory`, compared on validation rows.

    RunError if the two engines are further apart than `TOLERANCE`.
    """
    rows = data.rows("valid")
    inputs = Inputs(
        ids_NC=np.asarray(rows.ids_NC[:MOST_ROWS]),
        numeric_NF=np.asarray(rows.numeric_NF[:MOST_ROWS]),
    )
    torch = TorchEngine.open(directory, manifest).predict(inputs)
    onnx = OnnxEngine.open(directory, manifest).predict(inputs)
    difference = largest_difference(torch, onnx, manifest.tasks)
    if not difference <= TOLERANCE:
        raise RunError(
            f"{directory.name}: the ONNX graph cannot be exported: its predictions are up to "
            f"{difference:.2g} away from torch's, {TOLERANCE:g} is allowed; export with "
            "--format torch and report this"
        )
    return OnnxGraph(
        opset=OPSET,
        version=GRAPH_VERSION,
        rows_compared=len(inputs.ids_NC),
        largest_difference=difference,
    )


def largest_difference(
    first: Predictions, second: Predictions, tasks: tuple[TaskSchema, ...]
) -> float:
    """How far predictions are apart at most: a probability as it is, a label's value as a share of
    its own size or of the label's standard deviation, whichever is larger (lognormal: of its size).
    """
    regression = {task.name: task for task in tasks if task.kind == "regression"}
    differences = [0.0]
    for name, expected_N in first.items():
        apart_N = np.abs(second[name].astype(np.float64) - expected_N)
        if name in regression:
            size_N = np.abs(expected_N.astype(np.float64))
            is_log = regression[name].loss == "lognormal"
            least = np.finfo(np.float32).tiny if is_log else abs(regression[name].std)
            apart_N = apart_N / np.maximum(size_N, least)
        differences.append(float(apart_N.max(initial=0.0)))
    return float(np.max(differences))  # NaN if any is
