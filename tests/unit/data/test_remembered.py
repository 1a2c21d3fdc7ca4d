"""Few rows are encoded by what was asked before: the same ids as of many, whatever came first."""

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automtl.data import remembered
from automtl.data.batch import Batch
from automtl.data.kinds.categorical import categorical_ids
from automtl.data.vocabulary import MISSING, UNSEEN, BucketLookup, Lookup

VALUES = {
    pl.Int64: st.integers(-(2**63), 2**63 - 1) | st.integers(0, 9),
    pl.String: st.text(max_size=3) | st.sampled_from(["0", "1", "1.5", "nan", "-0.0"]),
    pl.Float64: st.floats() | st.sampled_from([0.0, -0.0, 1.0, 1.5, math.nan, math.inf]),
    pl.Boolean: st.booleans(),
}
VOCABULARY = ["0", "1", "2", "1.5", "-0.0", "nan", "NaN", "inf", "true", "", "a"]


def column(kind, values):
    return pl.DataFrame({"c": pl.Series(values, dtype=kind)})


@given(data=st.data(), kind=st.sampled_from(list(VALUES)))
@pytest.mark.parametrize("make", [lambda: Lookup(pl.Series(VOCABULARY)), lambda: BucketLookup(7)])
def test_few_rows_have_the_ids_that_they_have_among_many(make, data, kind):
    lookup = make()
    for _ in range(3):  # requests, one after the other
        asked = data.draw(st.lists(VALUES[kind] | st.none(), max_size=8))
        few = categorical_ids(Batch(column(kind, asked)), "c", lookup)
        filled = asked + [None] * remembered.FEW_ROWS  # too many to be remembered
        many = categorical_ids(Batch(column(kind, filled)), "c", make())
        assert few.tolist() == many[: len(asked)].tolist()


def test_a_number_and_its_text_are_asked_apart():
    lookup = Lookup(pl.Series(["1", "True"]))
    for kind, value in [(pl.Int64, 1), (pl.Boolean, True), (pl.String, "1"), (pl.Int64, 1)]:
        few = categorical_ids(Batch(column(kind, [value])), "c", lookup)
        many = categorical_ids(Batch(column(kind, [value] * 1000)), "c", lookup)
        assert few[0] == many[0]


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(remembered, "MOST", 10)
    lookup = Lookup(pl.Series(["3"]))
    for start in range(0, 60, 6):
        values = [*range(start, start + 6), 3, None]
        ids = categorical_ids(Batch(column(pl.Int64, values)), "c", lookup)
        assert ids.tolist() == [2 if one == 3 else UNSEEN for one in values[:-1]] + [MISSING]
        (known,) = lookup.remembered._known.values()
        assert len(known) <= 10
