"""Expected hypervolume improvement under Gaussian processes.

One process an objective, and one a constraint that was broken, over the flattened space
(`points.py`) and the share of the training after which losses were seen, which is a knob like
others to them, but that a candidate's is always 1 (Kandasamy et al. 2017, "Multi-fidelity Bayesian
optimisation with continuous approximations"). So what trials had on their way counts, for what it
says of the end. Lengths and noise are fitted anew when a tenth more trials have ended; a proposal
costs tens of milliseconds. A trial that runs counts as one that came to its expectation
(Ginsbourger et al. 2010, "kriging believer"), so that no two explore the same place.

Shapes: N evaluations, R running trials, F points of a front, C candidates, D knobs, E columns of
the embedding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from automtl import pareto
from automtl.search.strategies.base import (
    Choose,
    Observation,
    SearchSpace,
    generator,
    look_up,
)
from automtl.search.strategies.candidates import best_candidates
from automtl.search.strategies.dataset import Dataset, learnable, prefix, violations
from automtl.search.strategies.improvement import boxes, expected_improvement
from automtl.search.strategies.points import Points
from automtl.search.strategies.process import Hyper, Process, condition, fit
from automtl.threads import single_threaded

__all__ = ["Posterior"]

Floats = npt.NDArray[np.float64]

MIN_FITTED = 3  # trials that lengths can be fitted to
UNIT_SHARE = 1 / 27  # of the training: this and its end are as far apart as the ends of a knob


class Posterior:
    """What Gaussian processes expect of points, from complete trials and from stopped ones; minds
    running ones."""

    def __init__(self, space: SearchSpace, *, seed: int) -> None:
        self._space, self._seed = space, seed
        self._places: dict[int, Floats] = {}
        self._fits: dict[str, tuple[Any, Hyper]] = {}  # the last of each name, and what it is of

    def best(
        self, history: Sequence[Observation], *, number: int, pins: Mapping[str, Any]
    ) -> Iterator[Choose]:
        """The candidates for trial `number`, the best first."""
        points = Points(self._space, pins, self._places)
        if not points.is_free_D.any():
            return
        # trials train on all cores meanwhile, and threads that share a small product wait for
        # each other there: three times as long, with two threads on two busy cores
        with single_threaded():
            best_CD = self._best(points, history, number)
        for units_D in best_CD:
            yield partial(look_up, points.values(units_D))

    def _best(self, points: Points, history: Sequence[Observation], number: int) -> Floats:
        """units_CD, the best candidate first."""
        data, first = learnable(history), learnable(prefix(history))
        scale = _Scale(data.losses_NM)
        model = self._process("", points, first, data)
        complete = [one for one in history if one.state == "complete" and one.losses is not None]
        good = [one for one in complete if one.is_feasible] or complete
        seen_NM = np.minimum(np.array([one.losses for one in good]), data.ceiling_M)
        seen_NM = scale.apply(seen_NM)
        front = np.flatnonzero(pareto.pareto_front(seen_NM))
        running = [one for one in history if one.state == "running"]
        if running:
            running_RE = _rows(points, points.of(running))
            believed_MR, _ = model(running_RE)
            model = model.given(running_RE, believed_MR)
            seen_NM = np.vstack([seen_NM, believed_MR.T.numpy()])
        low_KM, high_KM = map(_tensor, boxes(seen_NM, reference(seen_NM, number)))
        limits = []
        for name in sorted({n for one in data.trials for n, v in one.violations.items() if v > 0}):
            known, fitted = violations(data, name), violations(first, name)
            if len(fitted.trials) < MIN_FITTED:
                fitted = known
            zero = _Scale(known.losses_NM).apply(np.zeros((1, 1)))[0, 0]
            limits.append((self._process(name, points, fitted, known), zero))

        def score(units_CD: Floats) -> Floats:
            rows_CE = _rows(points, points.canonical(units_CD))
            gain_C = expected_improvement(*model(rows_CE), low_KM, high_KM)
            for limit, zero in limits:
                mean_1C, std_1C = limit(rows_CE)
                gain_C = gain_C * torch.special.ndtr((zero - mean_1C[0]) / std_1C[0])
            result: Floats = gain_C.numpy()
            return result

        return best_candidates(
            points,
            score,
            parents_FD=points.of([good[i] for i in front]),
            tried_ND=points.of(history),
            random=generator(self._seed, number),
        )

    def _process(self, name: str, points: Points, first: Dataset, data: Dataset) -> Process:
        """What `data` says, with lengths and noise fitted to `first`."""
        key = [(one.number, one.state) for one in first.trials]
        # the share of the training is the last knob
        knob_E = torch.cat([points.knob_E, torch.tensor([len(points.names)])])
        if self._fits.get(name, (None, None))[0] != key:
            rows_NE = _rows(points, points.of(first.trials), first.share_N)
            self._fits[name] = key, fit(rows_NE, knob_E, _targets(first))
        rows_NE = _rows(points, points.of(data.trials), data.share_N)
        return condition(self._fits[name][1], rows_NE, knob_E, _targets(data))


class _Scale:
    """To mean 0 and variance 1, an objective at a time."""

    def __init__(self, values_NM: Floats) -> None:
        spread_M = values_NM.std(axis=0)
        self.mean_M = values_NM.mean(axis=0)
        self.spread_M = np.where(spread_M > 0, spread_M, 1.0)

    def apply(self, values_NM: Floats) -> Floats:
        scaled_NM: Floats = (values_NM - self.mean_M) / self.spread_M
        return scaled_NM


def _rows(points: Points, units_ND: Floats, share_N: Floats | None = None) -> Tensor:
    """rows_NE: where points lie, and how far they are trained (None: to the end) by the logarithm:
    0 at the end and 1 at `UNIT_SHARE`."""
    share_N = np.ones(len(units_ND)) if share_N is None else share_N
    trained_N1 = np.log(share_N)[:, None] / math.log(UNIT_SHARE)
    return _tensor(np.hstack([points.embedded(units_ND), trained_N1]))


def reference(losses_NM: Floats, number: int) -> Floats:
    """ref_M, up to which a candidate's volume counts: of every second trial the front's nadir
    (`pareto.reference_point`), else what is worse than all that was seen.

    With the nadir alone a young and narrow front is never widened; with the worst alone too many
    trials go to its ends.
    """
    if number % 2:
        return pareto.reference_point(losses_NM)
    ref_M: Floats = losses_NM.max(axis=0) + 0.1 * np.maximum(np.ptp(losses_NM, axis=0), 1e-9)
    return ref_M


def _targets(data: Dataset) -> Tensor:
    """target_MN, scaled."""
    return _tensor(_Scale(data.losses_NM).apply(data.losses_NM).T)


def _tensor(values: Floats) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values))
