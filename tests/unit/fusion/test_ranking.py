"""The metrics of an order, and their intervals, against plain loops."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automtl.analysis.estimates import estimate
from automtl.errors import ScoreError
from automtl.fusion.intervals import lead, mean_interval, metric_interval
from automtl.fusion.ranking import Judge, Metric, Truth, parse_metric


def make_truth(seed, num_rows=60, num_groups=9, rate=0.3, *, grouped=True):
    rng = np.random.default_rng(seed)
    happened_N = rng.random(num_rows) < rate
    happened_N[:2] = True, False
    groups_N = np.concatenate([np.arange(num_groups), rng.integers(num_groups, size=num_rows)])
    return Truth(
        happened_N=happened_N,
        worth_N=happened_N * rng.uniform(1, 9, num_rows),
        groups_N=groups_N[:num_rows].astype(np.int64) if grouped else None,
    )


def lists(truth, scores_N):
    """Of each group, its rows, highest score first; no ties."""
    for group in range(truth.num_groups):
        rows = [row for row in range(len(truth)) if truth.groups_N[row] == group]
        yield sorted(rows, key=lambda row: -scores_N[row])


seeds = st.integers(0, 10_000)
kinds = st.sampled_from(["auc", "ndcg", "value"])


@given(seeds)
def test_an_auc_is_the_share_of_pairs_in_order(seed):
    truth = make_truth(seed, grouped=False)
    scores_N = np.random.default_rng(seed).integers(0, 5, len(truth)).astype(float)
    scores_N[scores_N == 0] = -np.inf  # the logarithm of a score of 0
    won = num_pairs = 0.0
    for i in range(len(truth)):
        for j in range(len(truth)):
            if truth.happened_N[i] and not truth.happened_N[j]:
                num_pairs += 1
                won += (scores_N[i] > scores_N[j]) + 0.5 * (scores_N[i] == scores_N[j])
    assert Judge(Metric(kind="auc"), truth)(scores_N) == pytest.approx(won / num_pairs, abs=1e-12)


@given(seeds, st.integers(1, 12))
def test_ndcg_is_the_mean_over_the_lists_with_an_event(seed, k):
    truth = make_truth(seed)
    scores_N = np.random.default_rng(seed + 1).normal(size=len(truth))
    expected = []
    for rows in lists(truth, scores_N):
        events = [bool(truth.happened_N[row]) for row in rows]
        if any(events):
            ideal = sorted(events, reverse=True)
            won, best = (
                sum(event / math.log2(place + 2) for place, event in enumerate(one[:k]))
                for one in (events, ideal)
            )
            expected.append(won / best)
    judge = Judge(Metric(kind="ndcg", k=k), truth)
    assert judge(scores_N) == pytest.approx(np.mean(expected))
    assert judge.by_group(scores_N) == pytest.approx(expected)
    assert judge.num_left_out == truth.num_groups - len(expected)


@given(seeds, st.integers(1, 12))
def test_value_is_the_mean_worth_of_the_first_k_of_all_lists(seed, k):
    truth = make_truth(seed)
    scores_N = np.random.default_rng(seed + 1).normal(size=len(truth))
    expected = [sum(truth.worth_N[row] for row in rows[:k]) for rows in lists(truth, scores_N)]
    judge = Judge(Metric(kind="value", k=k), truth)
    assert judge(scores_N) == pytest.approx(np.mean(expected))
    assert judge.num_left_out == 0


@given(seeds, kinds, st.floats(0.1, 10))
def test_only_the_order_counts(seed, kind, power):
    judge = Judge(Metric(kind=kind, k=3), make_truth(seed))
    scores_N = np.random.default_rng(seed).uniform(0.1, 1, 60)
    assert judge(scores_N) == judge(5 * scores_N**power)


def test_equal_scores_stand_in_one_random_order_whatever_the_order_of_the_rows_says():
    """Rows with the event first, all scores equal: the file's order must not help."""
    num_groups, per_group = 2000, 10
    truth = Truth(
        happened_N=np.tile(np.arange(per_group) < 1, num_groups),
        worth_N=np.tile((np.arange(per_group) < 1) * 1.0, num_groups),
        groups_N=np.repeat(np.arange(num_groups), per_group),
    )
    judge = Judge(Metric(kind="value", k=1), truth)
    flat_N = np.zeros(len(truth))
    assert judge(flat_N) == pytest.approx(1 / per_group, abs=0.03)
    assert judge(flat_N) == Judge(Metric(kind="value", k=1), truth)(flat_N)
    assert judge(flat_N) != Judge(Metric(kind="value", k=1), truth, seed=1)(flat_N)


