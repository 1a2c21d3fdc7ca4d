"""Variances of metrics whose rows come in clusters: all rows of a user are drawn together.

A metric's error is a sum of row influences (`influence.py`). Rows of one user resemble each other,
so what is independent are the users' parts: the variance is the sum of their squares. A part is
how far the metric moves when the user is left out (the jackknife, to first order), so that a user
who pulls the average his own way is not taken for one who agrees with it.

Where users have equally many rows of each side, this is for means the clustered sandwich with
G / (G - 1) and for AUCs Obuchowski's variance (Biometrics 53, 1997); where every row is drawn
alone, DeLong's (DeLong, DeLong & Clarke-Pearson, Biometrics 44, 1988). Where a few users have many
of the rows, those are too small: see `benchmarks/README.md`.

Shapes: J rows, G clusters, D sides (1; 2 for an AUC: negatives and positives).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Clusters"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clusters:
    """Which rows belong together: `cell_J` is side · G + cluster, `num_rows_DG` counts the rows."""

    cell_J: NDArray[np.intp]
    num_rows_DG: NDArray[np.intp]

    @classmethod
    def of(cls, sides_J: NDArray[np.intp], *, groups_J: ArrayLike | None = None) -> Clusters:
        """Rows with equal `groups_J` (sortable values; whole numbers are fastest) are a cluster.

        Without groups every row is one. ValueError unless there is a group for every row.
        """
        if groups_J is None:
            num_groups, group_J = sides_J.size, np.arange(sides_J.size)
        else:
            names_G, group_J = np.unique(np.asarray(groups_J), return_inverse=True)
            num_groups = len(names_G)
            if group_J.shape != sides_J.shape:
                raise ValueError(f"groups: {group_J.size} for {sides_J.size} rows; give one a row")
        num_sides = int(sides_J.max()) + 1
        cell_J = sides_J * num_groups + group_J
        counts = np.bincount(cell_J, minlength=num_sides * num_groups)
        return cls(cell_J=cell_J, num_rows_DG=counts.reshape(num_sides, num_groups))

    @property
    def degrees(self) -> float | None:
        """Degrees of freedom of a variance; None where a side has fewer than two clusters.

        One less than the clusters of the side that has fewest; unequal ones count as the number of
        equal ones that are worth as much (Kish: the squared sum of sizes over the sum of squares).
        """
        if np.count_nonzero(self.num_rows_DG, axis=1).min() < 2:
            return None
        sizes_DG = self.num_rows_DG.astype(np.float64)
        effective_D = sizes_DG.sum(axis=1) ** 2 / np.square(sizes_DG).sum(axis=1)
        return max(1.0, float(effective_D.min()) - 1)

    def moves(self, rows_J: Floats) -> Floats:
        """How far each cluster moves a metric, [G], from the influences of its rows.

        The product of two metrics' moves is their covariance, of one with itself its variance. A
        cluster's sum over a side is divided by the share of that side's rows outside it, and the
        squares scaled by (n - 1) / n, n being the clusters with rows on the side. Wants two of them
        on each (`degrees` is not None).
        """
        num_groups_D = np.count_nonzero(self.num_rows_DG, axis=1)
        assert num_groups_D.min() >= 2, "ask for `degrees` first"
        sums = np.bincount(self.cell_J, weights=rows_J, minlength=self.num_rows_DG.size)
        outside_DG = 1 - self.num_rows_DG / self.num_rows_DG.sum(axis=1, keepdims=True)
        moves_DG = sums.reshape(outside_DG.shape) / outside_DG
        return np.asarray(np.sqrt(1 - 1 / num_groups_D) @ moves_DG)
