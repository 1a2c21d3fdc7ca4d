"""Each task's own output -> the columns of predictions: what `MultiTaskModel.predict` says.

Shapes: B rows.
"""

from __future__ import annotations

import numpy as np

from automtl.config import TaskSchema
from automtl.export.graph.nodes import Graph
from automtl.export.manifest import OutputColumn

__all__ = ["add_outputs"]


def add_outputs(
    graph: Graph,
    tasks: tuple[TaskSchema, ...],
    own: list[str],
    columns: tuple[OutputColumn, ...],
) -> None:
    """`own` [B, 1] of each task -> one output [B] for each of the columns, by its name."""
    names = {one.prediction: one.name for one in columns}
    logits = dict(zip((task.name for task in tasks), own, strict=True))
    by_name = {task.name: task for task in tasks}
    found: dict[str, str] = {}
    for task in tasks:
        graph.scope = f"{task.name}."
        if task.kind == "regression":
            found[task.name] = _in_label_units(graph, tasks, task, logits[task.name])
            continue
        found[task.name] = graph.add("Sigmoid", logits[task.name])
        if task.given is not None:
            log_p = _log_p(graph, logits[task.name])
            condition: str | None = task.given
            while condition is not None:
                log_p = graph.add("Add", log_p, _log_p(graph, logits[condition]))
                condition = by_name[condition].given
            found[f"{task.name}.joint"] = graph.add("Exp", log_p)
    graph.scope = ""
    for prediction, name in names.items():
        graph.add("Squeeze", found[prediction], graph.ints(1), name=name)
        graph.output(name)


def _log_p(graph: Graph, logit: str) -> str:
    """log σ(x) = -softplus(-x), exact for any x."""
    return graph.add("Neg", graph.add("Softplus", graph.add("Neg", logit)))


def _in_label_units(graph: Graph, tasks: tuple[TaskSchema, ...], task: TaskSchema, own: str) -> str:
    std, mean = _number(graph, task.std), _number(graph, task.mean)
    value = graph.add("Add", graph.add("Mul", own, std), mean)
    if task.loss != "lognormal":
        return value
    scaled = [one.name for one in tasks if one.loss == "lognormal"]
    log_scale = graph.weight("log_scales", (len(scaled),), dims=(1,), start=scaled.index(task.name))
    deviation = graph.add("Mul", graph.add("Exp", log_scale), std)
    variance = graph.add("Mul", deviation, deviation)
    half = graph.add("Mul", variance, _number(graph, 0.5))
    return graph.add("Exp", graph.add("Add", value, half))


def _number(graph: Graph, value: float) -> str:
    return graph.constant(np.array(value, dtype=np.float32))
