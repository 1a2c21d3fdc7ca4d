"""The whole graph of a bundle's model: a function of its manifest and of where its weights lie."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from onnx import ModelProto

from automtl.config import to_jsonable
from automtl.export.graph.inputs import add_inputs
from automtl.export.graph.nodes import Graph
from automtl.export.graph.outputs import add_outputs
from automtl.export.graph.trunk import add_trunk
from automtl.export.manifest import WEIGHTS_FILE, Manifest
from automtl.export.tensors import Span, check_size, read_spans, unfit
from automtl.models.plan import plan_model

__all__ = ["GRAPH_VERSION", "IDS", "NUMBERS", "OPSET", "build"]

GRAPH_VERSION = 1  # goes up when the same model would become another graph
OPSET = 17
IR_VERSION = 8  # that of ONNX 1.12, which brought the operator set
IDS, NUMBERS = "ids", "numbers"


def build(manifest: Manifest, directory: Path) -> ModelProto:
    """Inputs `ids` [batch, C] of int32 and `numbers` [batch, F] of float32, as `Inputs` has them;
    an output [batch] of float32 for each of `manifest.outputs`, by its name.

    BundleError if the weights in `directory` are damaged or not those of the manifest's model.
    """
    path = directory / WEIGHTS_FILE
    model, features, tasks = manifest.config.model, manifest.features, manifest.tasks
    check_size(path, model, features, tasks)
    spans = read_spans(path)
    graph = Graph(spans, weights_file=WEIGHTS_FILE)
    try:
        plan = plan_model(model, features, num_tasks=len(tasks))
        ids = graph.input(IDS, np.int32, features.num_id_columns)
        numbers = graph.input(NUMBERS, np.float32, features.num_number_columns)
        own = add_trunk(graph, plan, add_inputs(graph, plan, model, ids, numbers))
        add_outputs(graph, tasks, own, manifest.outputs)
    except (ValueError, TypeError, LookupError, ArithmeticError, AssertionError) as error:
        raise unfit(path, str(error)) from error
    if graph.unused:
        raise unfit(path, f"{graph.unused[0]} is not part of it")
    proto = ModelProto(ir_version=IR_VERSION, producer_name="automtl", graph=graph.proto)
    proto.opset_import.add(domain="", version=OPSET)
    for key, value in (
        ("automtl.graph_version", str(GRAPH_VERSION)),
        ("automtl.model", _digest(manifest, spans)),
    ):
        proto.metadata_props.add(key=key, value=value)
    return proto


def _digest(manifest: Manifest, spans: Mapping[str, Span]) -> str:
    """Of all that the graph is made of: SHA-256 of the model, its features, tasks and tensors."""
    described = {
        "model": to_jsonable(manifest.config.model),
        "features": to_jsonable(manifest.features),
        "tasks": [to_jsonable(task) for task in manifest.tasks],
        "tensors": {name: [span.start, *span.shape] for name, span in sorted(spans.items())},
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
