"""The search finds what is known to be best, and says the same every time."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automtl.fusion.evaluate import Evaluator
from automtl.fusion.parse import parse
from automtl.fusion.ranking import Judge, Metric, Truth
from automtl.fusion.search import search, three_digits


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1.9, 1.9), min_size=1, max_size=3), st.floats(0, 0.9))
def test_a_known_peak_is_found_in_a_slanted_valley_too(peak_D, slant):
    """Parameters within 15 % of the best, or worth as much to a thousandth."""
    peak = dict(zip("abc", peak_D, strict=False))

    def height(parameters):
        off = [math.log(parameters[name]) - peak[name] for name in peak]
        mixed = sum(left * right for left, right in itertools.pairwise(off))
        return -sum(one * one for one in off) - slant * mixed

    found = search(height, dict.fromkeys(peak, 8.0))
    assert found.value == height(found.parameters)
    assert found.value >= height(dict.fromkeys(peak, 1.0))
    assert found.value > -0.02 or max(
        abs(math.log(found.parameters[name]) - peak[name]) for name in peak
    ) < math.log(1.15)


def test_nothing_free_is_tried_once():
    found = search(lambda parameters: 0.5, {})
    assert (found.parameters, found.value, found.num_tried) == ({}, 0.5, 1)


def test_a_flat_function_leaves_every_parameter_at_1():
    assert search(lambda parameters: 0.0, {"a": 8.0, "b": 8.0}).parameters == {"a": 1, "b": 1}


@given(st.floats(1e-4, 1e4))
def test_three_digits_are_what_is_printed(value):
    assert float(f"{three_digits(value):.3g}") == three_digits(value)
    assert three_digits(value) == pytest.approx(value, rel=5.1e-3)


@pytest.mark.parametrize(
    ("kind", "seen_as", "best"), [("auc", 1.0, 1.0), ("auc", 0.5, 2.0), ("ndcg", 2.0, 0.5)]
)
def test_the_exponents_that_undo_a_distortion_are_found(kind, seen_as, best):
    """Clicks and conversions of known probability: their product orders best, so exponents are
    equal; of a prediction that was raised to a power, the inverse of it."""
    rng = np.random.default_rng(0)
    num_rows = 40_000
    click_N, buy_N = (1 / (1 + np.exp(-rng.normal(-1, 1.2, num_rows))) for _ in range(2))
    truth = Truth(
        happened_N=rng.random(num_rows) < click_N * buy_N,
        worth_N=np.zeros(num_rows),
        groups_N=rng.integers(num_rows // 12, size=num_rows),
    )
    truth = truth.of(np.arange(num_rows))  # numbers of groups without gaps
    table = {"click": click_N, "buy": buy_N**seen_as}
    evaluate = Evaluator(parse("click^a * buy^b", table), table, rows="valid")
    judge = Judge(Metric(kind=kind, k=5), truth)

    def reached(parameters):
        return judge(evaluate({"a": 1.0, **parameters}))

    found = search(reached, {"b": 8.0})
    assert found.value >= reached({"b": best})
    assert found.value - reached({"b": best}) < 2e-3  # what the luck of the rows can add
    assert found.parameters["b"] == pytest.approx(best, rel=0.2)
    assert search(reached, {"b": 8.0}) == found
