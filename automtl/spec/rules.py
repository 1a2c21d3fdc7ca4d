"""Rules across places of a spec, read from the raw document.

They run whether or not the rest is right, so that one run shows every problem: each takes what it
can use and leaves to the blocks themselves what is missing or of the wrong type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from automtl.config import MODEL_COSTS, TaskSchema
from automtl.spec.data_rules import DATA_RULES, check_files, inputs_of
from automtl.spec.objectives import parse_limit, parse_name
from automtl.spec.problems import BadValueError, Loc, Problem, closest
from automtl.spec.raw import Raw, get, tasks_of

__all__ = ["check"]


def check(raw: Any, *, files_from: Path | None = None) -> list[Problem]:
    """The broken rules of a whole document; `files_from` is where the data paths start, if the
    files are to be looked for."""
    if not isinstance(raw, Mapping):
        return []
    found = [problem for rule in RULES for problem in rule(raw)]
    if files_from is not None:
        found += check_files(raw, files_from)
    return found


# ---- tasks ---------------------------------------------------------------------------------


def _task_names(raw: Raw) -> Iterator[Problem]:
    tasks = get(raw, "tasks")
    if isinstance(tasks, Mapping) and not tasks:
        hint = "write click: {label: is_click}"
        yield Problem(loc=("tasks",), rule="names no task", hint=hint, on_key=True)
    for name in tasks_of(raw):
        rule = ""
        if name in {cost.partition(".")[0] for cost in MODEL_COSTS}:
            rule = f"{name} is a model cost and cannot name a task"
        elif not name.isidentifier():
            rule = f"{name or 'an empty text'} cannot name a task: letters, digits and _ can"
        if rule:
            hint = "choose another name; the label's column may have any"
            yield Problem(loc=("tasks", name), rule=rule, hint=hint, on_key=True)


def _conditions(raw: Raw) -> Iterator[Problem]:
    tasks = tasks_of(raw)
    parents = {name: get(task, "given") for name, task in tasks.items()}
    reported: set[str] = set()
    for name, given in parents.items():
        loc: Loc = ("tasks", name, "given")
        if not isinstance(given, str):
            continue
        if given not in tasks:
            hint = closest(given, tasks) or f"tasks: {', '.join(tasks)}"
            yield Problem(loc=loc, rule=f"there is no task {given}", hint=hint)
            continue
        if get(tasks[given], "type", default="binary") == "regression":
            rule = f"a condition must be a binary task; {given} is regression"
            yield Problem(loc=loc, rule=rule, hint="leave given out")
        cycle = _cycle(name, parents)
        if cycle and name not in reported:
            reported.update(cycle)
            rule = f"the conditions run in a circle: {' -> '.join([*cycle, cycle[0]])}"
            yield Problem(loc=loc, rule=rule, hint="leave one given out")


def _cycle(name: str, parents: Mapping[str, Any]) -> list[str]:
    """The tasks from `name` back to `name` along `given`, or nothing."""
    way: list[str] = []
    step: Any = name
    while isinstance(step, str) and step in parents and step not in way:
        way.append(step)
        step = parents[step]
    return way if step == name else []


def _losses(raw: Raw) -> Iterator[Problem]:
    for name, task in tasks_of(raw).items():
        if get(task, "loss") is not None and get(task, "type", default="binary") == "binary":
            rule = "loss is for regression; a binary task has its log loss"
            hint = "take loss away, or write type: regression"
            yield Problem(loc=("tasks", name, "loss"), rule=rule, hint=hint, on_key=True)


def _labels_once(raw: Raw) -> Iterator[Problem]:
    first: dict[tuple[Any, Any], str] = {}
    for name, task in tasks_of(raw).items():
        label, given = get(task, "label"), get(task, "given")
        if not isinstance(label, str) or not isinstance(given, str | None):
            continue
        if seen := first.get((label, given)):
            rule = f"{label} is the label of task {seen} already"
            hint = "take one task away, or give it another condition"
            yield Problem(loc=("tasks", name, "label"), rule=rule, hint=hint)
        first.setdefault((label, given), name)


# ---- objectives ----------------------------------------------------------------------------


def _judged_by(raw: Raw) -> Iterator[Problem]:
    tasks = {name: _task_schema(name, task) for name, task in tasks_of(raw).items()}
    parsers: dict[str, Callable[[str, Mapping[str, TaskSchema | None]], object]] = {
        "objectives": parse_name,
        "constraints": parse_limit,
    }
    for key, parse in parsers.items():
        texts = get(raw, key)
        if not isinstance(texts, list):
            continue
        if key == "objectives" and not texts:
            hint = "write [click.auc, params]"
            yield Problem(loc=(key,), rule="names no objective", hint=hint, on_key=True)
        seen = set()
        for index, text in enumerate(texts):
            if not isinstance(text, str) or not text or not tasks:
                continue
            if text in seen:
                rule, hint = f"{text} stands twice", "take one away"
                yield Problem(loc=(key, index), rule=rule, hint=hint)
            seen.add(text)
            try:
                parse(text, tasks)
            except BadValueError as error:
                for problem in error.problems:
                    yield Problem(loc=(key, index), rule=problem.rule, hint=problem.hint)


def _task_schema(name: str, task: Any) -> TaskSchema | None:
    """What metrics a task has, or None where its block is too wrong to tell."""
    kind, given = get(task, "type", default="binary"), get(task, "given")
    if kind not in ("binary", "regression") or not isinstance(given, str | None):
        return None
    return TaskSchema(name=name, kind=kind, given=given)


# ---- the space -----------------------------------------------------------------------------


def _families(raw: Raw) -> Iterator[Problem]:
    blocks = get(raw, "space", "sharing")
    if not isinstance(blocks, list):
        return
    if not blocks:
        hint = "write at least one: {family: shared_bottom}"
        yield Problem(loc=("space", "sharing"), rule="names no family", hint=hint, on_key=True)
    seen = set()
    for index, block in enumerate(blocks):
        family = get(block, "family")
        if isinstance(family, str) and family in seen:
            rule = f"{family} is listed twice"
            hint = "write one block with a {choice: ...} or a range"
            yield Problem(loc=("space", "sharing", index, "family"), rule=rule, hint=hint)
        if isinstance(family, str):
            seen.add(family)


def _dependency(raw: Raw) -> Iterator[Problem]:
    tasks = tasks_of(raw)
    if not tasks or any(get(task, "given") is not None for task in tasks.values()):
        return
    for loc, option in _options(raw, "space", "dependency"):
        if option == "esmm":
            rule = "esmm needs a task with `given`, and there is none"
            hint = "write given: click into a task that is observed after a click"
            yield Problem(loc=loc, rule=rule, hint=hint)


def _loss_weights(raw: Raw) -> Iterator[Problem]:
    tasks = tasks_of(raw)
    for key in ("loss_weights", "loss_decay"):
        by_task = get(raw, "space", key)
        if not isinstance(by_task, Mapping) or not tasks:
            continue
        for name in by_task:
            if name not in tasks:
                hint = closest(name, tasks) or f"tasks: {', '.join(tasks)}"
                rule = f"there is no task {name}"
                yield Problem(loc=("space", key, name), rule=rule, hint=hint, on_key=True)
    places = list(_options(raw, "space", "weighting"))
    options = [option for _, option in places]
    if not get(raw, "space", "loss_decay"):
        rule = "decay is the same as fixed without loss_decay"
        hint = "write loss_decay: {TASK: {float: [0.5, 1]}}, its factor an epoch"
        for loc, option in places:
            if option == "decay":
                yield Problem(loc=loc, rule=rule, hint=hint)
    if get(raw, "space", "loss_decay") and "decay" not in options:
        rule = "has no effect: weighting is never decay"
        hint = "write weighting: {choice: [fixed, decay]}, or take loss_decay away"
        yield Problem(loc=("space", "loss_decay"), rule=rule, hint=hint, on_key=True)
    if get(raw, "space", "loss_weights") and options == ["uncertainty"]:
        rule = "has no effect: weighting is always uncertainty, which learns the weights"
        hint = "take loss_weights away"
        yield Problem(loc=("space", "loss_weights"), rule=rule, hint=hint, on_key=True)


def _named_features(raw: Raw) -> Iterator[Problem]:
    """drop_features, gate_features and embedding_dims name features that there are."""
    inputs = list(inputs_of(raw))
    every = [one.name for one in inputs]
    if not every:
        return
    lists = [
        (loc, columns)
        for key in ("drop_features", "gate_features")
        for loc, columns in _options(raw, "space", key)
        if isinstance(columns, list)
    ]
    for loc, columns in lists:
        for index, column in enumerate(columns):
            if isinstance(column, str) and column not in every:
                hint = closest(column, every) or f"features: {', '.join(every[:6])}"
                yield Problem(loc=(*loc, index), rule=f"there is no feature {column}", hint=hint)
            elif column in columns[:index]:
                rule = f"{column} stands twice"
                yield Problem(loc=(*loc, index), rule=rule, hint="take one away")
    for loc, columns in _options(raw, "space", "drop_features"):
        if isinstance(columns, list) and set(every) <= {c for c in columns if isinstance(c, str)}:
            yield Problem(loc=loc, rule="leaves no feature", hint="keep at least one")
    tables = [one.name for one in inputs if one.has_table]
    widths = get(raw, "space", "embedding_dims")
    for column in widths if isinstance(widths, Mapping) else ():
        if column not in tables:
            rule = f"{column} has no embeddings of its own"
            hint = closest(column, tables) or f"columns that have: {', '.join(tables[:6])}"
            loc = ("space", "embedding_dims", column)
            yield Problem(loc=loc, rule=rule, hint=hint, on_key=True)


def _without_effect(raw: Raw) -> Iterator[Problem]:
    """Free knobs about features of a kind that there is not."""
    kinds = {one.kind for one in inputs_of(raw)}
    for key, kind in (
        ("sequence_pooling", "sequence"),
        ("numeric_encoding", "numeric"),
    ):
        if kinds and kind not in kinds and isinstance(get(raw, "space", key), Mapping):
            rule = f"has no effect: data names no {kind} column"
            hint = f"take {key} away"
            yield Problem(loc=("space", key), rule=rule, hint=hint, on_key=True)


def _options(raw: Raw, *path: str) -> Iterator[tuple[Loc, Any]]:
    """The values of a choice knob, each with its place."""
    value = get(raw, *path)
    if not isinstance(value, Mapping):
        yield path, value
    elif isinstance(value.get("choice"), list):
        for index, option in enumerate(value["choice"]):
            yield (*path, "choice", index), option


RULES: tuple[Callable[[Raw], Iterator[Problem]], ...] = (
    *DATA_RULES,
    _task_names,
    _conditions,
    _losses,
    _labels_once,
    _judged_by,
    _families,
    _dependency,
    _loss_weights,
    _named_features,
    _without_effect,
)
