"""Frozen values that every layer understands: what to build, how to train it, what to judge by.

Everything here is plain data (JSON in, JSON out) and imports nothing heavy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

__all__ = [
    "AGE",
    "CONFIGURED_COSTS",
    "FAMILIES",
    "MEASURED_COSTS",
    "METRICS",
    "MODEL_COSTS",
    "SMALLEST_PROBABILITY",
    "TIME_PARTS",
    "AgeUnit",
    "CategoricalFeature",
    "Constraint",
    "DenseFeature",
    "Dependency",
    "Direction",
    "EmbeddingOptimizer",
    "Evaluation",
    "ExecutorName",
    "Family",
    "FeatureSchema",
    "ModelConfig",
    "NumGates",
    "NumericEncoding",
    "NumericFeature",
    "Objective",
    "Precision",
    "Scale",
    "SequenceFeature",
    "SequencePooling",
    "Table",
    "TaskKind",
    "TaskLoss",
    "TaskSchema",
    "TimePart",
    "TimeUnit",
    "TrainConfig",
    "TrainedOn",
    "TrialConfig",
    "Weighting",
    "from_jsonable",
    "input_name",
    "to_jsonable",
]

Family = Literal[
    "single_task", "shared_embedding", "shared_bottom", "omoe", "mmoe", "cgc", "ple"
]  # the ladder, from nothing shared to shared per level
Dependency = Literal["none", "esmm"]
Weighting = Literal["fixed", "decay", "uncertainty"]
TaskKind = Literal["binary", "regression"]
TaskLoss = Literal["bce", "mse", "huber", "lognormal"]
Direction = Literal["maximize", "minimize"]
NumGates = Literal[1, "per_task"]
NumericEncoding = Literal["standard", "buckets", "piecewise_linear"]
SequencePooling = Literal["mean", "sum", "attention"]
EmbeddingOptimizer = Literal["adagrad", "rowwise_adagrad", "adam"]
Precision = Literal["auto", "fp32", "tf32", "bf16"]
TimeUnit = Literal["s", "ms", "us", "ns", "ymd"]  # since 1970; ymd: 20220425
TimePart = Literal["hour", "weekday"]
Scale = Literal["standard", "log1p", "quantile", "buckets"]  # of a number
AgeUnit = Literal["seconds", "minutes", "hours", "days"]
ExecutorName = Literal["ray", "processes", "local"]  # who runs trials (search/executors.py)
TrainedOn = Literal["train", "train+valid"]  # the rows that models and their encoder learn from
Config = TypeVar("Config")

FAMILIES: tuple[Family, ...] = (
    "single_task",
    "shared_embedding",
    "shared_bottom",
    "omoe",
    "mmoe",
    "cgc",
    "ple",
)

METRICS: Mapping[TaskKind, Mapping[str, Direction]] = {
    "binary": {
        "auc": "maximize",
        "logloss": "minimize",
        # over all impressions, for a task with `given`: the product along the chain
        "joint_auc": "maximize",
        "joint_logloss": "minimize",
    },
    "regression": {"mae": "minimize", "rmse": "minimize"},
}
SMALLEST_PROBABILITY = 1e-7  # log losses keep predictions this far from 0 and 1
CONFIGURED_COSTS: tuple[str, ...] = ("params", "params.embedding", "params.dense", "flops")
MEASURED_COSTS: tuple[str, ...] = ("latency_ms",)  # of the built model, before it is trained
MODEL_COSTS: tuple[str, ...] = (*CONFIGURED_COSTS, *MEASURED_COSTS)


TIME_PARTS: tuple[TimePart, ...] = ("hour", "weekday")
AGE = "age"


# ---- what the encoded rows look like -------------------------------------------------------


def input_name(column: str, what: str) -> str:
    """The feature that a part of a column of times is, or its age: `shown_at:hour`."""
    return f"{column}:{what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One embedding table. Row 0 is 'missing' (and padding), row 1 'never seen in train'."""

    name: str
    num_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoricalFeature:
    """One id a row, looked up in `table`."""

    name: str
    table: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NumericFeature:
    """One standardised number a row.

    `edges`, in units of the standardised value and rising, cut its train values into bins: the
    first is the smallest value, the last the largest. Fewer than three: it cannot be cut, and
    enters as a scalar whatever the encoding.
    """

    name: str
    edges: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseFeature:
    """A vector a row: `width` columns of numbers, an indicator of missing ones behind if any."""

    name: str
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceFeature:
    """Up to `max_len` ids a row, padded with 0 at the end, pooled over `table`."""

    name: str
    table: str
    max_len: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSchema:
    """The model's view of the features.

    The id matrix has one column a categorical feature, then `max_len` columns a sequence, in this
    order; the numeric matrix one column an entry of `numeric` (a column that has nulls in train is
    followed by an indicator of 0 and 1 named `<name>:missing`), then `width` columns a dense one.
    """

    tables: tuple[Table, ...]
    categorical: tuple[CategoricalFeature, ...] = ()
    numeric: tuple[NumericFeature, ...] = ()
    sequence: tuple[SequenceFeature, ...] = ()
    dense: tuple[DenseFeature, ...] = ()

    @property
    def num_number_columns(self) -> int:
        return len(self.numeric) + sum(feature.width for feature in self.dense)

    @property
    def num_id_columns(self) -> int:
        return len(self.categorical) + sum(feature.max_len for feature in self.sequence)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSchema:
    """One label. `given` names the binary task on whose positives this one is observed.

    `mean` and `std` are those of a regression label over train rows (of its logarithm for
    `lognormal`): the model predicts in these units, metrics are in the label's own.
    """

    name: str
    kind: TaskKind = "binary"
    given: str | None = None
    loss: TaskLoss = "bce"
    mean: float = 0.0
    std: float = 1.0


