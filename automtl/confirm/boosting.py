"""The reference that every reader asks for: gradient-boosted trees, one model a task.

scikit-learn's HistGradientBoosting on the same columns and rows. Ids of few values enter as
categories; those of many as their mean target, cross-fitted on train rows (TargetEncoder), since
trees cannot take more than MAX_CATEGORIES; sequences are left out. A task with `given` is trained
on the rows where its condition holds, each by its weight. Defaults, with early stopping: nothing
is tuned.

Shapes: N rows, J rows of one task, C id columns, X columns of the trees, K tasks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import TargetEncoder

from automtl.config import FeatureSchema, TaskSchema
from automtl.data.cache import EncodedData, Rows
from automtl.models.dependency import chain_order, parents_of
from automtl.models.model import joint_name

__all__ = ["NAME", "boosted_scores"]

NAME = "gradient boosting"
MAX_CATEGORIES = 255  # of HistGradientBoosting
MAX_ITERATIONS = 500
WEIGHT = "trees__sample_weight"  # of each row, as a Pipeline passes it on

Scores = dict[str, NDArray[np.float32]]


def boosted_scores(data: EncodedData, *, seed: int) -> dict[str, Scores]:
    """{split: {output: [N]}} for valid and test, named as by `MultiTaskModel.predict`."""
    train = data.rows("train")
    splits = {name: data.rows(name) for name in ("valid", "test") if data.num_rows[name]}
    scores: dict[str, Scores] = {name: {} for name in splits}
    for column, task in enumerate(data.tasks):
        labels_N = np.asarray(train.labels_NK[:, column])
        seen_J = np.flatnonzero(~np.isnan(labels_N))
        model = _model(task, data.features, seed)
        weights_NK = train.weights_NK
        weights = {} if weights_NK is None else {WEIGHT: weights_NK[seen_J, column]}
        model.fit(_columns(train, data.features, seen_J), labels_N[seen_J], **weights)
        for name, rows in splits.items():
            columns_NX = _columns(rows, data.features)
            predicted_N = (
                model.predict_proba(columns_NX)[:, 1]
                if task.kind == "binary"
                else model.predict(columns_NX)
            )
            scores[name][task.name] = predicted_N.astype(np.float32)
    return {name: one | _joint(one, data.tasks) for name, one in scores.items()}


def _model(task: TaskSchema, features: FeatureSchema, seed: int) -> Pipeline:
    sizes = {table.name: table.num_rows for table in features.tables}
    num_ids = len(features.categorical)
    many = [i for i, one in enumerate(features.categorical) if sizes[one.table] > MAX_CATEGORIES]
    few = [i for i in range(num_ids) if i not in many]
    numbers = list(range(num_ids, num_ids + features.num_number_columns))
    is_binary = task.kind == "binary"
    trees = HistGradientBoostingClassifier if is_binary else HistGradientBoostingRegressor
    columns = ColumnTransformer(
        [
            ("few", "passthrough", few),
            (
                "many",
                TargetEncoder(
                    target_type="binary" if is_binary else "continuous",
                    cv=KFold(5, shuffle=True, random_state=seed),
                ),
                many,
            ),
            ("numbers", "passthrough", numbers),
        ]
    )
    boosted = trees(
        categorical_features=list(range(len(few))),
        early_stopping=True,
        max_iter=MAX_ITERATIONS,
        random_state=seed,
    )
    return Pipeline([("columns", columns), ("trees", boosted)])


def _columns(
    rows: Rows, features: FeatureSchema, chosen_J: NDArray[np.int64] | slice = slice(None)
) -> NDArray[np.float64]:
    """The ids of single-valued features, then the numbers; in float64, which holds any id."""
    ids_NC = rows.ids_NC[chosen_J, : len(features.categorical)]
    columns_NX: NDArray[np.float64] = np.hstack(
        [ids_NC.astype(np.float64), rows.numeric_NF[chosen_J]]
    )
    return columns_NX


def _joint(scores: Scores, tasks: tuple[TaskSchema, ...]) -> Scores:
    """The products along the chains of conditions."""
    parents, joint = parents_of(tasks), {task.name: scores[task.name] for task in tasks}
    found: Scores = {}
    for column in chain_order(parents):
        task = tasks[column]
        if task.kind == "binary":
            joint[task.name] = joint[tasks[parents[column]].name] * scores[task.name]
            found[joint_name(task.name)] = joint[task.name]
    return found
