"""How good an order of rows is: whether events come first, over all rows or list by list.

Rows of equal score stand in a random order drawn once, the same for every score, so that neither
the order of the file nor the machine decides.

Shapes: N rows, P rows with the event, Q rows without, G groups.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from automtl.errors import ScoreError

__all__ = ["Judge", "Metric", "Truth", "parse_metric"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """`auc`, `ndcg@10` or `value@10`; more is better in each."""

    kind: Literal["auc", "ndcg", "value"]
    k: int = 0

    def __str__(self) -> str:
        return self.kind if self.kind == "auc" else f"{self.kind}@{self.k}"


def parse_metric(text: str) -> Metric:
    """The inverse of `str`; ScoreError for anything else."""
    if text == "auc":
        return Metric(kind="auc")
    found = re.fullmatch(r"(ndcg|value)@([1-9]\d{0,8})", text)
    if found is None:
        raise ScoreError(f"--metric {text}: no such metric; choices: auc, ndcg@10, value@10")
    return Metric(kind="ndcg" if found[1] == "ndcg" else "value", k=int(found[2]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """What happened in N rows: the event, what a row was worth, and the list that it was part of.

    `groups_N` holds the numbers 0 to G - 1, each at least once; None: all rows are one list.
    """

    happened_N: NDArray[np.bool_]
    worth_N: Floats
    groups_N: Ints | None = None

    def __len__(self) -> int:
        return len(self.happened_N)

    @property
    def num_groups(self) -> int:
        return 0 if self.groups_N is None else int(self.groups_N.max()) + 1

    def of(self, rows: Ints) -> Truth:
        """Some of the rows, in the order of `rows`, their groups numbered anew."""
        groups_N = None
        if self.groups_N is not None:
            groups_N = np.unique(self.groups_N[rows], return_inverse=True)[1].astype(np.int64)
        return Truth(
            happened_N=self.happened_N[rows], worth_N=self.worth_N[rows], groups_N=groups_N
        )


class Judge:
    """A metric of orders of the same rows: sorts what can be sorted once."""

    def __init__(self, metric: Metric, truth: Truth, *, seed: int = 0) -> None:
        """ScoreError where the metric cannot be said of these rows."""
        self.metric, self.truth = metric, truth
        self._event_P = np.flatnonzero(truth.happened_N)
        self._other_Q = np.flatnonzero(~truth.happened_N)
        if not len(self._event_P) or (metric.kind == "auc" and not len(self._other_Q)):
            raise ScoreError(
                f"--metric {metric}: the event happened in {len(self._event_P):,} of "
                f"{len(truth):,} rows; it must be in some and not in all: take another --event"
            )
        self._shuffled_N = np.random.default_rng(seed).permutation(len(truth))

    @property
    def num_left_out(self) -> int:
        """How many groups have no part in the metric: of ndcg those without the event."""
        if self.metric.kind != "ndcg":
            return 0
        return self.truth.num_groups - len(np.unique(self._groups_N[self._event_P]))

    def __call__(self, scores_N: Floats) -> float:
        """The metric of the order that `scores_N` (no NaN) gives the rows, highest first."""
        if self.metric.kind == "auc":
            return self._auc(scores_N)
        return float(self.by_group(scores_N).mean())

    def by_group(self, scores_N: Floats) -> Floats:
        """What each group that counts has of the metric, by number; the metric is their mean.

        ndcg@K: sum of 1 / log2(1 + place) over the event's places in the first K, over the largest
        sum that the group allows (Järvelin & Kekäläinen 2002, gains of 0 and 1). value@K: the sum
        of worth over the first K.
        """
        rows, places = self._first(scores_N)
        groups = self._groups_N[rows]
        num_groups = self.truth.num_groups
        if self.metric.kind == "value":
            won = np.bincount(groups, self.truth.worth_N[rows], minlength=num_groups)
            return won.astype(np.float64)
        discounts = 1 / np.log2(2 + np.arange(min(self.metric.k, len(self.truth))))
        gains = discounts[places] * self.truth.happened_N[rows]
        won_G = np.bincount(groups, gains, minlength=num_groups)
        num_events_G = np.bincount(self._groups_N[self._event_P], minlength=num_groups)
        best = np.concatenate(([0.0], np.cumsum(discounts)))
        best_G = best[np.minimum(num_events_G, len(discounts))]
        counts_G = num_events_G > 0
        return np.asarray(won_G[counts_G] / best_G[counts_G])

    @property
    def _groups_N(self) -> Ints:
        assert self.truth.groups_N is not None, "who asks for lists says which"
        return self.truth.groups_N

    def _auc(self, scores_N: Floats) -> float:
        """P(a row with the event scores higher than one without), ties one half; exact counts."""
        below_Q = np.sort(scores_N[self._other_Q])
        scores_P = np.sort(scores_N[self._event_P])  # so that the look-ups walk through memory
        twice_won = int(np.searchsorted(below_Q, scores_P, side="left").sum())
        twice_won += int(np.searchsorted(below_Q, scores_P, side="right").sum())
        return twice_won / (2 * len(scores_P) * len(below_Q))

    def _first(self, scores_N: Floats) -> tuple[Ints, Ints]:
        """The first K rows of every group, and their places there, from 0."""
        order_N = self._shuffled_N[np.argsort(-scores_N[self._shuffled_N], kind="stable")]
        # group and place in one integer: sorting these is faster than a second stable sort
        keys_N = np.sort(self._groups_N[order_N] * len(order_N) + np.arange(len(order_N)))
        groups_N, ranks_N = np.divmod(keys_N, len(order_N))
        starts_G = np.searchsorted(groups_N, np.arange(self.truth.num_groups))
        places_N = np.arange(len(keys_N)) - starts_G[groups_N]
        is_first_N = places_N < self.metric.k
        return order_N[ranks_N[is_first_N]], places_N[is_first_N]
