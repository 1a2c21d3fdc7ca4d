"""Trainings that are looked up: a regression over recorded curves answers for any configuration.

Shapes: N curves, D features of a configuration, P recorded rungs, M task metrics, Q numbers that
make a curve: M P validation metrics, M test metrics, the logarithm of its seconds.
"""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from curves import Curve, Point
from repeats import Floats
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.preprocessing import StandardScaler

from automtl import pareto
from automtl.config import (
    Evaluation,
    FeatureSchema,
    Objective,
    TaskSchema,
    TrialConfig,
    to_jsonable,
)
from automtl.models.cost import costs
from automtl.search.assignment import Assignment
from automtl.search.home import HERE, Home
from automtl.search.sampler import Proposal
from automtl.training.fit import evaluation_epochs

__all__ = ["Answer", "Expected", "Surrogate", "SurrogateJob"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One configuration's whole curve; `valid_PM` in native units, `trained_P` in seconds."""

    valid_PM: Floats
    test_M: Floats
    trained_P: Floats
    costs: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What may come of C configurations at their end, as losses: the expectation with each of R
    residuals; and how long they are expected to take, the evaluation at the end included."""

    losses_RCM: Floats
    seconds_C: Floats


class Surrogate:
    """A mean by Gaussian processes, and on top one curve's residuals, out of fold and whole (so
    rungs, tasks and splits err together), drawn by the configuration: asked again it answers the
    same.

    `r2` says how much of the variance at the end the mean explains out of fold.
    """

    def __init__(
        self,
        curves: Sequence[Curve],
        objectives: Sequence[Objective],
        features: FeatureSchema,
        tasks: tuple[TaskSchema, ...],
    ) -> None:
        self._features, self._tasks = features, tasks
        self._objectives = objectives
        self.metrics = [one.name for one in objectives if one.task is not None]
        self.shares = np.array([point.share for point in curves[0].points])
        self.evaluation_s = float(np.median([curve.evaluation_s for curve in curves]))
        rows = [self._row(curve.config) for curve in curves]
        self._names = sorted({name for row in rows for name in row})
        x_ND, y_NQ = self._matrix(rows), np.array([self._targets(curve) for curve in curves])
        self._scale_Q = y_NQ.std(axis=0)
        scaled_NQ = y_NQ / self._scale_Q
        self._scaler = StandardScaler().fit(x_ND)
        x_ND = self._scaler.transform(x_ND)
        with warnings.catch_warnings():  # a part of the kernel may come out as nothing
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._models = [_regression(KERNEL).fit(x_ND, y_N) for y_N in scaled_NQ.T]
        folds = KFold(10, shuffle=True, random_state=0)
        self._residual_NQ = scaled_NQ - np.column_stack(
            [
                cross_val_predict(_regression(model.kernel_, optimizer=None), x_ND, y_N, cv=folds)
                for model, y_N in zip(self._models, scaled_NQ.T, strict=True)
            ]
        )
        explained_Q = 1 - self._residual_NQ.var(axis=0)
        valid_PM = explained_Q[: self._num_valid].reshape(len(self.shares), -1)
        self.r2 = dict(zip(self.metrics, valid_PM[-1].tolist(), strict=True))
        self.r2["seconds"] = float(explained_Q[-1])
        self._known: dict[str, Answer] = {}

    @property
    def _num_valid(self) -> int:
        return len(self.shares) * len(self.metrics)

    def answer(self, config: TrialConfig) -> Answer:
        key = json.dumps(to_jsonable(config), sort_keys=True)
        if key not in self._known:
            self._known[key] = self._answer(key, config)
        return self._known[key]

    def values(self, config: TrialConfig, *, on_test: bool = False) -> list[float]:
        """The objectives at the end, on VALIDATION or on TEST rows."""
        answer = self.answer(config)
        metrics_M = answer.test_M if on_test else answer.valid_PM[-1]
        known = dict(zip(self.metrics, metrics_M.tolist(), strict=True)) | dict(answer.costs)
        return [known[one.name] for one in self._objectives]

    def seconds(self, config: TrialConfig) -> float:
        """How long it takes until it has been evaluated at its end and nowhere else."""
        return float(self.answer(config).trained_P[-1]) + self.evaluation_s

    def expected(
        self, configs: Sequence[TrialConfig], *, num_residuals: int, random: np.random.Generator
    ) -> Expected:
        """What a search may know that knows this surrogate, but not which residual is drawn."""
        mean_CQ = self._means(configs)
        drawn_RQ = random.choice(self._residual_NQ, num_residuals, replace=False)
        y_RCQ = (mean_CQ + drawn_RQ[:, None, :]) * self._scale_Q
        ends = range(self._num_valid - len(self.metrics), self._num_valid)
        known = {name: y_RCQ[:, :, q] for name, q in zip(self.metrics, ends, strict=True)}
        sizes = [costs(one.model, self._features, self._tasks) for one in configs]
        for one in self._objectives:
            if one.name not in known:
                size_C = np.array([size[one.name] for size in sizes])
                known[one.name] = np.broadcast_to(size_C, y_RCQ.shape[:2])
        values_RCM = np.stack([known[one.name] for one in self._objectives], axis=-1)
        return Expected(
            losses_RCM=np.stack([pareto.to_losses(one, self._objectives) for one in values_RCM]),
            seconds_C=np.exp(mean_CQ[:, -1] * self._scale_Q[-1]) + self.evaluation_s,
        )

    def curve(self, number: int, proposal: Proposal) -> Curve:
        """What would have been recorded of it."""
        answer = self.answer(proposal.config)
        return Curve(
            number=number,
            seed=0,
            params=proposal.params,
            config=proposal.config,
            points=tuple(
                Point(
                    share=float(share),
                    cpu_s=float(trained_s) + (rung + 1) * self.evaluation_s,
                    wall_s=0.0,
                    metrics=dict(zip(self.metrics, valid_M, strict=True)) | dict(answer.costs),
                )
                for rung, (share, trained_s, valid_M) in enumerate(
                    zip(self.shares, answer.trained_P, answer.valid_PM.tolist(), strict=True)
                )
            ),
            evaluation_s=self.evaluation_s,
            test=dict(zip(self.metrics, answer.test_M.tolist(), strict=True)) | dict(answer.costs),
        )

    def _answer(self, key: str, config: TrialConfig) -> Answer:
        digest = hashlib.sha256(key.encode()).digest()
        residual_Q = self._residual_NQ[int.from_bytes(digest[:8]) % len(self._residual_NQ)]
        y_Q = (self._means([config])[0] + residual_Q) * self._scale_Q
        count, valid = len(self.metrics), self._num_valid
        return Answer(
            valid_PM=y_Q[:valid].reshape(len(self.shares), count),
            test_M=y_Q[valid : valid + count],
            trained_P=math.exp(y_Q[-1]) * self.shares,
            costs=costs(config.model, self._features, self._tasks),
        )

    def _means(self, configs: Sequence[TrialConfig]) -> Floats:
        """mean_CQ, scaled."""
        x_CD = self._scaler.transform(self._matrix([self._row(config) for config in configs]))
        return np.column_stack([model.predict(x_CD) for model in self._models])

    def _targets(self, curve: Curve) -> list[float]:
        points = [*(point.metrics for point in curve.points), curve.test]
        trained_s = curve.points[-1].cpu_s - len(curve.points) * curve.evaluation_s
        return [*(point[name] for point in points for name in self.metrics), math.log(trained_s)]

    def _row(self, config: TrialConfig) -> dict[str, float]:
        """Knobs as numbers: categories as indicators, rates and costs as logarithms."""
        model, train = config.model, config.train
        size = costs(model, self._features, self._tasks)
        return {
            f"family={model.family}": 1.0,
            f"dependency={model.dependency}": 1.0,
            f"weighting={train.weighting}": 1.0,
            "embedding_dim": math.log(model.embedding_dim),
            "shared_experts": model.num_shared_experts,
            "task_experts": model.num_task_experts,
            "expert_depth": len(model.expert_dims),
            "expert_width": math.log(model.expert_dims[0]),
            "tower_depth": len(model.tower_dims),
            "dropout": model.dropout,
            "lr": math.log(train.lr),
            "embedding_lr": math.log(train.embedding_lr),
            **{f"weight {name}": math.log(value) for name, value in train.loss_weights.items()},
            "params": math.log(size["params"]),
            "flops": math.log(size["flops"]),
        }

    def _matrix(self, rows: Sequence[Mapping[str, float]]) -> Floats:
        return np.array([[row.get(name, 0.0) for name in self._names] for row in rows])


# linear in the features and a little more: best out of fold of what was tried on 40 to 60 curves
# (ridge, ExtraTrees, Matérn)
KERNEL = ConstantKernel() * DotProduct() + ConstantKernel() * RBF(5.0) + WhiteKernel(0.3)
_regression = partial(GaussianProcessRegressor, normalize_y=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SurrogateJob:
    """A `Job`: evaluations at `rungs` (epochs) and the end, linear in log(epochs) in between."""

    surrogate: Surrogate
    rungs: tuple[float, ...] = ()

    def run(self, assignment: Assignment, home: Home = HERE) -> Iterator[Evaluation]:
        epochs = assignment.config.train.epochs
        answer = self.surrogate.answer(assignment.config)
        known_P = np.log(self.surrogate.shares)
        trained_P = answer.trained_P
        for number, at in enumerate(evaluation_epochs(epochs, self.rungs)):
            share = math.log(at / epochs)
            metrics = {
                name: float(np.interp(share, known_P, curve_P))
                for name, curve_P in zip(self.surrogate.metrics, answer.valid_PM.T, strict=True)
            }
            trained_s = float(np.interp(at / epochs, self.surrogate.shares, trained_P))
            yield Evaluation(
                epochs=at,
                examples=int(at * 1e6),
                wall_s=trained_s + (number + 1) * self.surrogate.evaluation_s,
                metrics=metrics | answer.costs,
            )
