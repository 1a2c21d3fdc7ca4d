"""Rows to measure on: made up from a seed, or Census-Income; as arrays that a Trainer reads too.

Shapes: N rows, C id columns, F numeric columns, K tasks, V ids of a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from arrays import ArrayData
from peers.job import JobRows, Split

from automtl.config import CategoricalFeature, FeatureSchema, NumericFeature, Table, TaskSchema

CENSUS_SPEC = Path(__file__).parent.parent / "search_spaces" / "census_income.yaml"
COLLEGE_LEAKS = ("education", "hs_college")
ZIPF_EXPONENT = 1.05
NUM_ID_COLUMNS, NUM_NUMERIC = 20, 10
NUM_TELLING_COLUMNS = 8  # id columns that the labels depend on
TASK_CORRELATION = 0.7  # of the two tasks' effects
MADE_UP_TASKS = ("click", "buy")


def array_data(rows: JobRows, *, is_chained: bool, num_train: int | None = None) -> ArrayData:
    """`rows` as a Trainer reads them, one table a column; `num_train` cuts the train rows.

    `is_chained`: each task is given the one before it, so its label becomes NaN where that one's
    is 0 (the labels of `rows` are over all rows).
    """
    columns = [f"c{column}" for column in range(len(rows.vocab))]
    numeric = rows.splits["train"].numeric_NF.shape[1]
    parents = (None, *rows.tasks[:-1]) if is_chained else (None,) * len(rows.tasks)
    splits = {name: _masked(split) if is_chained else split for name, split in rows.splits.items()}
    splits["train"] = splits["train"].part(slice(num_train))
    return ArrayData(
        features=FeatureSchema(
            tables=tuple(
                Table(name=name, num_rows=size)
                for name, size in zip(columns, rows.vocab, strict=True)
            ),
            categorical=tuple(CategoricalFeature(name=name, table=name) for name in columns),
            numeric=tuple(NumericFeature(name=f"x{column}") for column in range(numeric)),
        ),
        tasks=tuple(
            TaskSchema(name=name, given=given)
            for name, given in zip(rows.tasks, parents, strict=True)
        ),
        splits=splits,
    )


def _masked(split: Split) -> Split:
    labels_NK = split.labels_NK.copy()
    labels_NK[:, 1:][labels_NK[:, :-1] == 0] = np.nan
    return Split(ids_NC=split.ids_NC, numeric_NF=split.numeric_NF, labels_NK=labels_NK)


# ---- made up -------------------------------------------------------------------------------


def made_up(
    *, vocab: int, num_train: int, num_valid: int, seed: int, is_chained: bool = False
) -> JobRows:
    """Zipf ids in 20 columns of `vocab` ids each, 10 normal numbers, two correlated tasks.

    The logit of a task is the sum of the effects of the ids in 8 columns and a linear term in the
    numbers: about a quarter of the rows are clicks and a tenth is bought (`is_chained`: bought
    after a click only).
    """
    rng = np.random.default_rng(seed)
    num_rows = num_train + num_valid
    cumulative_V = np.cumsum(np.arange(1, vocab + 1, dtype=np.float64) ** -ZIPF_EXPONENT)
    ids_NC = np.empty((num_rows, NUM_ID_COLUMNS), dtype=np.int32)
    numeric_NF = rng.standard_normal((num_rows, NUM_NUMERIC), dtype=np.float32)
    logits_NK = np.tile(np.float32([-1.5, -3.0]), (num_rows, 1))
    for column in range(NUM_ID_COLUMNS):
        draws_N = rng.random(num_rows) * cumulative_V[-1]
        ids_NC[:, column] = np.searchsorted(cumulative_V, draws_N)
        if column < NUM_TELLING_COLUMNS:
            logits_NK += 0.5 * _effects(vocab, rng)[ids_NC[:, column]]
    logits_NK += 0.3 * numeric_NF @ _effects(NUM_NUMERIC, rng)
    labels_NK = (rng.random(logits_NK.shape) < 1 / (1 + np.exp(-logits_NK))).astype(np.float32)
    if is_chained:
        labels_NK[:, 1] *= labels_NK[:, 0]
    every = Split(ids_NC=ids_NC, numeric_NF=numeric_NF, labels_NK=labels_NK)
    return JobRows(
        splits={"train": every.part(slice(num_train)), "valid": every.part(slice(num_train, None))},
        vocab=(vocab,) * NUM_ID_COLUMNS,
        tasks=MADE_UP_TASKS,
    )


def _effects(count: int, rng: np.random.Generator) -> np.ndarray:
    """[count, 2] standard normal effects of the two tasks, correlated."""
    common = rng.standard_normal((count, 1), dtype=np.float32)
    own = rng.standard_normal((count, 2), dtype=np.float32)
    return TASK_CORRELATION**0.5 * common + (1 - TASK_CORRELATION) ** 0.5 * own


# ---- Census-Income -------------------------------------------------------------------------


def census(tasks: Sequence[str] = ("income", "never_married")) -> JobRows:
    """The rows of `search_spaces/census_income.yaml` for two of income, never_married, college.

    `college` is made of the column `education` (some college or a degree), and 84 % of those who
    are at a college now (`hs_college`) have it, 33 % of the others: with that label among the
    tasks both columns are left out of the features, as a feature must not tell the label.
    """
    from automtl.data.cache import open_data
    from automtl.spec.load import load_spec
    from automtl.spec.schema import Spec

    labels = {"income": "income_50k", "never_married": "never_married", "college": "college"}
    raw = load_spec(CENSUS_SPEC).to_dict()
    raw["tasks"] = {task: {"label": labels[task]} for task in tasks}
    raw["objectives"] = [f"{task}.auc" for task in tasks]
    raw["space"].pop("loss_weights")
    if "college" in tasks:
        for column in COLLEGE_LEAKS:
            raw["data"]["categorical"].pop(column)
    data = open_data(Spec.from_dict(raw, base_dir=CENSUS_SPEC.parent))
    return JobRows(
        splits={
            name: Split(ids_NC=rows.ids_NC, numeric_NF=rows.numeric_NF, labels_NK=rows.labels_NK)
            for name, rows in ((name, data.rows(name)) for name in ("train", "valid", "test"))
        },
        vocab=tuple(table.num_rows for table in data.features.tables),
        tasks=tuple(task.name for task in data.tasks),
    )
