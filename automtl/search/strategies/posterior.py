"""Expected hypervolume improvement under Gaussian processes.

One process an objective that training tells, and one a constraint that was broken, over the
flattened space (`points.py`) and the share of the training after which losses were seen, which is a
knob like others to them, but that a candidate's is always 1 (Kandasamy et al. 2017, "Multi-fidelity
Bayesian optimisation with continuous approximations"). So what trials had on their way counts, for
what it says of the end. Lengths and noise are fitted anew when a tenth more trials have ended; a
proposal costs tens of milliseconds. A trial that runs counts as one that came to its expectation
(Ginsbourger et al. 2010, "kriging believer"), so that no two explore the same place. Where it is
known what trainings take, what counts is the improvement for the effort, as a search ends by the
clock (Snoek et al. 2012, "Practical Bayesian Optimization of Machine Learning Algorithms", 3.2).

Shapes: N evaluations, R running trials, F points of a front, C candidates, D knobs, M objectives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr
from threadpoolctl import ThreadpoolController

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
from automtl.search.strategies.expectation import Expectation, Facts, Scale, rows_of
from automtl.search.strategies.improvement import boxes, expected_improvement
from automtl.search.strategies.points import Points
from automtl.search.strategies.process import Hyper, Process, condition, fit

__all__ = ["Posterior"]

Floats = npt.NDArray[np.float64]

MIN_FITTED = 3  # trials that lengths can be fitted to


class Posterior:
    """What Gaussian processes expect of points, from complete trials and from stopped ones; minds
    running ones."""

    def __init__(self, space: SearchSpace, *, seed: int) -> None:
        self._space, self._seed = space, seed
        self._facts = Facts(space.known)
        self._libraries = ThreadpoolController()
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
        with self._libraries.limit(limits=1, user_api="blas"):
            best_CD = self._best(points, history, number)
        for units_D in best_CD:
            yield partial(look_up, points.values(units_D))

    def _best(self, points: Points, history: Sequence[Observation], number: int) -> Floats:
        """units_CD, the best candidate first."""
        data, first = learnable(history), learnable(prefix(history))
        expected = self._expectation(points, first, data)
        complete = [one for one in history if one.state == "complete" and one.losses is not None]
        good = [one for one in complete if one.is_feasible] or complete
        seen_NM = np.minimum(np.array([one.losses for one in good]), data.ceiling_M)
        seen_NM = expected.scale.apply(seen_NM)
        front = np.flatnonzero(pareto.pareto_front(seen_NM))
        running = [one for one in history if one.state == "running"]
        if running:
            expected, believed_MR = expected.believing(points.of(running))
            seen_NM = np.vstack([seen_NM, believed_MR.T])
        low_KM, high_KM = boxes(seen_NM, reference(seen_NM, number))
        limits = list(self._limits(points, first, data))

        def score(units_CD: Floats) -> Floats:
            units_CD = points.canonical(units_CD)
            mean_MC, std_MC, effort_C = expected(units_CD)
            gain_C = expected_improvement(mean_MC, std_MC, low_KM, high_KM)
            for limit, zero in limits:
                mean_1C, std_1C = limit(rows_of(points, units_CD))
                gain_C *= ndtr((zero - mean_1C[0]) / std_1C[0])
            return gain_C / effort_C

        return best_candidates(
            points,
            score,
            parents_FD=points.of([good[i] for i in front]),
            tried_ND=points.of(history),
            random=generator(self._seed, number),
        )

    def _expectation(self, points: Points, first: Dataset, data: Dataset) -> Expectation:
        learnt = [m for m in range(data.losses_NM.shape[1]) if m not in self._facts.objectives]
        return Expectation(
            points=points,
            process=self._process("", points, first.of(learnt), data.of(learnt)),
            learnt=learnt,
            facts=self._facts,
            scale=Scale(data.losses_NM),
            ceiling_M=data.ceiling_M,
        )

    def _limits(
        self, points: Points, first: Dataset, data: Dataset
    ) -> Iterator[tuple[Process, float]]:
        """A process for each constraint that was broken, and its scaled 0, where it holds."""
        for name in sorted({n for one in data.trials for n, v in one.violations.items() if v > 0}):
            known, fitted = violations(data, name), violations(first, name)
            if len(fitted.trials) < MIN_FITTED:
                fitted = known
            zero_11 = Scale(known.losses_NM).apply(np.zeros((1, 1)))
            yield self._process(name, points, fitted, known), float(zero_11[0, 0])

    def _process(self, name: str, points: Points, first: Dataset, data: Dataset) -> Process:
        """What `data` says, with lengths and noise fitted to `first`."""
        key = [(one.number, one.state) for one in first.trials]
        # the share of the training is the last knob
        knob_E = np.append(points.knob_E, len(points.names))
        if self._fits.get(name, (None, None))[0] != key:
            rows_NE = rows_of(points, points.of(first.trials), first.share_N)
            self._fits[name] = key, fit(rows_NE, knob_E, _targets(first))
        rows_NE = rows_of(points, points.of(data.trials), data.share_N)
        return condition(self._fits[name][1], rows_NE, knob_E, _targets(data))


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


def _targets(data: Dataset) -> Floats:
    """target_MN, scaled."""
    return np.ascontiguousarray(Scale(data.losses_NM).apply(data.losses_NM).T)
