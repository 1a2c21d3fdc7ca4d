"""Rungs that judge by the ends that a ridge regression predicts, in a simulated search.

As `automtl.search.rungs` otherwise. The knobs are all that the spec's space leaves free, as `auto`
sees them (`strategies/points.py`), so nothing is picked by hand. Trials that tune the reference are
judged as they are in the product; constraints are none of these specs'.

Shapes: N trials at a rung, K of them finished, D inputs, E columns of knobs, M objectives,
R singular values, L strengths.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from automtl import pareto
from automtl.config import Objective
from automtl.records import TrialRecord, losses
from automtl.search.distributions import from_label
from automtl.search.rungs import evaluation_at, judge, stop_reason
from automtl.search.sampler import search_space
from automtl.search.strategies.base import Observation
from automtl.search.strategies.points import Points
from automtl.spec.schema import Spec

__all__ = ["Foretelling", "Foretold", "predicted_ends"]

Floats = pareto.Floats

STRENGTHS = np.geomspace(1e-2, 1e3, 26)  # of the ridge, times K


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretelling:
    """Judges by predicted ends once `least` trials have finished, by the rung's own losses before.

    `gain`: what is regressed is the end less what the rung showed, so the stronger the ridge, the
    more the rung's own order stands; else the end itself. `front`: nobody on the front of the
    predicted ends stops.
    """

    gain: bool = True
    least: int = 5
    front: bool = False


class Foretold:
    """In place of `rungs.stop_reason`; a function of the history, but for what is kept of knobs."""

    def __init__(self, spec: Spec, how: Foretelling) -> None:
        self._space, self._how = search_space(spec), how
        self._points = Points(self._space, {}, {})
        self._knobs: dict[int, Floats] = {}

    def stop_reason(
        self,
        history: Iterable[TrialRecord],
        newcomer: TrialRecord,
        *,
        objectives: Sequence[Objective],
        eta: int,
        **options: Any,
    ) -> str:
        trials = tuple(history)
        if newcomer.role == "reference":
            return stop_reason(trials, newcomer, objectives=objectives, eta=eta, **options)
        epochs, table, seen = newcomer.evaluations[-1].epochs, [], []
        for record in trials:
            found = evaluation_at(record, epochs)
            if found is not None and record.in_space and record.state != "failed":
                table.append(record)
                seen.append([found.metrics[one.name] for one in objectives])
        place = [record.number for record in table].index(newcomer.number)
        losses_NM = pareto.to_losses(seen, objectives)
        done = [n for n, record in enumerate(table) if record.state == "complete"]
        if len(done) >= self._how.least:
            end_KM = losses([table[n] for n in done], objectives)
            knobs_NE = np.array([self._knobs_of(record) for record in table])
            losses_NM = predicted_ends(losses_NM, knobs_NE, done, end_KM, gain=self._how.gain)
            if self._how.front and pareto.layers(losses_NM)[place] == 0:
                return ""
        verdict = judge(losses_NM, np.zeros(len(table)), newcomer=place, eta=eta)
        return "" if verdict.goes_on else "stopped by the predicted end"

    def _knobs_of(self, record: TrialRecord) -> Floats:
        if record.number not in self._knobs:
            values = {
                name: from_label(self._space.domains[name], label)
                for name, label in record.params.items()
            }
            seen = Observation(number=record.number, state="running", params=values)
            units_1D = self._points.canonical(self._points.of([seen]))
            self._knobs[record.number] = self._points.embedded(units_1D)[0]
        return self._knobs[record.number]


def predicted_ends(
    rung_NM: Floats, knobs_NE: Floats, done: Sequence[int], end_KM: Floats, *, gain: bool
) -> Floats:
    """losses_NM at the end, of the finished (`done`) too; losses that never change are as they
    are."""
    losses_NM = rung_NM.copy()
    moves = np.flatnonzero((rung_NM[done] != end_KM).any(axis=0))
    inputs_ND = np.hstack([rung_NM[:, moves], knobs_NE])
    for m in moves:
        base_N = rung_NM[:, m] if gain else np.zeros(len(rung_NM))
        losses_NM[:, m] = base_N + ridge(inputs_ND, done, end_KM[:, m] - base_N[done])
    return losses_NM


def ridge(inputs_ND: Floats, done: Sequence[int], target_K: Floats) -> Floats:
    """Predictions for all N by standardised inputs; the strength has the least squared error with
    each of the K left out in turn, in closed form (Allen 1974, PRESS)."""
    known_KD = inputs_ND[done]
    mean_D, scale_D = known_KD.mean(axis=0), known_KD.std(axis=0)
    scale_D = np.where(scale_D > 1e-12, scale_D, np.inf)
    center = target_K.mean()
    u_KR, s_R, v_RD = np.linalg.svd((known_KD - mean_D) / scale_D, full_matrices=False)
    u_KR, s_R, v_RD = u_KR[:, s_R > 1e-9], s_R[s_R > 1e-9], v_RD[s_R > 1e-9]
    shrink_LR = s_R**2 / (s_R**2 + len(done) * STRENGTHS[:, None])
    part_R = u_KR.T @ (target_K - center)
    error_LK = target_K - center - (shrink_LR * part_R) @ u_KR.T
    error_LK /= np.maximum(1 - 1 / len(done) - shrink_LR @ (u_KR.T**2), 1e-9)
    best = int((error_LK**2).sum(axis=1).argmin())
    predicted_N: Floats = center + (inputs_ND - mean_D) / scale_D @ (
        (shrink_LR[best] * part_R / s_R) @ v_RD
    )
    return predicted_N
