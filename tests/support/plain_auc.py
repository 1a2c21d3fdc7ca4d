"""AUCs and what their variances are made of, counted pair by pair as the papers write them."""

from __future__ import annotations

import numpy as np

__all__ = ["Placements", "plain_auc", "plain_moves", "plain_placements"]

Placements = tuple[dict[int, float], dict[int, float]]  # by row: of positives, of negatives


def kernel(positive: float, negative: float) -> float:
    return 1.0 if positive > negative else 0.5 if positive == negative else 0.0


def plain_placements(labels: np.ndarray, scores: np.ndarray) -> Placements:
    """V10 of every positive row and V01 of every negative one (DeLong et al. 1988, eq. 4)."""
    positives, negatives = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    v10 = {
        i: sum(kernel(scores[i], scores[j]) for j in negatives) / len(negatives) for i in positives
    }
    v01 = {
        j: sum(kernel(scores[i], scores[j]) for i in positives) / len(positives) for j in negatives
    }
    return v10, v01


def plain_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    v10, _ = plain_placements(labels, scores)
    return sum(v10.values()) / len(v10)


def plain_moves(labels: np.ndarray, scores: np.ndarray, groups: np.ndarray) -> list[float]:
    """What each group moves the AUC by: its positives' and its negatives' surplus over the rows of
    that class outside it, each times √((n - 1) / n) for n groups with rows of the class."""
    auc, of_both = plain_auc(labels, scores), plain_placements(labels, scores)
    moves = []
    for name in sorted(set(groups)):
        move = 0.0
        for placements in of_both:
            mine = [value - auc for row, value in placements.items() if groups[row] == name]
            num_groups = len({groups[row] for row in placements})
            scale = ((num_groups - 1) / num_groups) ** 0.5
            move += scale * sum(mine) / (len(placements) - len(mine))
        moves.append(move)
    return moves
