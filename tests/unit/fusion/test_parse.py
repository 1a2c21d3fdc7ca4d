"""A score as text: what it means, how it is written back, and what a mistake is told."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.golden import check

from automtl.errors import ScoreError
from automtl.fusion.evaluate import Evaluator
from automtl.fusion.expression import (
    Column,
    Negative,
    Number,
    Parameter,
    Power,
    Product,
    Sum,
    anchor,
    columns_of,
    exponents_of,
    filled,
    parameters_of,
    written,
)
from automtl.fusion.parse import parse

NAMES = ("click", "long_view", "p_long_view_and_click", "price", "<script>", "price in €", "A")
WEIGHTS, EXPONENTS = "abc", "xyz"  # one letter never is both


def columns():
    return st.sampled_from(NAMES).map(Column)


def numbers():
    return st.floats(1e-3, 1e3).map(Number)


def grown(inner):
    factors = st.lists(inner | numbers(), min_size=1, max_size=2)
    terms = st.lists(inner | inner.map(Negative), min_size=1, max_size=2)
    exponents = st.floats(0.1, 8).map(Number) | st.sampled_from(EXPONENTS).map(Parameter)
    weighted = st.sampled_from(WEIGHTS).map(Parameter)
    return (
        st.builds(Power, inner, exponents)
        | st.builds(lambda one, more: Product((one, *more)), inner, factors)
        | st.builds(lambda one, more: Sum((one, *more)), inner, terms)
        | st.builds(lambda weight, one: Sum((Product((weight, one)), one)), weighted, inner)
    )


scores = st.recursive(columns(), grown, max_leaves=12)


@given(scores)
def test_what_is_written_is_read_as_the_same_tree(score):
    assert parse(written(score), NAMES) == score


@given(scores, st.data())
def test_filled_in_numbers_give_the_same_values(score, data):
    """As a value in plain loops, whatever the score is ordered by, and none where it has none: but
    where `^1` is left out, which refuses what is negative."""
    parameters = {name: data.draw(st.floats(0.2, 3)) for name in parameters_of(score)}
    rows = [dict.fromkeys(NAMES, value) for value in (0.1, 0.5, 1.5)]
    expected = np.array([plain(score, row, parameters) for row in rows])
    text = written(filled(score, parameters))
    again = np.array([plain(parse(text, NAMES), row, {}) for row in rows])
    if text.count("^") < written(score).count("^"):
        again[np.isnan(expected)] = np.nan
    assert again == pytest.approx(expected, rel=1e-9, nan_ok=True)


@given(scores, st.data())
def test_rows_are_ordered_as_by_a_plain_loop(score, data):
    parameters = {name: data.draw(st.floats(0.2, 3)) for name in parameters_of(score)}
    rows = [{name: data.draw(st.floats(0.05, 1)) for name in NAMES} for _ in range(4)]
    expected = np.array([plain(score, row, parameters) for row in rows])
    table = {name: np.array([row[name] for row in rows]) for name in NAMES}
    try:
        found = Evaluator(score, table, rows="test")(parameters)
    except ScoreError:
        values = [plain(one, row, parameters) for one in parts(score) for row in rows]
        assert not np.isfinite(values).all() or min(values) < 0
        return
    if isinstance(score, Power | Product):
        with np.errstate(over="ignore"):
            found = np.exp(found)
    usable = np.isfinite(expected) & (np.abs(expected) < 1e200) & (np.abs(expected) > 1e-200)
    assert found[usable] == pytest.approx(expected[usable], rel=1e-6, abs=1e-9)


def parts(score):
    """The score and everything in it, but what is only taken away."""
    match score:
        case Power(base, _) | Negative(base):
            inner = [base]
        case Product(inner) | Sum(inner):
            pass
        case _:
            inner = []
    return [score, *(part for one in inner for part in parts(one))]


def plain(score, row, parameters):
    """The value of a score in one row: NaN for a power of what is negative, inf if too large."""
    try:
        match score:
            case Number(value):
                return value
            case Column(name):
                return row[name]
            case Parameter(name):
                return parameters[name]
            case Power(base, exponent):
                inner = plain(base, row, parameters)
                return inner ** plain(exponent, row, parameters) if inner >= 0 else float("nan")
            case Product(parts):
                total = 1.0
                for one in parts:
                    total *= plain(one, row, parameters)
                return total
            case Negative(term):
                return -plain(term, row, parameters)
            case Sum(parts):
                total = 0.0
                for one in parts:
                    total += plain(one, row, parameters)
                return total
    except OverflowError:
        return float("inf")


def test_the_parts_of_a_score_are_told_apart():
    score = parse("a*click + b*(1 - long_view)^c - 0.5*[<script>]", NAMES)
    assert columns_of(score) == ("click", "long_view", "<script>")
    assert parameters_of(score) == ("a", "b", "c")
    assert exponents_of(score) == {"c"}
    assert written(score) == "a * click + b * (1 - long_view)^c - 0.5 * [<script>]"


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("click^a * long_view^b", "a"),
        ("click^a", "a"),
        ("click^a * long_view^a", "a"),
        ("click * long_view^b", None),
        ("click^a * price", None),
        ("(1 + a*click)^b * price^c", "b"),
        ("a*click + b*long_view", "a"),
        ("a*click - b*long_view^c", "a"),
        ("click + b*long_view", None),
        ("a*b*click + c*long_view", None),
        ("click", None),
    ],
)
def test_one_parameter_is_held_where_only_ratios_change_the_order(text, fixed):
    assert anchor(parse(text, NAMES)) == fixed


@pytest.mark.parametrize(
    ("text", "scaled"),
    [
        ("click^a * long_view^b", "ab"),
        ("(1 + a*click)^b * price^c", "bc"),
        ("a*click + b*long_view", "ab"),
        ("a*click - b*long_view^c", "ab"),
    ],
)
def test_where_one_is_held_scaling_it_with_its_kind_changes_no_order(text, scaled):
    score = parse(text, NAMES)
    assert anchor(score) in scaled
    rng = np.random.default_rng(0)
    table = {name: rng.uniform(0.05, 1, 50) for name in NAMES}
    parameters = {"a": 0.7, "b": 1.9, "c": 0.4}
    larger = {name: value * (3 if name in scaled else 1) for name, value in parameters.items()}
    one_N, other_N = (Evaluator(score, table, rows="test")(one) for one in (parameters, larger))
    assert other_N == pytest.approx(3 * one_N)
    moved = parameters | {anchor(score): 3 * parameters[anchor(score)]}  # alone, it does
    moved_N = Evaluator(score, table, rows="test")(moved)
    assert list(np.argsort(moved_N)) != list(np.argsort(one_N))


def test_a_1_that_changes_nothing_is_not_written():
    score = parse("a*click^b + c*long_view^b", NAMES)
    one = {"a": 1.0, "b": 1.0, "c": 0.5}
    assert written(filled(score, one)) == "click + 0.5 * long_view"


MISTAKES = [
    "",
    "clik^a * long_view^b",
    "click^a * is_click",
    "click^alpha",
    "click^-1",
    "click^0",
    "click^",
    "click long_view",
    "click ** 2",
    "click / price",
    "(click + price",
    "click)",
    "2^a * click",
    "a * click",
    "a + click",
    "a*click + price^a",
    "d*click",
    "0.5",
    "click * 1e999",
    "click; __import__('os')",
    "[price in €]^a * [lost]^b",
    "click\n^\x1b[31m",
]


def test_every_mistake_is_told_with_its_place_and_a_way_out():
    said = []
    for text in MISTAKES:
        with pytest.raises(ScoreError) as error:
            parse(text, (*NAMES, "d"), refused={"is_click": "is the label of click, known later"})
        lines = str(error.value).splitlines()
        assert len(lines) == 3
        assert re.fullmatch(r" *\^", lines[2])
        assert all(line.isprintable() for line in lines)
        said.append(str(error.value))
    check("score_mistakes.txt", "\n\n".join(said) + "\n")


@given(st.text(max_size=60))
def test_any_text_is_a_score_or_a_mistake(text):
    try:
        score = parse(text, NAMES)
    except ScoreError:
        return
    assert parse(written(score), NAMES) == score


def test_a_score_without_end_is_refused():
    with pytest.raises(ScoreError, match="longer than 2000 characters"):
        parse("click * " * 1000 + "click", NAMES)
    with pytest.raises(ScoreError, match="more than 50 parentheses"):
        parse("(" * 51 + "click" + ")" * 51, NAMES)
    assert parse("(" * 50 + "click" + ")" * 50, NAMES) == Column("click")


# ---- values --------------------------------------------------------------------------------


def test_a_zero_is_the_lowest_and_a_negative_number_an_error():
    table = {"click": np.array([0.0, 0.5, 1.0]), "price": np.array([-1.0, 2.0, 3.0])}
    found = Evaluator(parse("click^a", NAMES), table, rows="valid")({"a": 2.0})
    assert found[0] == -np.inf
    assert np.exp(found[1:]) == pytest.approx([0.25, 1.0])
    with pytest.raises(ScoreError, match=r"price is negative in 1 valid rows \(lowest -1\)"):
        Evaluator(parse("click * price^a", NAMES), table, rows="valid")({"a": 1.0})
    with pytest.raises(ScoreError, match=r"1 - a \* click is negative in 1 valid rows for a = 1.5"):
        Evaluator(parse("(1 - a*click)^2 * click", NAMES), table, rows="valid")({"a": 1.5})
    assert list(Evaluator(parse("price + click", NAMES), table, rows="valid")({})) == [-1, 2.5, 4]


def test_a_product_neither_vanishes_nor_overflows_and_a_sum_says_so():
    table = {"click": np.array([1e-300, 1e-299]), "price": np.array([1e300, 1e299])}
    small = Evaluator(parse("click^8 * click^8", NAMES), table, rows="test")({})
    assert small[0] < small[1]
    with pytest.raises(ScoreError, match="not finite on test rows"):
        Evaluator(parse("price^8 + click", NAMES), table, rows="test")({})
