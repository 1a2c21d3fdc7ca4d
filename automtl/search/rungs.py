"""Who goes on at a rung: several objectives, any order of arrival, nothing remembered.

A rung is a number of training examples. Whoever reaches it is compared with all who reached it
before, by the losses they had there: asynchronous successive halving (Li et al., MLSys 2020), in
the variant that stops, with ranks for several objectives in place of one metric's order. A trial
that went on is never called back, so a decision once made stands.

Optuna's pruners take one objective, and so does Ray's ASHA. Syne Tune's MOASHA (Schmucker et al.
2021) takes several; ours differs in breaking ties within a layer by hypervolume contribution.

Shapes: N trials at a rung, M objectives.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from automtl import pareto
from automtl.config import Constraint, Evaluation, Objective
from automtl.records import TrialRecord, task_objectives

__all__ = ["Verdict", "evaluation_at", "judge", "ranks", "stop_reason"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`rank` counts from 1; the best `quota` of `num_trials` go on."""

    goes_on: bool
    rank: int
    quota: int
    num_trials: int


def stop_reason(
    history: Iterable[TrialRecord],
    newcomer: TrialRecord,
    *,
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint],
    eta: int,
) -> str:
    """Why `newcomer` stops at the rung that its last evaluation has reached; "" if it goes on.

    The table is of all trials in the space that came here, stopped ones and baselines included,
    but for those that failed. One that tunes the reference is compared with its like alone, by the
    tasks' objectives, as the reference is chosen. A trial that starts again after a kill is not
    judged where it had passed before.
    """
    rung = newcomer.evaluations[-1]
    tunes_reference = newcomer.role == "reference"
    if tunes_reference:
        objectives = task_objectives(objectives) or objectives

    def is_rival(record: TrialRecord) -> bool:
        return record.role == "reference" if tunes_reference else record.in_space

    table: list[Evaluation] = []
    for record in history:
        found = evaluation_at(record, rung.epochs)
        if record.state == "interrupted":
            if found is not None and record.origin == newcomer.origin:
                return ""
        elif record.number == newcomer.number:
            place = len(table)
            table.append(rung)
        elif found is not None and record.state != "failed" and is_rival(record):
            table.append(found)
    names = [objective.name for objective in objectives]
    verdict = judge(
        pareto.to_losses([[one.metrics[name] for name in names] for one in table], objectives),
        np.array([_violation(one.metrics, constraints) for one in table]),
        newcomer=place,
        eta=eta,
    )
    if verdict.goes_on:
        return ""
    return (
        f"stopped after {rung.epochs:.3g} epochs: rank {verdict.rank} of {verdict.num_trials}, "
        f"the best {verdict.quota} go on"
    )


def evaluation_at(record: TrialRecord, epochs: float) -> Evaluation | None:
    """What a trial's evaluation at a rung saw, if it came there."""
    return next(
        (one for one in record.evaluations if math.isclose(one.epochs, epochs, rel_tol=1e-9)), None
    )


def _violation(metrics: Mapping[str, float], constraints: Sequence[Constraint]) -> float:
    """How far all constraints together are broken, each in units of its bound."""
    return sum(
        max(0.0, constraint.violation(metrics)) / (abs(constraint.bound) or 1.0)
        for constraint in constraints
    )


def judge(
    losses_NM: pareto.Floats, violation_N: pareto.Floats, *, newcomer: int, eta: int
) -> Verdict:
    """Whether trial `newcomer` of a rung's table goes on: it must be among the top ceil(N / eta).

    `losses_NM` are what all trials of the table had at this rung, static objectives (params)
    included; `violation_N` is how far each breaks the constraints in all, 0 if it does not.
    """
    rank_N = ranks(losses_NM, violation_N, of=newcomer)
    quota = math.ceil(len(rank_N) / eta)
    return Verdict(
        goes_on=bool(rank_N[newcomer] < quota),
        rank=int(rank_N[newcomer]) + 1,
        quota=quota,
        num_trials=len(rank_N),
    )


def ranks(losses_NM: pareto.Floats, violation_N: pareto.Floats, *, of: int | None = None) -> Ints:
    """rank_N: how many trials are strictly better; a function of the values, not of their order.

    First the feasible by non-dominated layer, within a layer by hypervolume contribution, then the
    infeasible by violation. What is still equal goes by the losses themselves, first objective
    first; trials equal in everything share the better rank. With `of` only the rank of that
    trial is right: the other layers are not ordered within, which is most of the work.
    """
    feasible_N = violation_N <= 0
    layer_N = np.full(len(losses_NM), len(losses_NM), dtype=np.int64)
    layer_N[feasible_N] = pareto.layers(losses_NM[feasible_N])
    contribution_N = np.zeros(len(losses_NM))
    for layer in np.unique(layer_N[feasible_N] if of is None else layer_N[of]):
        members_N = feasible_N & (layer_N == layer)
        contribution_N[members_N] = pareto.contributions(losses_NM[members_N])
    keys = np.column_stack(
        [layer_N, np.maximum(violation_N, 0.0), -contribution_N, losses_NM]
    )  # compared from left to right
    _, group_N, size_G = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    better_G = np.concatenate([[0], np.cumsum(size_G)[:-1]])
    rank_N: Ints = better_G[group_N.reshape(-1)]
    return rank_N
