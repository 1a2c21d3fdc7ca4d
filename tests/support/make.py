"""Small schemas, rows and data sets, made from a seed."""

from dataclasses import dataclass, field

import numpy as np
import torch

from automtl.config import (
    CategoricalFeature,
    FeatureSchema,
    ModelConfig,
    NumericFeature,
    SequenceFeature,
    Table,
    TaskSchema,
)
from automtl.models.model import MultiTaskModel

EDGES = (-1.5, -0.5, -0.1, 0.2, 0.4, 0.9, 1.3, 2.0, 2.5)  # 2 bins, 4 bins, …
CLICK_AND_CONVERSION = (TaskSchema(name="click"), TaskSchema(name="buy", given="click"))


def make_features(*, num_tables=2, rows=6, num_numeric=2, max_len=3) -> FeatureSchema:
    """`num_tables` categorical features, and a sequence over the first one's table."""
    names = [f"c{number}" for number in range(num_tables)]
    sequence = (SequenceFeature(name="history", table="c0", max_len=max_len),) if max_len else ()
    return FeatureSchema(
        tables=tuple(Table(name=name, num_rows=rows + i) for i, name in enumerate(names)),
        categorical=tuple(CategoricalFeature(name=name, table=name) for name in names),
        numeric=tuple(
            NumericFeature(name=f"x{number}", edges=EDGES[: 3 + 2 * number])
            for number in range(num_numeric)
        ),
        sequence=sequence,
    )


def make_inputs(features: FeatureSchema, num_rows: int, seed: int):
    """Random (ids [N, C] int32, numeric [N, F] float32); sequences are padded at their end."""
    rng = np.random.default_rng(seed)
    sizes = {table.name: table.num_rows for table in features.tables}
    columns = [rng.integers(0, sizes[f.table], num_rows) for f in features.categorical]
    for feature in features.sequence:
        items = rng.integers(1, sizes[feature.table], (num_rows, feature.max_len))
        lengths = rng.integers(0, feature.max_len + 1, num_rows)
        items[np.arange(feature.max_len)[None] >= lengths[:, None]] = 0
        columns += list(items.T)
    numeric = rng.normal(size=(num_rows, len(features.numeric)))
    return np.stack(columns, 1).astype(np.int32), numeric.astype(np.float32)


def make_model(config: ModelConfig, features=None, tasks=CLICK_AND_CONVERSION, seed=0):
    features = features or make_features()
    generator = torch.Generator().manual_seed(seed)
    return MultiTaskModel(config, features, tasks, generator=generator)


@dataclass
class InMemoryRows:
    ids_NC: np.ndarray
    numeric_NF: np.ndarray
    labels_NK: np.ndarray
    weights_NK: np.ndarray | None = None

    def __len__(self):
        return len(self.ids_NC)


@dataclass
class InMemoryData:
    """What a Trainer reads, without files: labels depend on the first feature and number."""

    features: FeatureSchema = field(default_factory=make_features)
    tasks: tuple[TaskSchema, ...] = CLICK_AND_CONVERSION
    num_rows: int = 2000
    seed: int = 0

    def rows(self, split: str) -> InMemoryRows:
        seed = self.seed + ("train", "valid", "test").index(split)
        ids, numeric = make_inputs(self.features, self.num_rows, seed)
        rng = np.random.default_rng(1000 + seed)
        score = (ids[:, 0] % 3 - 1) + numeric[:, 0]
        columns, by_name = [], {}
        for task in self.tasks:
            if task.kind == "regression":
                label = np.exp(0.3 * score + 0.1 * rng.normal(size=len(score)))
            else:
                label = (rng.random(len(score)) < 1 / (1 + np.exp(-2 * score))).astype(float)
            if task.given is not None:
                label = np.where(by_name[task.given] == 1, label, np.nan)
            by_name[task.name] = label
            columns.append(label)
        return InMemoryRows(ids, numeric, np.stack(columns, 1).astype(np.float32))