# ---- what to build and how to train it -----------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """One architecture: a point of sharing x dependency. Knobs a family lacks keep the default.

    `embedding_dims` gives tables (by name) a width of their own. `gate_features` are read by every
    gate beside its input.
    """

    family: Family
    dependency: Dependency = "none"
    embedding_dim: int = 16
    embedding_dims: Mapping[str, int] = field(default_factory=dict)
    embedding_dropout: float = 0.0
    sequence_pooling: SequencePooling = "mean"
    numeric_encoding: NumericEncoding = "standard"
    drop_features: tuple[str, ...] = ()
    gate_features: tuple[str, ...] = ()
    num_levels: int = 1
    num_shared_experts: int = 1
    num_task_experts: int = 1
    num_gates: NumGates = "per_task"
    expert_dims: tuple[int, ...] = (128, 64)
    tower_dims: tuple[int, ...] = (32,)
    gate_dims: tuple[int, ...] = ()
    dropout: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """One training recipe. `epochs` is the fidelity; loss weights and decays are 1 by default."""

    epochs: float = 1.0
    batch_size: int = 1024
    lr: float = 1e-3
    embedding_optimizer: EmbeddingOptimizer = "adagrad"
    embedding_lr: float = 0.05
    embedding_l2: float = 0.0
    weight_decay: float = 0.0
    weighting: Weighting = "fixed"
    loss_weights: Mapping[str, float] = field(default_factory=dict)
    loss_decay: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialConfig:
    """All that a trial is, but its seed."""

    model: ModelConfig
    train: TrainConfig


# ---- what to judge by ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """`click.auc` or `params`: a metric of a task, or a cost of the model (`task` is None)."""

    name: str
    task: str | None
    metric: str
    direction: Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """`params <= 5e6`: the named metric or cost against a bound, both sides included."""

    name: str
    op: Literal["<=", ">="]
    bound: float

    def __str__(self) -> str:
        """As it stands in a spec, the bound in its shortest form."""
        return f"{self.name} {self.op} {self.bound:g}"

    def violation(self, values: Mapping[str, float]) -> float:
        """How far `values` is on the wrong side, in the metric's own units; <= 0 is feasible."""
        value = values[self.name]
        return value - self.bound if self.op == "<=" else self.bound - value


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What one evaluation on validation rows saw, after `epochs` epochs of training.

    `wall_s` is for how long the trial has trained, `device` on what. `metrics` holds every metric
    of every task (`click.auc`, …) and every model cost. `notes` are what the trial did otherwise
    than asked, in sentences.
    """

    epochs: float
    examples: int
    wall_s: float
    metrics: Mapping[str, float]
    notes: tuple[str, ...] = ()
    device: str = "cpu"


# ---- JSON ----------------------------------------------------------------------------------


def to_jsonable(value: Any) -> Any:
    """A dataclass of this module as dicts, lists and scalars."""
    return dataclasses.asdict(value)


def from_jsonable(kind: type[Config], value: Any) -> Config:
    """The inverse of `to_jsonable`, after a trip through JSON; checks every type. ValueError names
    the first place that is wrong."""
    import pydantic  # here: only who reads pays for it

    if kind not in _READERS:
        _READERS[kind] = pydantic.TypeAdapter(kind)  # takes milliseconds: once a class
    try:
        checked: Config = _READERS[kind].validate_python(value)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"at {place}: {first['msg']}") from error
    return checked


_READERS: dict[type, Any] = {}
