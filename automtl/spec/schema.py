"""The spec as the program sees it: one frozen block a section, one block a family.

`search_spaces/automtl.schema.json` is its `json_schema()`. The larger blocks are in files of their
own, rules that look at several places at once in `rules.py`; `load.py` reads a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from automtl.config import Constraint, Objective, Precision, TaskKind, TaskSchema
from automtl.data.files import Place, is_url
from automtl.data.paths import data_files
from automtl.errors import SpecError
from automtl.spec.base import Block, plain
from automtl.spec.data_block import CategoricalSpec, DataSpec, GenerateSpec, SequenceSpec, SplitSpec
from automtl.spec.diagnostics import diagnose
from automtl.spec.domains import Fixed
from automtl.spec.objectives import parse_constraint, parse_objective
from automtl.spec.problems import invalid, problems_of
from automtl.spec.rules import check
from automtl.spec.scalars import Flag, Maybe, OneOf, Real, Text, Whole
from automtl.spec.space_block import FAMILY_BLOCKS, FamilySpec, PositiveKnob, SpaceSpec

__all__ = [
    "FAMILY_BLOCKS",
    "CategoricalSpec",
    "ConfirmSpec",
    "DataSpec",
    "FamilySpec",
    "GenerateSpec",
    "SearchSpec",
    "SequenceSpec",
    "SpaceSpec",
    "Spec",
    "SplitSpec",
    "TaskSpec",
    "TrialSpec",
    "json_schema",
]

COUNT, SEED = Whole(low=1), Whole(low=0)
DEVICE = OneOf(("auto", "cpu", "cuda"), meant={"gpu": "cuda"})
Count = Annotated[int, COUNT]
Seed = Annotated[int, SEED]


class TaskSpec(Block):
    """One label to predict."""

    label: Annotated[str, Text(what="a column name or an expression")] = Field(
        description="the column of the label, or an expression of some: rating >= 4",
        examples=["is_click"],
    )
    type: Annotated[TaskKind, OneOf(get_args(TaskKind))] = Field(
        "binary", description="binary: 0 or 1; regression: a number"
    )
    given: Annotated[str | None, Maybe(Text(what="the name of a task"))] = Field(
        None, description="observed only where this task's label is 1"
    )
    loss: Annotated[
        Literal["mse", "huber", "lognormal"] | None, Maybe(OneOf(("mse", "huber", "lognormal")))
    ] = Field(None, description="for regression; mse if left out")
    weight: Annotated[str | None, Maybe(Text(what="a column name"))] = Field(
        None, description="in place of data.weight: how much a row counts in this task's loss"
    )


Sampler = Literal["auto", "tpe", "gp", "nsga2", "random", "grid"]


class TrialSpec(Block):
    """What one trial runs on."""

    device: Annotated[Literal["auto", "cpu", "cuda"], DEVICE] = Field(
        "auto", description="auto: a GPU where there is one"
    )
    precision: Annotated[Precision, OneOf(get_args(Precision))] = Field(
        "auto", description="of matrix products; auto: what was measured as fastest and as good"
    )
    cpus: Annotated[float, Real(above=0)] = Field(1, description="CPU cores a trial takes")
    gpus: Annotated[float, Real(low=0, high=1)] = Field(
        0.25, description="share of a GPU a trial takes, where there is one"
    )
    latency_batch: Count = Field(256, description="rows scored at once to measure latency_ms")
    stall_minutes: Annotated[float, Real(above=0)] = Field(
        30, description="a trial without a sign of life for so long counts as hung and is ended"
    )


class SearchSpec(Block):
    """How long to search, and how."""

    trials: Count = Field(50, description="trials to start, baselines included")
    wall_hours: Annotated[float | None, Maybe(Real(above=0))] = Field(
        None, description="no trial starts after so many hours of searching"
    )
    device_hours: Annotated[float | None, Maybe(Real(above=0))] = Field(
        None, description="no trial starts after trials have taken so many hours of a core or GPU"
    )
    epochs: PositiveKnob = Field(
        Fixed(1.0), description="training examples seen, in epochs; fractions are allowed"
    )
    rungs: Annotated[int, Whole(low=1, high=8)] = Field(
        2, description="evaluations of a trial, the last after all epochs; 1: no trial stops early"
    )
    eta: Annotated[int, Whole(low=2, high=16)] = Field(
        3, description="each rung is at eta times the last; the best 1/eta of a rung's trials go on"
    )
    sampler: Annotated[Sampler, OneOf(get_args(Sampler))] = Field(
        "auto",
        description="what chooses the next trial: auto by what measured best; gp, tpe and nsga2 "
        "learn from finished trials, random and grid do not",
    )
    seed: Seed = Field(0, description="the search's seed; each trial's follows from it")


class ConfirmSpec(Block):
    """What is trained again with fresh seeds once the search has ended."""

    seeds: Annotated[int, Whole(low=2, high=100)] = Field(
        5, description="fresh seeds that each model is trained with"
    )
    candidates: Count = Field(8, description="trials of the front, spread over it")
    baselines: Annotated[bool, Flag()] = Field(
        True, description="also the default of each family: what sharing does at equal budget"
    )
    boosting: Annotated[bool, Flag()] = Field(
        True, description="beside them gradient-boosted trees, a model a task, on the same rows"
    )
    group: Annotated[str | None, Maybe(Text(what="a column name"))] = Field(
        None,
        description="the column whose rows depend on each other, such as the user; that of a split "
        "by group if left out",
    )


class Spec(Block):
    """A whole search: rows, tasks, what is better, what may vary, and for how long."""

    version: Annotated[Literal[1], OneOf((1,))] = Field(
        description="that of this format", examples=[1]
    )
    name: Annotated[
        str, Text(pattern=r"[A-Za-z0-9][\w.-]*", what="a name of letters, digits, _, . and -")
    ] = Field(
        description="names the run's directory; letters, digits, _, . and -", examples=["my_search"]
    )
    data: DataSpec = Field(examples=[{"path": "rows.parquet"}])
    tasks: Mapping[str, TaskSpec] = Field(
        description="the labels, each under a name of its own",
        examples=[{"click": {"label": "is_click"}}],
    )
    objectives: tuple[Annotated[str, Text(what="text such as click.auc")], ...] = Field(
        description="what is better: task.metric or a model cost", examples=[["click.auc"]]
    )
    constraints: tuple[Annotated[str, Text(what="text such as params <= 5e6")], ...] = Field(
        (), description="limits: a metric or model cost, <= or >=, a number"
    )
    space: SpaceSpec = Field(examples=[{"sharing": [{"family": "shared_bottom"}]}])
    trial: TrialSpec = TrialSpec()
    search: SearchSpec = SearchSpec()
    confirm: ConfirmSpec | None = Field(
        None, description="at the end of the search, as `automtl confirm` would; left out: not"
    )

    _base_dir: Path = PrivateAttr(default=Path())

    HOMES: ClassVar[Mapping[str, type[Block]]] = {
        "data": DataSpec,
        "space": SpaceSpec,
        "trial": TrialSpec,
        "search": SearchSpec,
        "confirm": ConfirmSpec,
    }

    @property
    def base_dir(self) -> Path:
        """Where relative paths start: the directory of the spec's file."""
        return self._base_dir

    @classmethod
    def from_dict(
        cls, raw: Mapping[str, Any], *, base_dir: Path | None = None, check_files: bool = False
    ) -> Self:
        """The spec that `raw` is; raises SpecError with all problems.

        `check_files` also asks for the files of `data.path` to exist, relative to `base_dir`.
        """
        try:
            return cls.validate_raw(raw, base_dir=base_dir or Path(), check_files=check_files)
        except ValidationError as error:
            raise SpecError("spec", diagnose(problems_of(error), plain(raw))) from None

    @classmethod
    def validate_raw(cls, raw: Any, *, base_dir: Path, check_files: bool) -> Self:
        """Like `from_dict`, raising the ValidationError that `problems_of` reads."""
        context = {"base_dir": base_dir, "check_files": check_files}
        return cls.model_validate(raw, context=context)

    def to_dict(self, *, absolute_paths: bool = False) -> dict[str, Any]:
        """The spec with every default written out, as plain data that `from_dict` reads.

        `absolute_paths` makes the data paths independent of `base_dir`.
        """
        raw: dict[str, Any] = self.model_dump(mode="json", exclude_none=True)
        if absolute_paths and self.data.path is not None:
            given = self.data.path
            many = [given] if isinstance(given, str) else given
            files = [
                path if is_url(path) else str((self.base_dir / path).absolute()) for path in many
            ]
            raw["data"]["path"] = files[0] if isinstance(given, str) else files
        if absolute_paths and (cache_dir := self.cache_dir()) is not None:
            raw["data"]["cache"] = str(cache_dir)
        return raw

    def task_schemas(self) -> tuple[TaskSchema, ...]:
        """The tasks in their order; regression labels not fitted (mean 0, std 1)."""
        return tuple(
            TaskSchema(
                name=name,
                kind=task.type,
                given=task.given,
                loss="bce" if task.type == "binary" else task.loss or "mse",
            )
            for name, task in self.tasks.items()
        )

    def objective_list(self) -> tuple[Objective, ...]:
        """The objectives in their order, each with its direction."""
        tasks = self.task_schemas()
        return tuple(parse_objective(text, tasks) for text in self.objectives)

    def constraint_list(self) -> tuple[Constraint, ...]:
        """The constraints in their order."""
        tasks = self.task_schemas()
        return tuple(parse_constraint(text, tasks) for text in self.constraints)

    def data_files(self) -> tuple[Place, ...]:
        """The files of `data.path`, absolute, globs and directories resolved; none for made-up
        rows.

        Raises DataError where a path names no file.
        """
        path = self.data.path
        return () if path is None else data_files(path, base_dir=self.base_dir)

    def cache_dir(self) -> Path | None:
        """`data.cache`, absolute; None where the spec leaves it to the environment."""
        own = self.data.cache
        return None if own is None else (self.base_dir / Path(own).expanduser()).absolute()

    def model_post_init(self, context: Any) -> None:
        self._base_dir = (context or {}).get("base_dir", Path())

    @classmethod
    def hint_for_unknown(cls, key: str) -> str:
        homes = [home for home, block in cls.HOMES.items() if key in block.model_fields]
        if homes:
            return f"it belongs under {homes[0]}"
        return super().hint_for_unknown(key)

    @model_validator(mode="wrap")
    @classmethod
    def _whole(
        cls, raw: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        """Adds what only shows across several places, whether or not each place is right."""
        if isinstance(raw, cls):
            return handler(raw)
        context = info.context or {}
        files_from = context.get("base_dir") if context.get("check_files") else None
        problems = check(plain(raw), files_from=files_from)
        try:
            spec = handler(raw)
        except ValidationError as error:
            raise invalid([*problems_of(error), *problems]) from None
        if problems:
            raise invalid(problems)
        return spec


def json_schema() -> dict[str, Any]:
    """The JSON schema of a spec, for editors and other programs."""
    schema = Spec.model_json_schema()
    named: dict[str, dict[str, Any]] = {}
    schema = _with_named_knobs(schema, named)
    schema["$defs"] |= {f"Knob{index}": knob for index, knob in enumerate(named.values(), start=1)}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _with_named_knobs(schema: Any, named: dict[str, dict[str, Any]]) -> Any:
    """`schema` with each kind of knob written once: its text -> the knob, in `named`."""
    if isinstance(schema, list):
        return [_with_named_knobs(item, named) for item in schema]
    if not isinstance(schema, dict):
        return schema
    options = schema.get("anyOf", [])
    if not any("choice" in option.get("properties", {}) for option in options):
        return {key: _with_named_knobs(item, named) for key, item in schema.items()}
    named.setdefault(json.dumps(options), {"anyOf": options})
    number = list(named).index(json.dumps(options)) + 1
    others = {key: item for key, item in schema.items() if key not in ("anyOf", "title")}
    if isinstance(fixed := others.get("default"), dict):  # a Fixed; in a spec it is bare
        others["default"] = fixed["value"]
    return {"$ref": f"#/$defs/Knob{number}", **others}
