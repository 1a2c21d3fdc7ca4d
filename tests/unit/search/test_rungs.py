"""Who goes on at a rung, by example."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from support.study import make_record, make_spec

from automtl.config import Constraint, Evaluation
from automtl.search.rungs import Verdict, judge, ranks, stop_reason

NOTHING_BROKEN = np.zeros(6)
SPEC = make_spec(objectives=("click.auc", "params"), constraints=())


def test_first_by_layer_then_by_what_the_front_would_miss() -> None:
    losses = np.array([[0, 4], [1, 1], [1.1, 0.9], [4, 0], [2, 2], [5, 5.0]])
    rank_N = ranks(losses, NOTHING_BROKEN)
    assert set(rank_N[:4].tolist()) == {0, 1, 2, 3}, "the front"
    assert rank_N[4:].tolist() == [4, 5]
    assert rank_N[1] > rank_N[0], "close to another, so little is lost without it"


def test_equal_trials_share_a_rank_and_their_fate() -> None:
    losses = np.array([[1, 2], [1, 2], [2, 1], [3, 3], [3, 3], [4, 4.0]])
    rank_N = ranks(losses, NOTHING_BROKEN)
    assert rank_N[0] == rank_N[1]
    assert rank_N[3] == rank_N[4] == 3
    assert rank_N[5] == 5


def test_one_objective_is_plain_successive_halving() -> None:
    losses = np.array([[0.3], [0.1], [0.2], [0.5], [0.4], [0.6]])
    assert ranks(losses, NOTHING_BROKEN).tolist() == [2, 0, 1, 4, 3, 5]
    verdict = judge(losses, NOTHING_BROKEN, newcomer=0, eta=3)
    assert verdict == Verdict(goes_on=False, rank=3, quota=2, num_trials=6)


def test_the_first_at_a_rung_goes_on() -> None:
    assert judge(np.array([[1.0, 1.0]]), np.zeros(1), newcomer=0, eta=3).goes_on


def trial(number: int, auc: float, params: float, **changes: object) -> object:
    record = make_record(number, state="running", **changes)  # type: ignore[arg-type]
    metrics = {"click.auc": auc, "params": params}
    seen = Evaluation(epochs=1 / 9, examples=100, wall_s=1, metrics=metrics)
    return dataclasses.replace(record, evaluations=(seen,))


def reason(*history: object, newcomer: int, constraints: tuple[Constraint, ...] = ()) -> str:
    return stop_reason(
        history,  # type: ignore[arg-type]
        next(r for r in history if r.number == newcomer),  # type: ignore[attr-defined]
        objectives=SPEC.objective_list(),
        constraints=constraints,
        eta=3,
    )


GOOD, FAIR, POOR = (0, 0.8, 1e5), (1, 0.7, 1e6), (2, 0.6, 1e7)


def test_the_reason_has_the_figures() -> None:
    trials = [trial(*GOOD), trial(*FAIR), trial(*POOR)]
    assert reason(*trials, newcomer=0) == ""
    assert reason(*trials, newcomer=2) == (
        "stopped after 0.111 epochs: rank 3 of 3, the best 1 go on"
    )


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({"state": "pruned"}, True),
        ({"role": "baseline", "in_space": True}, True),
        ({"role": "reference", "in_space": False}, False),
        ({"state": "failed"}, False),
        ({"state": "interrupted"}, False),
    ],
)
def test_who_a_newcomer_is_compared_with(changes: dict[str, object], counts: bool) -> None:
    better = dataclasses.replace(trial(*GOOD), **changes)  # type: ignore[type-var]
    assert bool(reason(better, trial(*POOR), newcomer=2)) == counts


def test_who_tunes_the_reference_is_compared_with_its_like_by_the_tasks_alone() -> None:
    def reference(*values: float) -> object:
        return dataclasses.replace(
            trial(*values),  # type: ignore[type-var]
            role="reference",
            in_space=False,
        )

    newcomer = reference(*FAIR)
    smaller = reference(2, 0.6, 1e4)  # worse in every task: its size does not save it
    assert reason(smaller, newcomer, newcomer=1) == ""
    better = reference(2, 0.8, 1e9)
    assert "rank 2 of 2" in reason(better, newcomer, newcomer=1)
    assert reason(trial(*GOOD), newcomer, newcomer=1) == "", "others do not count"


def test_only_trials_at_the_same_rung_are_compared() -> None:
    better = trial(*GOOD)
    further = dataclasses.replace(better.evaluations[0], epochs=1 / 3)  # type: ignore[attr-defined]
    elsewhere = dataclasses.replace(better, evaluations=(further,))  # type: ignore[type-var]
    assert reason(elsewhere, trial(*POOR), newcomer=2) == ""


def test_who_breaks_a_constraint_is_ranked_last() -> None:
    limit = Constraint(name="params", op=">=", bound=1.5e5)
    trials = [trial(*GOOD), trial(*FAIR), trial(*POOR)]
    assert reason(*trials, newcomer=0) == ""
    assert "rank 3 of 3" in reason(*trials, newcomer=0, constraints=(limit,))
