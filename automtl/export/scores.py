"""How good predictions are on labelled rows: each AUC with its error, and its gap to a reference.

Shapes: N rows, K tasks, J rows of one case.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from automtl.analysis.confidence import auc_interval, paired_auc_difference
from automtl.config import TaskSchema
from automtl.export.manifest import AucScore
from automtl.training.metrics import auc_cases

__all__ = ["auc_scores"]

Predictions = Mapping[str, NDArray[np.float32]]


def auc_scores(
    labels_NK: NDArray[np.float32],
    tasks: tuple[TaskSchema, ...],
    predictions: Predictions,
    *,
    reference: Predictions | None = None,
    groups_N: ArrayLike | None = None,
    num_resamples: int = 1000,
    seed: int = 0,
) -> tuple[AucScore, ...]:
    """Every AUC of `predictions`, and its gap to that of `reference`, with 95 % intervals.

    DeLong, or a bootstrap over whole groups where `groups_N` is given (`analysis.confidence`).
    """
    groups = None if groups_N is None else np.asarray(groups_N)
    scores: list[AucScore] = []
    for case in auc_cases(labels_NK, tasks):
        num_positives = int(case.labels_J.sum())
        if min(num_positives, len(case.labels_J) - num_positives) < 2:
            auc = gap = None
        else:
            groups_J = None if groups is None else groups[case.rows_J]
            scores_J = predictions[case.prediction][case.rows_J]
            auc = auc_interval(
                case.labels_J, scores_J, groups=groups_J, num_resamples=num_resamples, seed=seed
            )
            gap = (
                None
                if reference is None
                else paired_auc_difference(
                    case.labels_J,
                    scores_J,
                    reference[case.prediction][case.rows_J],
                    groups_J,
                    num_resamples=num_resamples,
                    seed=seed,
                )
            )
        scores.append(
            AucScore(
                name=case.name,
                space=case.space,
                num_rows=len(case.labels_J),
                num_positives=num_positives,
                auc=auc,
                gap=gap,
            )
        )
    return tuple(scores)
