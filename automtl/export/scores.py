"""How good predictions are on labelled rows: each AUC with its error, and its gap to a reference.

Shapes: N rows, K tasks, J rows of one case.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from automtl.analysis.estimates import Estimate, compare, estimate
from automtl.config import TaskSchema
from automtl.export.manifest import AucScore
from automtl.training.metrics import AucCase, auc_cases

__all__ = ["auc_scores"]

Predictions = Mapping[str, NDArray[np.float32]]


def auc_scores(
    labels_NK: NDArray[np.float32],
    tasks: tuple[TaskSchema, ...],
    predictions: Predictions,
    *,
    reference: Predictions | None = None,
    groups_N: ArrayLike | None = None,
) -> tuple[AucScore, ...]:
    """Every AUC of `predictions`, and its gap to that of `reference`, with 95 % intervals.

    They hold the models fixed. Rows with equal `groups_N` are drawn together; without them every
    row is drawn alone (`analysis.clusters`).
    """
    groups = None if groups_N is None else np.asarray(groups_N)
    scores: list[AucScore] = []
    for case in auc_cases(labels_NK, tasks):
        found = _estimate(case, predictions, groups)
        other = None if reference is None else _estimate(case, reference, groups)
        scores.append(
            AucScore(
                name=case.name,
                space=case.space,
                num_rows=len(case.labels_J),
                num_positives=int(case.labels_J.sum()),
                auc=None if found is None else found.rows,
                gap=None if found is None or other is None else compare(found, other).rows,
            )
        )
    return tuple(scores)


def _estimate(
    case: AucCase, predictions: Predictions, groups_N: NDArray[np.generic] | None
) -> Estimate | None:
    return estimate(
        "auc",
        labels_J=case.labels_J,
        scores_SJ=predictions[case.prediction][case.rows_J][None],
        groups_J=None if groups_N is None else groups_N[case.rows_J],
    )
