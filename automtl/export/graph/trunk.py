"""Levels and towers: what `models/extraction.py` and `models/model.py` say, for ONNX Runtime.

Shapes: B rows, K tasks, S shared experts, T experts of each task, N = S + K * T, H their width.
"""

from __future__ import annotations

from automtl.export.graph.banks import regroup, run_bank
from automtl.export.graph.nodes import Graph
from automtl.models.plan import Bank, LevelPlan, ModelPlan

__all__ = ["add_trunk"]


def add_trunk(graph: Graph, plan: ModelPlan, inputs: list[str]) -> list[str]:
    """The trunk's input [B, E], a part for each copy -> each task's own output, [B, 1]."""
    graph.scope = "gate_features."
    beside = _gate_features(graph, plan, inputs)
    tasks, shared = inputs, inputs[:1]
    for number, level in enumerate(plan.levels):
        graph.scope = f"level{number}."
        tasks, shared = _level(graph, level, f"levels.{number}", tasks, shared, beside)
    graph.scope = "towers."
    outputs = run_bank(graph, plan.towers, "towers", tasks, activate=False)
    return regroup(graph, outputs, plan.num_tasks)


def _gate_features(graph: Graph, plan: ModelPlan, inputs: list[str]) -> list[str]:
    """What all gates read beside their input, a part for each copy; none where they do not."""
    if not plan.gate_slices:
        return []
    axis = graph.ints(1)
    found = []
    for value in inputs:
        slices = [
            graph.add("Slice", value, graph.ints(start), graph.ints(stop), axis)
            for start, stop in plan.gate_slices
        ]
        found.append(graph.add("Concat", *slices, axis=1) if len(slices) > 1 else slices[0])
    return found


def _level(
    graph: Graph,
    level: LevelPlan,
    name: str,
    tasks: list[str],
    shared: list[str],
    beside: list[str],
) -> tuple[list[str], list[str]]:
    """-> what the tasks read next, one part or K, and what the shared experts do, one part."""
    experts, width = _experts(graph, level, name, tasks, shared)
    mixed = []
    if level.task_gates is not None:
        gates = _gates(graph, level.task_gates, f"{name}.task_gates", tasks, beside)
        for task, gate in enumerate(gates):
            first = level.num_shared + task * level.num_task
            own = experts[first : first + level.num_task]
            seen = [*experts[: level.num_shared], *own]
            mixed.append(_mix(graph, gate, seen, width))
    mixed = mixed or _one_each(graph, level, experts)
    if level.shared_gate is not None:
        [gate] = _gates(graph, level.shared_gate, f"{name}.shared_gate", shared, beside)
        shared = [_mix(graph, gate, experts, width)]
    return mixed, shared


def _one_each(graph: Graph, level: LevelPlan, experts: list[str]) -> list[str]:
    """Where no task has a gate each sees one expert: its own, or the only one there is."""
    assert len(experts) == level.num_outputs
    return experts


def _experts(
    graph: Graph, level: LevelPlan, name: str, tasks: list[str], shared: list[str]
) -> tuple[list[str], int]:
    """All experts [B, H], the shared ones first, then task by task; and H."""
    found: list[str] = []
    width = 0
    for bank, kind, inputs in (
        (level.experts, "experts", tasks),
        (level.shared_experts, "shared_experts", shared),
        (level.task_experts, "task_experts", tasks),
    ):
        if bank is not None:
            outputs = run_bank(graph, bank, f"{name}.{kind}", inputs, activate=True)
            found += regroup(graph, outputs, bank.num_mlps)
            width = bank.dims[-1]
    return found, width


def _gates(graph: Graph, bank: Bank, name: str, inputs: list[str], beside: list[str]) -> list[str]:
    """The weights of the experts that each gate sees, [B, number of them] each."""
    if beside:
        features = beside if len(beside) == len(inputs) else beside * len(inputs)
        pairs = zip(features, inputs, strict=True)
        inputs = [graph.add("Concat", one, value, axis=1) for one, value in pairs]
    scores = regroup(graph, run_bank(graph, bank, name, inputs, activate=False), bank.num_mlps)
    return [graph.add("Softmax", score, axis=1) for score in scores]


def _mix(graph: Graph, gate: str, experts: list[str], width: int) -> str:
    """[B, H]: the experts weighed by the gate."""
    count = len(experts)
    beside = graph.add("Concat", *experts, axis=1) if count > 1 else experts[0]
    experts_BEH = graph.add("Reshape", beside, graph.ints(0, count, width))
    gate_B1E = graph.add("Unsqueeze", gate, graph.ints(1))
    mixed_B1H = graph.add("MatMul", gate_B1E, experts_BEH)
    return graph.add("Reshape", mixed_B1H, graph.ints(0, width))