def test_some_rows_keep_their_groups():
    truth = make_truth(3)
    some = truth.of(np.flatnonzero(np.isin(truth.groups_N, [2, 5])))
    assert some.num_groups == 2
    assert some.happened_N.sum() == truth.happened_N[np.isin(truth.groups_N, [2, 5])].sum()
    assert len(some.of(np.arange(3))) == 3


def test_a_metric_is_named():
    for name in ("auc", "ndcg@10", "value@1"):
        assert str(parse_metric(name)) == name
    for name in ("ndcg", "ndcg@0", "map@3", "auc@3", "value@-1", "ndcg@1000000000"):
        with pytest.raises(ScoreError, match="choices: auc, ndcg@10, value@10"):
            parse_metric(name)


@pytest.mark.parametrize("kind", ["auc", "ndcg"])
def test_a_metric_needs_events(kind):
    truth = Truth(happened_N=np.zeros(4, bool), worth_N=np.zeros(4), groups_N=np.arange(4))
    with pytest.raises(ScoreError, match="happened in 0 of 4 rows"):
        Judge(Metric(kind=kind, k=2), truth)


# ---- intervals -----------------------------------------------------------------------------


def test_the_interval_of_a_mean_covers_it_as_often_as_it_says():
    rng = np.random.default_rng(0)
    found = [mean_interval(rng.exponential(size=80), num_resamples=300) for _ in range(300)]
    assert 0.89 <= np.mean([one.low <= 1 <= one.high for one in found]) <= 0.97
    assert found[0].standard_error == pytest.approx(1 / math.sqrt(80), rel=0.4)


@pytest.mark.parametrize("grouped", [False, True])
def test_an_auc_has_the_interval_of_the_report(grouped):
    truth = make_truth(1, 400, 50, grouped=grouped)
    scores_N = np.random.default_rng(1).normal(size=400) + truth.happened_N
    scores_N[5] = -np.inf
    found = metric_interval(Judge(Metric(kind="auc"), truth), scores_N)
    finite_N = np.where(np.isinf(scores_N), scores_N[np.isfinite(scores_N)].min() - 1, scores_N)
    plain = estimate(
        "auc", labels_J=truth.happened_N, scores_SJ=finite_N[None], groups_J=truth.groups_N
    )
    assert plain is not None
    assert found == plain.rows


def test_too_few_rows_or_groups_have_no_interval():
    scores_N = np.arange(4.0)
    one_event = Truth(happened_N=scores_N == 2, worth_N=np.ones(4))
    one_group = Truth(happened_N=scores_N > 1, worth_N=np.ones(4), groups_N=np.zeros(4, dtype=int))
    for truth in (one_event, one_group):
        judge = Judge(Metric(kind="auc"), truth)
        with pytest.raises(ValueError, match="two groups or rows with the event, and two without"):
            metric_interval(judge, scores_N)
        with pytest.raises(ValueError, match="it takes two groups or rows"):
            lead(judge, scores_N, -scores_N)


@settings(max_examples=10)
@given(seeds, kinds)
def test_nothing_leads_itself_and_a_lead_turns_around(seed, kind):
    judge = Judge(Metric(kind=kind, k=3), make_truth(seed))
    rng = np.random.default_rng(seed)
    one_N, other_N = rng.normal(size=(2, 60))
    same, ahead, behind = (
        lead(judge, *pair) for pair in [(one_N, one_N), (one_N, other_N), (other_N, one_N)]
    )
    assert (same.estimate, same.low, same.high) == (0, 0, 0)
    assert ahead.estimate == pytest.approx(judge(one_N) - judge(other_N))
    assert (ahead.low, ahead.high) == pytest.approx((-behind.high, -behind.low), abs=1e-9)
