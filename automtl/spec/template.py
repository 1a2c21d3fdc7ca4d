"""A first spec, commented and ready to run: from a file's columns, or over generated rows."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any

from automtl.errors import UserError
from automtl.spec.data_scalars import UTF8
from automtl.spec.guess import Guess
from automtl.spec.guess_labels import TaskGuess
from automtl.spec.problems import closest

__all__ = ["TEMPLATES", "init_spec", "template"]

TEMPLATES = ("synthetic",)
YAML_WORDS = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
WIDTH = 96
MAX_NAMED = 5  # columns
WHY_SPLIT = {
    "column": "the column says train, valid or test",
    "time": "the latest rows are test, those before them valid",
    "random": "better by time, if there is one: {time: COLUMN, valid: 0.1, test: 0.1}",
}
# the layout of what `init_spec` writes; search_spaces/*.yaml have the same
HEAD = """\
# A search by automtl. `automtl validate` checks this file, `automtl doctor` its rows, `automtl
# search` runs it.
# What the columns are was guessed from their names and values in {seen}: please check.
version: 1
name: {name}

data:
  # a file, a glob or a list, relative to this file
  path: {path}
{encoding}{missing}  # {why_split}
  split: {split}
"""
NO_TASKS = """\
tasks: {}
  # no column looks like a label: by its name none is an event (click, buy, like), a rating, an
  # amount or a watch time, and none but ids and times holds 0 and 1, yes and no, or -1 and 1.
  # Write here, in place of {}:
  #   NAME: {label: COLUMN}  # a column of 0 and 1
  #   NAME: {label: "COLUMN >= 4"}  # or computed, of any columns
  #   NAME: {label: COLUMN, type: regression}  # a number
  # and take COLUMN away from the features above: it is what they are to predict
"""
NO_OBJECTIVES = """\
objectives: []  # [NAME.auc, params] for a task NAME of 0 and 1, NAME.rmse for a number
"""
SPACE = """\
# A bare value is fixed; {{choice: [8, 16]}}, {{int: [1, 8]}} and {{float: [0, 1]}} are free.
# The first option of a choice and the middle of a range are what a baseline takes.
space:
  sharing:  # how tasks share, from nothing to level by level
    - {{family: single_task}}  # a model for each task: what sharing must beat
    - {{family: shared_embedding}}  # common embeddings, the rest apart
    - {{family: shared_bottom}}  # one expert for all
    - {{family: omoe, num_shared_experts: {{int: [2, 6]}}}}  # experts, one gate for all tasks
    - {{family: mmoe, num_shared_experts: {{int: [2, 6]}}}}  # experts, a gate for each task
    - {{family: cgc,  # experts for all tasks, and some of each task's own
       num_shared_experts: {{int: [1, 3]}}, num_task_experts: {{int: [1, 3]}}}}
    - {{family: ple, num_levels: 2,  # cgc, level upon level
       num_shared_experts: {{int: [1, 2]}}, num_task_experts: {{int: [1, 2]}}}}
{dependency}  embedding_dim: {{choice: [16, 8, 32]}}  # width of every embedding
{numeric_encoding}  expert_dims: {{choice: [[128, 64], [64]]}}  # layer widths of an expert
  tower_dims: {{choice: [[32], [64, 32]]}}  # layer widths of a task's own head
  dropout: {{choice: [0, 0.1, 0.2]}}
  weighting: {{choice: [fixed, uncertainty]}}  # how the tasks' losses are weighed
{loss_weights}  lr: {{float: [3e-4, 3e-3], log: true}}  # learning rate of the dense part
  embedding_lr: {{float: [0.02, 0.1], log: true}}  # of the embeddings (Adagrad)
  batch_size: 1024

search:
  trials: 24  # trials to start, the baselines included
  epochs: 1  # click models overfit after about one
