"""Points of a flattened space: every knob has a place, also those that a trial is not asked for.

A point is a row of units (`unit.py`). Knobs that do not apply are put in the middle of their
domain, in trials and in candidates alike: two points that lead to the same configuration are the
same point.

Shapes: N points, D knobs, E columns of the embedding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from automtl.search.strategies.base import Observation, SearchSpace
from automtl.search.strategies.unit import is_ordered, place, snap, value_at
from automtl.spec.domains import Choice, contains, default

__all__ = ["Points"]

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SAME = 1e-6  # units of two options of a domain lie further apart


class Points:
    """The flattened space of `space`, in which `pins` stand still.

    `places` keeps where trials lie, by their numbers, from one call to the next.
    """

    def __init__(
        self, space: SearchSpace, pins: Mapping[str, Any], places: dict[int, Floats]
    ) -> None:
        self._space, self.pins, self._places = space, dict(pins), places
        self.names = list(space.domains)
        self._domains = list(space.domains.values())
        self._middle_D = np.array([place(d, default(d)) for d in self._domains])
        self._pinned_D = np.array(
            [
                place(d, pins[n]) if n in pins and contains(d, pins[n]) else np.nan
                for n, d in zip(self.names, self._domains, strict=True)
            ]
        )
        self.is_free_D = np.array([name not in pins for name in self.names], dtype=np.bool_)
        # a mutation draws such a knob anew; others it moves, mostly
        self.anew_D = np.array([0.1 if is_ordered(domain) else 1.0 for domain in self._domains])
        self._pinned_on_D = np.array([self._is_not_ruled_out(name) for name in self.names])
        self._parents = list(self._parents_of_knobs())
        self.knob_E = np.array(
            [d for d, domain in enumerate(self._domains) for _ in range(_num_columns(domain))]
        )  # the knob that a column of the embedding belongs to

    def _is_not_ruled_out(self, name: str) -> bool:
        """Whether no pin says that the knob does not apply."""
        parent, values = self._space.needs.get(name, (None, ()))
        return parent not in self.pins or self.pins[parent] in values

    def _parents_of_knobs(self) -> Iterator[tuple[int, int, Floats]]:
        """(knob, the free knob it hangs on, units_V of the values at which it applies)."""
        for name, (parent, values) in self._space.needs.items():
            if parent in self._space.domains and parent not in self.pins:
                d, p = self.names.index(name), self.names.index(parent)
                domain = self._domains[p]
                yield d, p, np.array([place(domain, v) for v in values if contains(domain, v)])

    def of(self, trials: Sequence[Observation]) -> Floats:
        """units_ND of what was tried."""
        for one in trials:
            if one.number not in self._places:
                self._places[one.number] = self._place(one.params)
        units_ND = np.array([self._places[one.number] for one in trials])
        return units_ND.reshape(len(trials), len(self.names))

    def _place(self, params: Mapping[str, Any]) -> Floats:
        units_D = self._middle_D.copy()
        for d, (name, domain) in enumerate(zip(self.names, self._domains, strict=True)):
            if name in params and contains(domain, params[name]):
                units_D[d] = place(domain, params[name])
        return units_D

    def snapped(self, units_ND: Floats) -> Floats:
        """The points with every unit in the middle of its value, and the pins where they are."""
        columns = [snap(d, units_ND[:, i]) for i, d in enumerate(self._domains)]
        return np.where(np.isnan(self._pinned_D), np.stack(columns, axis=1), self._pinned_D)

    def active(self, units_ND: Floats) -> Mask:
        """mask_ND of the knobs that are asked for."""
        mask_ND = np.ones(units_ND.shape, dtype=np.bool_)
        mask_ND[:, ~self._pinned_on_D] = False
        for d, p, units_V in self._parents:
            near_NV = np.abs(units_ND[:, [p]] - units_V) < SAME
            mask_ND[:, d] = near_NV.any(axis=1) & mask_ND[:, p]
        return mask_ND

    def canonical(self, units_ND: Floats) -> Floats:
        """The points with the knobs that are not asked for in the middle."""
        return np.where(self.active(units_ND), units_ND, self._middle_D)

    def embedded(self, units_ND: Floats) -> Floats:
        """rows_NE: the square of the distance of two options without an order is 1."""
        columns = []
        for d, domain in enumerate(self._domains):
            if _num_columns(domain) == 1:
                columns.append(units_ND[:, [d]])
            else:
                assert isinstance(domain, Choice)
                count = len(domain.options)
                index_N = np.minimum((units_ND[:, d] * count).astype(int), count - 1)
                columns.append(np.eye(count)[index_N] / np.sqrt(2))
        return np.concatenate(columns, axis=1)

    def values(self, units_D: Floats) -> dict[str, Any]:
        """A value for every free knob, and the pins."""
        chosen = {
            name: value_at(domain, float(units_D[d]))
            for d, (name, domain) in enumerate(zip(self.names, self._domains, strict=True))
        }
        return chosen | self.pins


def _num_columns(domain: Any) -> int:
    return 1 if is_ordered(domain) else len(domain.options)
