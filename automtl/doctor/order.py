"""How well one column alone puts rows in the order of a label, as an AUC.

Shapes: V distinct scores or values, J rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["auc", "auc_of_rows", "auc_reach", "positives_for_reach", "rank_correlation"]

Floats = NDArray[np.float64]
TYPICAL_AUC = 0.75  # what intervals are told for: few click models are far from it
Z = 1.96  # 95 %


def auc(scores_V: NDArray[Any], positives_V: NDArray[Any], negatives_V: NDArray[Any]) -> float:
    """P(a positive scores higher), ties count one half, from how many rows have each score.

    Scores may repeat. NaN where there are no positives or no negatives.
    """
    if not len(scores_V):
        return float("nan")
    order_V = np.argsort(scores_V, kind="stable")
    sorted_V = scores_V[order_V]
    starts = np.flatnonzero(np.concatenate([[True], sorted_V[1:] != sorted_V[:-1]]))
    positives = np.add.reduceat(positives_V[order_V].astype(np.int64), starts)
    negatives = np.add.reduceat(negatives_V[order_V].astype(np.int64), starts)
    num_positive, num_negative = int(positives.sum()), int(negatives.sum())
    if not num_positive or not num_negative:
        return float("nan")
    below = np.cumsum(negatives) - negatives
    twice_won = int((positives * (2 * below + negatives)).sum())
    return twice_won / (2 * num_positive * num_negative)


def auc_of_rows(scores_J: NDArray[Any], is_positive_J: NDArray[np.bool_]) -> float:
    """`auc` of one score a row."""
    return auc(scores_J, is_positive_J, ~is_positive_J)


def rank_correlation(left_J: NDArray[Any], right_J: NDArray[Any]) -> float:
    """Spearman's, ties at their mean rank; NaN where either never changes."""
    left, right = _ranks(left_J), _ranks(right_J)
    if left.size < 2 or left.std() == 0 or right.std() == 0:
        return float("nan")
    return float(np.corrcoef(left, right)[0, 1])


def _ranks(values_J: NDArray[Any]) -> Floats:
    _, place_J, counts_V = np.unique(values_J, return_inverse=True, return_counts=True)
    mean_V = np.cumsum(counts_V) - (counts_V - 1) / 2
    return np.asarray(mean_V[place_J], dtype=np.float64)


def auc_reach(num_positive: int, num_negative: int, area: float = TYPICAL_AUC) -> float:
    """Half the width of an AUC's 95 % interval over so many rows (Hanley & McNeil 1982)."""
    if not num_positive or not num_negative:
        return 1.0
    both_above = area / (2 - area) - area**2
    both_below = 2 * area**2 / (1 + area) - area**2
    variance = area * (1 - area) + (num_positive - 1) * both_above
    variance += (num_negative - 1) * both_below
    return min(1.0, Z * float(np.sqrt(variance / (num_positive * num_negative))))


def positives_for_reach(reach: float, rate: float) -> int:
    """How many positives make `auc_reach` as small as `reach` where a share `rate` is positive."""
    num = 1
    while auc_reach(num, round(num * (1 - rate) / rate) or 1) > reach:
        num = int(num * 1.02) + 1
    return num
