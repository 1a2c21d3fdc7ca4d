"""JSON values to columns: each kind takes what it can mean, and names what it cannot."""

import polars as pl
import pytest

from automtl.data.columns import as_keys
from automtl.data.instants import read_times
from automtl.serving.columns import column_of
from automtl.serving.problems import MOST_PROBLEMS, Problem, RequestError, shown


@pytest.mark.parametrize(
    ("kinds", "values", "dtype"),
    [
        (["categorical"], [1, None], pl.Int64),
        (["categorical"], ["a", None], pl.String),
        (["categorical"], [True, False], pl.Boolean),
        (["categorical"], [1.5, None], pl.Float64),
        (["categorical"], [None, None], pl.String),
        (["categorical"], [1, "a", 2.5, True], pl.String),
        (["categorical"], [2**64 - 1, -1], pl.String),
        (["numeric"], [1, 2], pl.Int64),
        (["numeric"], [1, 2.5, True, None], pl.Float64),
        (["numeric"], [10**30 * 1.0, None], pl.Float64),
        (["time"], ["2022-04-25 18:30:00", 1.6e9, None], pl.String),
        (["sequence"], [[1, 2], [], None], pl.List(pl.Int64)),
        (["sequence"], [[1, "a"], [None]], pl.List(pl.String)),
        (["sequence"], [[2**63]], pl.List(pl.String)),
        (["sequence"], [["a"], [None]], pl.List(pl.String)),
        (["sequence"], [[]], pl.List(pl.String)),
        (["sequence"], [None, None], pl.String),
        (["dense"], [[1, 2.5], None], pl.List(pl.Float64)),
        (["categorical", "numeric"], [1, 2.5], pl.Float64),
    ],
)
def test_types(kinds, values, dtype):
    column = column_of("c", tuple(kinds), values)
    assert (column.dtype, column.series().dtype, column.series().len()) == (
        dtype,
        dtype,
        len(values),
    )


def test_mixed_categories_have_the_keys_that_they_have_alone():
    values = ["a", 7, 7.0, 1.5, 1e20, True, 2**63, None]
    alone = [as_keys(pl.Series([value]))[0] for value in values]
    assert as_keys(column_of("c", ("categorical",), values).series()).to_list() == alone


def test_mixed_times_are_the_instants_that_they_are_alone():
    values = ["2022-04-25 18:30:00", 1650911400, 1650911400.25, None]
    alone = [read_times(pl.Series([value]), "s").us[0] for value in values]
    assert read_times(column_of("c", ("time",), values).series(), "s").us.to_list() == alone


@pytest.mark.parametrize(
    ("kinds", "values", "row", "value"),
    [
        (["numeric"], [1, "2"], 1, '"2"'),
        (["numeric"], [1, float("inf")], 1, "Infinity"),
        (["time"], [1, True], 1, "true"),
        (["categorical", "time"], [1, True], 1, "true"),
        (["categorical"], [1, []], 1, "a list of 0"),
        (["dense"], [[1.0], [True]], 1, "true"),
        (["dense"], [[1.0], [float("-inf")]], 1, "-Infinity"),
        (["dense"], [None, 3], 1, "3"),
        (["sequence"], [["x"], [{}]], 1, "an object of 0"),
    ],
)
def test_what_does_not_fit_is_named(kinds, values, row, value):
    found = column_of("c", tuple(kinds), values)
    assert isinstance(found, Problem)
    assert (found.row, found.column, found.value) == (row, "c", value)


def test_long_values_are_cut():
    assert shown("x" * 1000) == '"' + "x" * 59 + "…"
    assert shown(10**10_000).startswith("an integer of 33220 bits")
    assert shown("\ud800") == '"\\ud800"'


def test_of_many_problems_some_are_told():
    problems = [Problem(row=row, column="c", rule="is wrong") for row in range(100)]
    error = RequestError.of_values(problems)
    assert len(error.problems) == MOST_PROBLEMS
    assert error.message == "row 0 (counted from 0), column 'c': is wrong; 99 more problems"
