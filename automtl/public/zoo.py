"""The model zoo alone: any architecture of the space as a plain `nn.Module`, in three lines.

    schema = automtl.schema(categorical={"user": 1000, "item": 500}, tasks=["click", "buy"])
    model = automtl.build_model("ple", schema)
    logits = model(ids, numeric)

Shapes: B rows, C id columns, F numeric columns, K tasks.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from automtl.config import (
    FAMILIES,
    CategoricalFeature,
    DenseFeature,
    Family,
    FeatureSchema,
    ModelConfig,
    NumericFeature,
    SequenceFeature,
    Table,
    TaskSchema,
)
from automtl.errors import SchemaError
from automtl.models.model import MultiTaskModel

__all__ = ["Schema", "build_model", "schema"]

# what makes a family itself; with one expert all of them would be shared_bottom
USUAL: Mapping[Family, Mapping[str, Any]] = {
    "omoe": {"num_shared_experts": 4},
    "mmoe": {"num_shared_experts": 4},
    "cgc": {"num_shared_experts": 2, "num_task_experts": 2},
    "ple": {"num_levels": 2, "num_shared_experts": 2, "num_task_experts": 2},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What a model reads and what it predicts."""

    features: FeatureSchema
    tasks: tuple[TaskSchema, ...]


def schema(
    *,
    categorical: Mapping[str, int] | None = None,
    numeric: Sequence[str] = (),
    sequence: Mapping[str, tuple[str | int, int]] | None = None,
    dense: Mapping[str, int] | None = None,
    tasks: Sequence[str],
    given: Mapping[str, str] | None = None,
    regression: Sequence[str] = (),
) -> Schema:
    """A schema from names and sizes.

    `categorical`: how many ids each column has, 0 to n - 1 (the encoder gives 0 to what is missing
    and 1 to what train never had). `sequence`: for each column the categorical one whose
    embeddings it shares, or how many ids it has of its own, and how many items are read; 0 is
    padding. `dense`: the width of each vector. `given`: the condition of a task, `{"buy":
    "click"}`: buy is observed after a click only. `regression`: the tasks that are numbers, to be
    given in units of their standard deviation; the others are binary.

    The ids of a row are the categorical columns, then those of each sequence, as they stand here;
    its numbers are the numeric columns, then those of each vector.

    SchemaError, with all that is wrong.

        automtl.schema(
            categorical={"user": 1000, "item": 500},
            sequence={"history": ("item", 20)},
            numeric=["price"],
            tasks=["click", "buy"],
            given={"buy": "click"},
        )
    """
    categorical, sequence = categorical or {}, sequence or {}
    dense, given = dense or {}, given or {}
    problems = [
        *_input_problems(categorical, numeric, sequence, dense),
        *_task_problems(tasks, given, regression),
    ]
    if problems:
        raise SchemaError("schema: " + "; ".join(problems))
    own = {name: table for name, (table, _) in sequence.items() if isinstance(table, int)}
    features = FeatureSchema(
        tables=tuple(
            Table(name=name, num_rows=size) for name, size in {**categorical, **own}.items()
        ),
        categorical=tuple(CategoricalFeature(name=name, table=name) for name in categorical),
        numeric=tuple(NumericFeature(name=name) for name in numeric),
        sequence=tuple(
            SequenceFeature(name=name, table=name if name in own else str(table), max_len=length)
            for name, (table, length) in sequence.items()
        ),
        dense=tuple(DenseFeature(name=name, width=width) for name, width in dense.items()),
    )
    return Schema(
        features=features,
        tasks=tuple(
            TaskSchema(
                name=name,
                kind="regression" if name in regression else "binary",
                given=given.get(name),
                loss="mse" if name in regression else "bce",
            )
            for name in tasks
        ),
    )


def build_model(
    config: ModelConfig | Family, schema: Schema, *, seed: int = 0, **knobs: Any
) -> MultiTaskModel:
    """An architecture of the space, its weights drawn from `seed`; the global generator is left
    alone.

    `config` is a `ModelConfig`, or the name of a family with its usual number of experts; `knobs`
    change it (`num_levels=3`, `expert_dims=(256, 128)`, `embedding_dim=32`). SchemaError for an
    unknown family or knob.

    `model(ids, numeric)`, ids [B, C] int and numbers [B, F] float (F may be 0), gives logits [B, K]
    (a regression task: its value in standard deviations); `model.predict(ids, numeric)` gives
    probabilities by task, those along a condition too. Every parameter is an ordinary one, so any
    optimiser of torch trains it.

        model = automtl.build_model("ple", schema, num_levels=2)
        loss = automtl.task_losses(model, model(ids, numeric), labels).sum()
    """
    if isinstance(config, str):
        if config not in FAMILIES:
            raise SchemaError(_no_such("family", config, FAMILIES))
        knobs = {**USUAL.get(config, {}), **knobs}
        config = ModelConfig(family=config)
    known = [one.name for one in dataclasses.fields(ModelConfig) if one.name != "family"]
    if unknown := [name for name in knobs if name not in known]:
        raise SchemaError(_no_such("knob", unknown[0], known))
    config = dataclasses.replace(config, **knobs)
    generator = torch.Generator().manual_seed(seed)
    return MultiTaskModel(config, schema.features, schema.tasks, generator=generator)


def _input_problems(
    categorical: Mapping[str, int],
    numeric: Sequence[str],
    sequence: Mapping[str, tuple[str | int, int]],
    dense: Mapping[str, int],
) -> list[str]:
    names = [*categorical, *numeric, *sequence, *dense]
    problems = [f"{name} is named twice" for name in _twice(names)]
    if not names:
        problems.append("there is no feature; name some as categorical, numeric, sequence or dense")
    sizes = {**categorical, **dense, **{name: length for name, (_, length) in sequence.items()}}
    sizes |= {f"{name}'s ids": one for name, (one, _) in sequence.items() if isinstance(one, int)}
    problems += [f"{name} is {size}; write 1 or more" for name, size in sizes.items() if size < 1]
    problems += [
        f"{name} shares {table}, which is no categorical column; write one of "
        f"{', '.join(categorical) or 'none'}, or a number of ids"
        for name, (table, _) in sequence.items()
        if isinstance(table, str) and table not in categorical
    ]
    return problems


def _task_problems(
    tasks: Sequence[str], given: Mapping[str, str], regression: Sequence[str]
) -> list[str]:
    if isinstance(tasks, str) or not tasks:
        return ['tasks is no list of names; write tasks=["click", "buy"]']
    problems = [f"task {name} is named twice" for name in _twice(tasks)]
    problems += [
        f"{name} is no task; tasks: {', '.join(tasks)}"
        for name in dict.fromkeys([*given, *given.values(), *regression])
        if name not in tasks
    ]
    for task, condition in given.items():
        if task in tasks and condition in tasks:
            if condition in regression:
                problems.append(f"{task} is given {condition}, a number; name a binary task")
            if list(tasks).index(condition) >= list(tasks).index(task):
                problems.append(f"{task} is given {condition}; name {condition} before {task}")
    return problems


def _twice(names: Sequence[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def _no_such(what: str, name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"build_model: {name!r} is no {what}; {hint}there are: {', '.join(known)}"
