"""What must hold for any rows: of vocabularies, ids, encoders on disk, splits and label masks."""

import re
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from support.data_spec import make_spec

from automtl.data.encode import Encoder
from automtl.data.fit import fit_encoder
from automtl.data.split import SPLITS, split_frame
from automtl.errors import DataError

quickly = settings(deadline=None, max_examples=40)

CLICK = {"click": {"label": "click"}}
LETTERS = st.sampled_from(["a", "b", "c", "d", "é", "zz", "7", "True"])
IDS = st.one_of(st.none(), LETTERS)
NUMBERS = st.one_of(
    st.none(), st.floats(allow_nan=True, allow_infinity=False), st.sampled_from([0.0, 1.0, -1e300])
)
ROWS = st.tuples(IDS, NUMBERS, st.one_of(st.none(), st.lists(IDS, max_size=5)))
SCHEMA = {"id": pl.String, "number": pl.Float64, "list": pl.List(pl.String)}


def frame_of(rows):
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return frame.with_columns(click=pl.lit(0))


def fitted(train, *, shares=None, max_len=3, **limits):
    data = {
        "path": "rows.parquet",
        "categorical": {"id": limits},
        "numeric": ["number"],
        "sequence": {"list": {"shares": shares, "max_len": max_len}},
    }
    return fit_encoder(frame_of(train), make_spec(data, CLICK))


def kept(items, max_len=3):
    return [item for item in items or [] if item is not None][-max_len:]


@quickly
@given(
    train=st.lists(ROWS, min_size=1),
    shares=st.sampled_from([None, "id"]),
    min_count=st.integers(1, 3),
    max_vocab=st.one_of(st.none(), st.integers(1, 4)),
)
def test_a_vocabulary_is_the_most_frequent_train_values(train, shares, min_count, max_vocab):
    encoder = fitted(train, shares=shares, min_count=min_count, max_vocab=max_vocab)
    counts = Counter(row[0] for row in train if row[0] is not None)
    if shares:
        counts += Counter(item for row in train for item in kept(row[2]))
    counts = Counter({key.replace("True", "true"): count for key, count in counts.items()})
    expected = sorted(
        (key for key, count in counts.items() if count >= min_count),
        key=lambda key: (-counts[key], key),
    )
    assert encoder.vocabularies["id"].to_list() == expected[:max_vocab]


@quickly
@given(train=st.lists(ROWS, min_size=1), rows=st.lists(ROWS), shares=st.sampled_from([None, "id"]))
def test_ids_and_numbers_of_any_rows(train, rows, shares):
    """Missing is 0, what train never had is 1, the rest is its place in the vocabulary + 2."""
    encoder = fitted(train, shares=shares)
    inputs = encoder.transform(frame_of(rows))
    tables = {name: keys.to_list() for name, keys in encoder.vocabularies.items()}

    def expected_id(value, table):
        key = "true" if value == "True" else value
        return 0 if key is None else tables[table].index(key) + 2 if key in tables[table] else 1

    expected = [
        [expected_id(value, "id")]
        + [expected_id(item, shares or "list") for item in kept(items)]
        + [0] * (3 - len(kept(items)))
        for value, _, items in rows
    ]
    assert inputs.ids_NC.tolist() == expected
    assert all(inputs.ids_NC[:, 0] < encoder.features.tables[0].num_rows)
    assert np.isfinite(inputs.numeric_NF).all()
    is_missing = np.array([row[1] is None or row[1] != row[1] for row in rows], dtype=bool)
    assert (inputs.numeric_NF[is_missing, 0] == 0).all()
    if [one.name for one in encoder.features.numeric] == ["number", "number:missing"]:
        assert (inputs.numeric_NF[:, 1] == is_missing).all()


@quickly
@given(train=st.lists(st.floats(-1e150, 1e150), min_size=2))
def test_train_numbers_have_mean_zero_and_deviation_one(train):
    rows = [("a", number, None) for number in train]
    scaled = fitted(rows).transform(frame_of(rows)).numeric_NF[:, 0].astype(np.float64)
    assert abs(scaled.mean()) < 1e-3 + 1e-6 * abs(scaled).max()
    spread = max(train) - min(train)
    # else rounding is all there is, or the squares of the numbers are too small to be told from 0
    if spread > max(1e-6 * max(map(abs, train)), 1e-150):
        assert abs(scaled.std() - 1) < 1e-3


@settings(deadline=None, max_examples=15)
@given(train=st.lists(ROWS, min_size=1), rows=st.lists(ROWS))
def test_an_encoder_from_disk_encodes_alike(train, rows):
    encoder = fitted(train, shares="id")
    with tempfile.TemporaryDirectory() as directory:
        encoder.save(Path(directory))
        loaded = Encoder.load(Path(directory))
    before, after = encoder.transform(frame_of(rows)), loaded.transform(frame_of(rows))
    np.testing.assert_array_equal(before.ids_NC, after.ids_NC)
    np.testing.assert_array_equal(before.numeric_NF, after.numeric_NF)
    assert (encoder.features, encoder.tasks) == (loaded.features, loaded.tasks)


@quickly
@given(
    values=st.lists(st.integers(0, 12), min_size=1),
    kind=st.sampled_from(["time", "group", "random"]),
    shares=st.tuples(st.floats(0.01, 0.49), st.floats(0, 0.49)),
    seed=st.integers(0, 2**32),
)
def test_a_split_has_every_row_once_and_no_group_or_time_on_two_sides(values, kind, shares, seed):
    split = {"random": True} if kind == "random" else {kind: "value"}
    split |= {"valid": shares[0], "test": shares[1]}
    split |= {} if kind == "time" else {"seed": seed}
    spec = make_spec({"path": "rows.parquet", "numeric": ["x"], "split": split}, CLICK)
    frame = pl.DataFrame({"value": values})
    try:
        rows = split_frame(frame, spec.data.split)
    except DataError as error:
        problem = str(error)
    else:
        problem = ""
    if problem:
        assert re.search("no (train|valid|test) rows", problem)
        return
    assert list(rows) == list(SPLITS)
    assert sorted(np.concatenate(list(rows.values())).tolist()) == list(range(len(values)))
    sides = [set(frame["value"][rows[side]].to_list()) for side in SPLITS]
    if kind != "random":
        assert sum(map(len, sides)) == len(set(values))
    if kind == "time":
        assert max(sides[0]) < min(sides[1]) <= max(sides[1]) < min(sides[2], default=99)


@quickly
@given(
    rows=st.lists(st.tuples(*[st.sampled_from([0, 1, None])] * 3), min_size=1),
    order=st.permutations(["view", "click", "buy"]),
)
def test_a_label_is_seen_where_the_chain_before_it_is_all_ones(rows, order):
    chain = {"view": None, "click": "view", "buy": "click"}
    tasks = {
        name: {"label": name} | ({"given": chain[name]} if chain[name] else {}) for name in order
    }
    frame = pl.DataFrame(rows, schema=dict.fromkeys(chain, pl.Int8), orient="row")
    frame = frame.with_columns(x=pl.lit(0))
    spec = make_spec({"path": "rows.parquet", "numeric": ["x"]}, tasks)
    labels_NK = fit_encoder(frame, spec).labels(frame)
    for row, labels_K in zip(rows, labels_NK, strict=True):
        for place, name in enumerate(chain):
            holds = all(value == 1 for value in row[:place])
            expected = row[place] if holds and row[place] is not None else np.nan
            np.testing.assert_equal(float(labels_K[order.index(name)]), float(expected))
