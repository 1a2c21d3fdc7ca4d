"""Names of what is judged: `click.auc`, `params`, and limits on them: `params <= 5e6`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from automtl.config import METRICS, MODEL_COSTS, Constraint, Objective, TaskKind, TaskSchema
from automtl.spec.problems import BadValueError, closest

__all__ = ["known_objectives", "parse_constraint", "parse_objective"]

ALL_METRICS = tuple(dict.fromkeys(name for metrics in METRICS.values() for name in metrics))


def known_objectives(tasks: Iterable[TaskSchema]) -> tuple[str, ...]:
    """Every name that `parse_objective` accepts for these tasks."""
    of_tasks = [f"{task.name}.{metric}" for task in tasks for metric in _metrics(task)]
    return (*of_tasks, *MODEL_COSTS)


def parse_objective(text: str, tasks: Sequence[TaskSchema]) -> Objective:
    """`task.metric` or a model cost, with the direction that it has; raises BadValueError."""
    return parse_name(text, {task.name: task for task in tasks})


def parse_constraint(text: str, tasks: Sequence[TaskSchema]) -> Constraint:
    """`NAME <= NUMBER` or `NAME >= NUMBER`; raises BadValueError."""
    return parse_limit(text, {task.name: task for task in tasks})


def parse_name(text: str, tasks: Mapping[str, TaskSchema | None]) -> Objective:
    """As `parse_objective`; a task whose block has problems is None and may have any metric."""
    if text in MODEL_COSTS:
        return Objective(name=text, task=None, metric=text, direction="minimize")
    name, dot, metric = text.partition(".")
    known = known_objectives(task for task in tasks.values() if task is not None)
    if name not in tasks:
        listed = ", ".join([*tasks, *MODEL_COSTS])
        rule = f"{text} is no metric of a task and no model cost"
        if dot and metric in ALL_METRICS:
            rule = f"there is no task {name}"
            raise BadValueError(rule, closest(name, tasks) or f"tasks: {', '.join(tasks)}")
        raise BadValueError(rule, closest(text, known) or f"known: {listed}")
    task = tasks[name]
    own = _metrics(task) if task is not None else ALL_METRICS
    if not dot:
        raise BadValueError(f"{text} is a task, not a metric", f"write {text}.{next(iter(own))}")
    if metric in own:
        kind: TaskKind = task.kind if task is not None else _kind_of(metric)
        return Objective(name=text, task=name, metric=metric, direction=METRICS[kind][metric])
    if task is not None and metric in METRICS[task.kind]:  # joint_*, but nothing to join
        plain = metric.removeprefix("joint_")
        rule = f"{metric} is for a task with `given`; {name} is over all impressions as it is"
        raise BadValueError(rule, f"write {name}.{plain}")
    if task is not None and metric in ALL_METRICS:
        rule = f"{metric} is for {_kind_of(metric)} tasks; {name} is {task.kind}"
        raise BadValueError(rule, f"write one of {', '.join(f'{name}.{one}' for one in own)}")
    hint = closest(metric, own).replace("mean ", f"mean {name}.")
    rule = f"{metric or 'nothing'} is no metric of {name}"
    raise BadValueError(rule, hint or f"known: {', '.join(own)}")


def parse_limit(text: str, tasks: Mapping[str, TaskSchema | None]) -> Constraint:
    """As `parse_constraint`, tolerant like `parse_name`."""
    parts = re.fullmatch(r"\s*(\S+?)\s*(<=|>=)\s*(\S+)\s*", text)
    if parts is None:
        hint = "write params <= 5e6"
        if strict := re.fullmatch(r"\s*([^\s<>=]+)\s*(<|>)\s*([^\s<>=]+)\s*", text):
            hint = f"write {strict[1]} {strict[2]}= {strict[3]}"
        raise BadValueError(f"must be NAME <= NUMBER or NAME >= NUMBER, not {text}", hint)
    name, op, number = parts.groups()
    objective = parse_name(name, tasks)
    try:
        bound = float(number)
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        raise BadValueError(f"{number} is not a number", f"write {name} {op} 5e6")
    return Constraint(name=objective.name, op="<=" if op == "<=" else ">=", bound=bound)


def _metrics(task: TaskSchema) -> tuple[str, ...]:
    return tuple(
        name
        for name in METRICS[task.kind]
        if task.given is not None or not name.startswith("joint_")
    )


def _kind_of(metric: str) -> TaskKind:
    return next(kind for kind, metrics in METRICS.items() if metric in metrics)
