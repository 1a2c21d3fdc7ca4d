"""How far each row moves a metric: the piece that every standard error over rows is made of.

A metric on J rows is its truth plus, up to what vanishes faster, a sum over rows; a row's term is
its influence. Exactly so for means (log loss, mae); by the delta method for rmse; for an AUC by its
projection on rows, whose terms are DeLong's placements (DeLong et al. 1988).

Shapes: J rows, S seeds (columns of scores), T distinct scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from automtl.config import METRICS, SMALLEST_PROBABILITY

__all__ = ["Influence", "influence"]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Influence:
    """A metric of S columns of scores, and each row's part in it.

    `values_S` in the metric's own units; `rows_SJ` add up to 0 over the rows of a side. `sides_J`
    says which average a row enters: 1 or 0 for the positives and negatives of an AUC, else all 0.
    """

    metric: str
    values_S: Floats
    rows_SJ: Floats
    sides_J: NDArray[np.intp]


def influence(metric: str, *, labels_J: ArrayLike, scores_SJ: ArrayLike) -> Influence | None:
    """`metric` (a name in `config.METRICS`) of every column of scores; no trained model is asked.

    Labels are 0 or 1 (finite for regression), scores finite and, for log losses, probabilities.
    None where the metric is not defined: no rows, an AUC of one class. ValueError for bad input.
    """
    labels_J, scores_SJ = _checked(metric, np.asarray(labels_J), np.asarray(scores_SJ))
    if not labels_J.size:
        return None
    if metric.endswith("auc"):
        return _of_auc(metric, labels_J == 1, scores_SJ)
    if metric.endswith("logloss"):
        return _of_mean(metric, _log_loss(labels_J, scores_SJ))
    error_SJ = scores_SJ.astype(np.float64) - labels_J
    if metric == "mae":
        return _of_mean(metric, np.abs(error_SJ))
    return _of_rmse(metric, error_SJ)


# ---- metric by metric ----------------------------------------------------------------------


def _of_mean(metric: str, loss_SJ: Floats) -> Influence:
    mean_S = loss_SJ.mean(axis=1)
    num_rows = loss_SJ.shape[1]
    return Influence(
        metric=metric,
        values_S=mean_S,
        rows_SJ=(loss_SJ - mean_S[:, None]) / num_rows,
        sides_J=np.zeros(num_rows, dtype=np.intp),
    )


def _of_rmse(metric: str, error_SJ: Floats) -> Influence:
    """The root's slope, 1 / (2 rmse), times the influence on the mean of squares."""
    squares = _of_mean(metric, np.square(error_SJ))
    rmse_S = np.sqrt(squares.values_S)
    slope_S = 0.5 / np.where(rmse_S > 0, rmse_S, 1.0)  # no errors at all: nothing to scale
    return Influence(
        metric=metric,
        values_S=rmse_S,
        rows_SJ=squares.rows_SJ * slope_S[:, None],
        sides_J=squares.sides_J,
    )


def _of_auc(metric: str, truth_J: NDArray[np.bool_], scores_SJ: NDArray[Any]) -> Influence | None:
    """A positive's term is the share of negatives below it, less the AUC, over the positives; a
    negative's the share of positives above it likewise. Either class's mean share is the AUC."""
    num_positive = int(truth_J.sum())
    num_negative = truth_J.size - num_positive
    if not num_positive or not num_negative:
        return None
    num_own_J = np.where(truth_J, num_positive, num_negative)
    placements_SJ = np.stack([_placements(truth_J, scores_J) for scores_J in scores_SJ])
    auc_S = placements_SJ[:, truth_J].mean(axis=1)
    return Influence(
        metric=metric,
        values_S=auc_S,
        rows_SJ=(placements_SJ - auc_S[:, None]) / num_own_J,
        sides_J=truth_J.astype(np.intp),
    )


def _placements(truth_J: NDArray[np.bool_], scores_J: NDArray[Any]) -> Floats:
    """For a row the share of the other class on its wrong side, ties counted half: of negatives
    below a positive, of positives above a negative. One sort, then counts of equal scores."""
    order_J = np.argsort(scores_J)
    sorted_J, positive_J = scores_J[order_J], truth_J[order_J]
    last_T = np.flatnonzero(np.append(sorted_J[1:] != sorted_J[:-1], True))
    length_T = np.diff(last_T, prepend=-1)
    positives_T = np.cumsum(positive_J, dtype=np.int64)[
        last_T
    ]  # up to and with the T-th distinct score
    negatives_T = last_T + 1 - positives_T
    num_positive, num_negative = int(positives_T[-1]), int(negatives_T[-1])
    share_below_T = _twice_below(negatives_T) / (2 * num_negative)
    share_above_T = 1 - _twice_below(positives_T) / (2 * num_positive)
    placements_J = np.empty(len(scores_J))
    placements_J[order_J] = np.where(
        positive_J, np.repeat(share_below_T, length_T), np.repeat(share_above_T, length_T)
    )
    return placements_J


def _twice_below(up_to_T: Counts) -> Counts:
    """Those below count twice, those with the same score once."""
    return np.asarray(up_to_T + np.append(0, up_to_T[:-1]))


def _log_loss(labels_J: NDArray[Any], scores_SJ: NDArray[Any]) -> Floats:
    """In nats, probabilities kept as far from 0 and 1 as the search keeps them."""
    p_SJ = np.clip(scores_SJ.astype(np.float64), SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return -np.where(labels_J == 1, np.log(p_SJ), np.log1p(-p_SJ))


# ---- what is refused -----------------------------------------------------------------------


def _checked(
    metric: str, labels_J: NDArray[Any], scores_SJ: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    binary = metric in METRICS["binary"]
    if not binary and metric not in METRICS["regression"]:
        known = ", ".join(name for names in METRICS.values() for name in names)
        raise ValueError(f"{metric}: no metric of labels and scores; the names are {known}")
    if scores_SJ.ndim != 2 or not len(scores_SJ):
        raise ValueError(f"{metric}: scores are {scores_SJ.shape}; give one row of them a seed")
    if labels_J.shape != scores_SJ.shape[1:]:
        raise ValueError(
            f"{metric}: labels {labels_J.shape} and scores {scores_SJ.shape[1:]} must match"
        )
    if binary and not np.isin(labels_J, (0, 1)).all():
        raise ValueError(f"{metric}: labels must be 0 or 1; leave rows without a label out")
    if not np.isfinite(labels_J).all():
        raise ValueError(f"{metric}: labels must be finite; leave rows without a label out")
    if not np.isfinite(scores_SJ).all():
        raise ValueError(f"{metric}: scores must be finite")
    return labels_J, scores_SJ
