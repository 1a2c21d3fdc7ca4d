"""Few rows are encoded by what was asked before: the same ids as of many, whatever came first."""

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automtl.config import SequenceFeature
from automtl.data import remembered
from automtl.data.batch import Batch
from automtl.data.kinds.categorical import categorical_column
from automtl.data.kinds.sequence import sequence_ids
from automtl.data.listed import FEW_ROWS, Listed, ListedRows
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
        few = categorical_column(Batch(column(kind, asked)), "c", lookup)
        filled = asked + [None] * FEW_ROWS  # too many to be remembered
        many = categorical_column(Batch(column(kind, filled)), "c", make())
        assert few.tolist() == many[: len(asked)].tolist()


ITEMS = st.lists(st.none() | st.lists(st.none() | st.integers(0, 9), max_size=6), max_size=5)


@given(asked=st.lists(ITEMS, min_size=2, max_size=2), is_text=st.booleans())
@pytest.mark.parametrize("make", [lambda: Lookup(pl.Series(VOCABULARY)), lambda: BucketLookup(7)])
def test_lists_of_few_rows_have_the_ids_that_they_have_among_many(make, asked, is_text):
    feature = SequenceFeature(name="c", table="c", max_len=3)
    kind = pl.List(pl.String if is_text else pl.Int64)
    lookup = make()
    for rows in asked:  # requests, one after the other
        written = [
            one and [item if item is None or not is_text else str(item) for item in one]
            for one in rows
        ]
        few = sequence_ids(Batch(column(kind, written)), feature, lookup)
        listed = ListedRows(by_name={"c": Listed(dtype=kind, values=written)}, height=len(rows))
        filled = written + [None] * FEW_ROWS
        many = sequence_ids(Batch(column(kind, filled)), feature, make())
        assert few.tolist() == many[: len(rows)].tolist()
        assert sequence_ids(Batch(listed), feature, lookup).tolist() == few.tolist()


def test_more_values_than_are_remembered_are_encoded_all_the_same(monkeypatch):
    monkeypatch.setattr(remembered, "MOST", 10)
    lookup = Lookup(pl.Series([str(number) for number in range(50)]))
    ids = categorical_column(Batch(column(pl.Int64, range(40))), "c", lookup)
    assert ids.tolist() == list(range(2, 42))
    assert not any(lookup.remembered._known.values())


def test_a_number_and_its_text_are_asked_apart():
    lookup = Lookup(pl.Series(["1", "True"]))
    for kind, value in [(pl.Int64, 1), (pl.Boolean, True), (pl.String, "1"), (pl.Int64, 1)]:
        few = categorical_column(Batch(column(kind, [value])), "c", lookup)
        many = categorical_column(Batch(column(kind, [value] * 1000)), "c", lookup)
        assert few[0] == many[0]


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(remembered, "MOST", 10)
    lookup = Lookup(pl.Series(["3"]))
    for start in range(0, 60, 6):
        values = [*range(start, start + 6), 3, None]
        ids = categorical_column(Batch(column(pl.Int64, values)), "c", lookup)
        assert ids.tolist() == [2 if one == 3 else UNSEEN for one in values[:-1]] + [MISSING]
        (known,) = lookup.remembered._known.values()
        assert len(known) <= 10


def test_long_text_is_encoded_and_not_remembered(monkeypatch):
    monkeypatch.setattr(remembered, "LONGEST", 5)
    lookup = Lookup(pl.Series(["short", "a longer one"]))
    for values in (["a longer one", "short", "another long one"], ["short", None]):
        ids = categorical_column(Batch(column(pl.String, values)), "c", lookup)
        assert ids.tolist() == ([3, 2, UNSEEN] if len(values) == 3 else [2, MISSING])
    assert lookup.remembered._known == {pl.String: {"short": 2, None: MISSING}}