"""


def init_spec(
    found: Guess,
    path: str,
    name: str,
    *,
    seen: str = "the rows",
    encoding: str = UTF8,
    missing: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """The text of a spec over the file `path` (as it will stand in the spec), as it was guessed
    from the rows that `seen` describes. `missing`: by text that stands for no value, the columns
    that hold it. Without a task it says what to write in its place."""
    named = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).lstrip("_.-") or "search"
    parts = [
        HEAD.format(
            name=_scalar(named),
            seen=seen,
            path=_scalar(path),
            split=_mapping(found.split),
            why_split=_why_split(found),
            missing="".join(_missing(missing or {})),
            encoding="" if encoding == UTF8 else f"  encoding: {_scalar(encoding)}\n",
        ),
        *_features(found),
        "\n",
        *_tasks(found),
        "\n",
        *_objectives(found),
        "\n",
        _space(found),
    ]
    return "".join(parts)


def template(name: str) -> str:
    """The text of a spec that comes along and runs as it stands; raises UserError if unknown."""
    if name not in TEMPLATES:
        hint = closest(name, TEMPLATES) or f"there are: {', '.join(TEMPLATES)}"
        raise UserError(f"{name}: no such template; {hint}")
    folder = resources.files("automtl.spec") / "templates"
    return (folder / f"{name}.yaml").read_text(encoding="utf-8")


def _why_split(found: Guess) -> str:
    """With what the values of a time say, where its name does not."""
    kind, column = next(iter(found.split.items()))
    told = found.by_values.get(column) if isinstance(column, str) else None
    return WHY_SPLIT[kind] + (f" ({told})" if told else "")


def _missing(columns: Mapping[str, Sequence[str]]) -> Iterable[str]:
    if not columns:
        return
    names = dict.fromkeys(name for held in columns.values() for name in held)
    listed = ", ".join(map(_scalar, list(names)[:MAX_NAMED])) + ", ..." * (len(names) > MAX_NAMED)
    yield from _comment(f"texts that stand for no value, as in {listed}", indent="  ")
    texts = ", ".join(f"'{text}'" for text in columns)
    yield f"  missing: [{texts}]\n"


def _features(found: Guess) -> Iterable[str]:
    if found.categorical:
        yield f"  categorical:  # ids, each with an embedding\n    {_list(found.categorical)}\n"
    if found.numeric:
        yield f"  numeric:  # quantities\n    {_list(found.numeric)}\n"
    if found.sequence:
        yield "  sequence:  # lists of ids; `shares`: the column whose embeddings they use\n"
    for column, shares in found.sequence.items():
        block = {"max_len": 10} if shares is None else {"shares": shares, "max_len": 10}
        yield f"    {_scalar(column)}: {_mapping(block)}\n"
    if found.dense:
        yield f"  dense:  # vectors of one length\n    {_list(found.dense)}\n"
    yield from _times(found)
    told = {name: why for name, why in found.by_values.items() if name in found.categorical}
    for why, names in _by_reason(told).items():
        yield from _comment(f"ids by their values ({why}): {names}", indent="  ")
    times = {name: why for name, why in found.by_values.items() if name in found.left_out}
    used = {*found.times.features, *found.times.ages}
    left_out = {name: why for name, why in (found.left_out | times).items() if name not in used}
    for why, names in _by_reason(left_out).items():
        yield from _comment(f"left out ({why}): {names}", indent="  ")


def _times(found: Guess) -> Iterable[str]:
    if found.times.features:
        yield "  time:  # parts as ids; hours are UTC's unless zone: Asia/Shanghai says otherwise\n"
    for column, block in found.times.features.items():
        yield f"    {_scalar(column)}: {_mapping(block)}\n"
    for column, block in found.times.ages.items():
        text = f"a time too; if it is known before the row, its age: {_scalar(column)}: "
        yield from _comment(text + _mapping(block), indent="  ")


def _by_reason(columns: Mapping[str, str]) -> dict[str, str]:
    """Reason -> the names of its columns."""
    reasons: dict[str, list[str]] = {}
    for column, why in columns.items():
        reasons.setdefault(why, []).append(_scalar(column))
    return {why: ", ".join(names) for why, names in reasons.items()}


def _tasks(found: Guess) -> Iterable[str]:
    yield "tasks:\n" if found.tasks else NO_TASKS
    for task in found.tasks:
        block = {"label": task.label}
        block |= {} if task.is_binary else {"type": "regression"}
        block |= {"given": task.given} if task.given else {}
        said = [] if task.rate is None else [f"{100 * task.rate:.2g} % of the rows"]
        said += [f"only after a {task.given}, else not a case"] if task.given else []
        yield f"  {task.name}: {_mapping(block)}{'  # ' if said else ''}{'; '.join(said)}\n"
        if task.why:
            yield from _comment(task.why, indent="  ")
    if found.tasks and found.tasks[0].is_binary and all(one.given is None for one in found.tasks):
        first = found.tasks[0].name
        yield from _comment(
            f"a task that can only follow another: NAME: {{label: COLUMN, given: {first}}}",
            indent="  ",
        )
    if found.maybe_labels:
        names = ", ".join(map(_scalar, found.maybe_labels))
        text = f"features of 0 and 1; is one a label? then it belongs here: {names}"
        yield from _comment(text, indent="  ")
    if found.more_labels:
        names = ", ".join(
            f"{_scalar(name)} ({why})" if why else _scalar(name)
            for name, why in found.more_labels.items()
        )
        yield from _comment(f"labels too, so never features: {names}", indent="  ")


def _objectives(found: Guess) -> Iterable[str]:
    metrics = [f"{task.name}.{'auc' if task.is_binary else 'rmse'}" for task in found.tasks]
    listed = f"objectives: [{', '.join([*metrics, 'params'])}]  # what the Pareto front is about\n"
    yield listed if metrics else NO_OBJECTIVES
    yield "# constraints: [params <= 5e6]\n"


def _space(found: Guess) -> str:
    others = [_weight(task) for task in found.tasks[1:]]
    weights = f"  loss_weights: {{{', '.join(others)}}}\n" if others else ""
    has_chain = any(task.given for task in found.tasks)
    dependency = (
        "  dependency: {choice: [none, esmm]}  # esmm: a task with `given` learns from all rows\n"
    )
    numeric_encoding = (
        "  numeric_encoding: {choice: [buckets, piecewise_linear, standard]}  # how numbers enter\n"
    )
    return SPACE.format(
        dependency=dependency if has_chain else "",
        numeric_encoding=numeric_encoding if found.numeric else "",
        loss_weights=weights,
    )


def _weight(task: TaskGuess) -> str:
    return f"{task.name}: {{float: [0.1, 10], log: true}}"


# ---- YAML by hand: the comments must stay --------------------------------------------------


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_scalar, value))}]"
    if not isinstance(value, str):
        return str(value)
    is_plain = re.fullmatch(r"(\.{0,2}/)?[A-Za-z_][\w./-]*", value, re.ASCII)
    if is_plain and value.lower() not in YAML_WORDS:
        return value
    return json.dumps(value, ensure_ascii=not value.isprintable())  # JSON text is YAML text


def _mapping(block: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {_scalar(value)}" for key, value in block.items()) + "}"


def _list(names: Sequence[str]) -> str:
    """`[a, b]`, broken between names where it is long."""
    lines = [""]
    for name in names:
        word = f"{_scalar(name)}, "
        if len(lines[-1]) + len(word) > WIDTH - 6 and lines[-1]:
            lines.append("")
        lines[-1] += word
    return "[" + "\n     ".join(line.strip() for line in lines).rstrip(",") + "]"


def _comment(text: str, *, indent: str) -> Iterable[str]:
    for line in textwrap.wrap(text, WIDTH - len(indent) - 2, break_long_words=False):
        yield f"{indent}# {line}\n"
