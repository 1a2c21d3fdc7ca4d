"""Where each feature stands in the input, and how numbers are cut."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.make import EDGES, make_features, make_model

from automtl.config import ModelConfig, NumericFeature, SequenceFeature
from automtl.models.inputs import plan_inputs
from automtl.models.numeric import PiecewiseLinear, bucket_ids, edge_matrix

rising = st.lists(
    st.integers(-50, 50).map(lambda n: n / 8), min_size=3, max_size=9, unique=True
).map(lambda edges: tuple(sorted(edges)))


def plan(features=None, **options):
    config = ModelConfig(family="shared_bottom", **({"embedding_dim": 4} | options))
    return plan_inputs(config, features or make_features())


def singles_of(inputs):
    return {name: lookup.width for lookup in inputs.lookups for name in lookup.singles}


# ---- the plan --------------------------------------------------------------------------------


@pytest.mark.parametrize("numeric_encoding", ["standard", "buckets", "piecewise_linear"])
@pytest.mark.parametrize("embedding_dims", [{}, {"c1": 2}, {"c0": 3, "c1": 3}])
@pytest.mark.parametrize("drop_features", [(), ("c0",), ("x0", "history")])
def test_the_features_fill_the_input_from_end_to_end(
    numeric_encoding, embedding_dims, drop_features
):
    inputs = plan(
        numeric_encoding=numeric_encoding,
        embedding_dims=embedding_dims,
        drop_features=drop_features,
    )
    spans = sorted(inputs.slices.values())
    assert [0, *(stop for _, stop in spans)] == [*(start for start, _ in spans), inputs.width]
    features = make_features()
    every = (*features.categorical, *features.numeric, *features.sequence)
    assert set(inputs.slices) == {one.name for one in every} - set(drop_features)


def test_a_features_slice_is_what_depends_on_it():
    config = ModelConfig(
        family="shared_bottom",
        embedding_dims={"c1": 2},
        numeric_encoding="piecewise_linear",
        sequence_pooling="sum",
    )
    store = make_model(config).embedding
    ids, numeric = torch.tensor([[0, 1, 2, 3, 0]], dtype=torch.int32), torch.tensor([[0.1, 0.3]])
    before = store(ids, numeric)[0, 0]
    for name, (part, column) in {
        "c0": (ids, 0),
        "c1": (ids, 1),
        "history": (ids, 3),
        "x0": (numeric, 0),
        "x1": (numeric, 1),
    }.items():
        part[0, column] += 1
        start, stop = store.plan.slices[name]
        changed = torch.nonzero(store(ids, numeric)[0, 0] != before)[:, 0].tolist()
        assert changed == list(range(start, stop)), name
        part[0, column] -= 1


def test_the_table_of_a_dropped_feature_is_built_only_for_a_sequence_that_uses_it():
    assert [one.num_rows for one in plan().lookups] == [6 + 7]
    assert [one.num_rows for one in plan(drop_features=("c1",)).lookups] == [6]
    assert [one.num_rows for one in plan(drop_features=("c0",)).lookups] == [6 + 7]
    assert [one.num_rows for one in plan(drop_features=("c0", "history")).lookups] == [7]
    assert plan(drop_features=("c0", "c1", "history")).lookups == ()


def test_without_embeddings_there_is_a_model_still():
    model = make_model(ModelConfig(family="shared_bottom", drop_features=("c0", "c1", "history")))
    ids, numeric = torch.ones(3, 5, dtype=torch.int32), torch.randn(3, 2)
    assert torch.equal(model.embedding(ids, numeric)[0, :, :2], numeric)


def test_an_indicator_is_dropped_with_its_number():
    features = dataclasses.replace(
        make_features(num_tables=1, num_numeric=0, max_len=0),
        numeric=tuple(NumericFeature(name=name) for name in ("x", "x:missing", "y")),
    )
    assert plan(features, drop_features=("x",)).scalars == (2,)


def test_a_sequence_attends_to_the_id_of_the_column_that_it_shares():
    features = make_features()
    own = SequenceFeature(name="own", table="own", max_len=2)
    tables = (*features.tables, dataclasses.replace(features.tables[0], name="own"))
    features = dataclasses.replace(features, tables=tables, sequence=(*features.sequence, own))
    (lookup,) = plan(features, sequence_pooling="attention").lookups
    history, alone = lookup.pools
    assert lookup.singles[history.target] == "c0"
    assert alone.target is None
    (lookup,) = plan(features, sequence_pooling="mean").lookups
    assert [pool.target for pool in lookup.pools] == [None, None]


def test_attention_without_an_id_to_compare_with_is_the_mean():
    ids, numeric = torch.tensor([[5, 1, 2, 3, 0]], dtype=torch.int32), torch.zeros(1, 2)
    attention, mean = (
        make_model(
            ModelConfig(family="shared_bottom", sequence_pooling=pooling, drop_features=("c0",))
        ).embedding
        for pooling in ("attention", "mean")
    )
    assert torch.equal(attention(ids, numeric), mean(ids, numeric))


def test_tables_of_one_width_are_one_parameter():
    inputs = plan(make_features(num_tables=4), embedding_dims={"c1": 2, "c3": 2, "c2": 8})
    assert [(one.width, one.singles) for one in inputs.lookups] == [
        (4, ("c0",)),
        (2, ("c1", "c3")),
        (8, ("c2",)),
    ]
    assert inputs.num_embedding_params == 4 * 6 + 2 * (7 + 9) + 8 * 8


def test_a_sequence_has_the_width_of_the_table_that_it_shares():
    inputs = plan(embedding_dims={"c0": 3})
    start, stop = inputs.slices["history"]
    assert stop - start == 3


@pytest.mark.parametrize("numeric_encoding", ["buckets", "piecewise_linear"])
def test_a_number_with_fewer_than_two_bins_stays_a_scalar(numeric_encoding):
    numbers = [((), "empty"), ((0.0, 1.0), "one bin"), ((0.0, 1.0, 2.0), "two bins")]
    features = dataclasses.replace(
        make_features(num_numeric=0),
        numeric=tuple(NumericFeature(name=name, edges=edges) for edges, name in numbers),
    )
    inputs = plan(features, numeric_encoding=numeric_encoding)
    assert inputs.scalars == (0, 1)
    assert inputs.bucketed + inputs.coded == (2,)


def test_buckets_are_tables_of_the_models_width():
    inputs = plan(numeric_encoding="buckets", embedding_dims={"c0": 8})
    assert singles_of(inputs) == {"c0": 8, "c1": 4, "x0": 4, "x1": 4}
    assert [len(edges) for edges in inputs.bucket_edges] == [1, 3]


# ---- edges -----------------------------------------------------------------------------------


@given(rising, st.lists(st.integers(-60, 60).map(lambda n: n / 8), min_size=1, max_size=20))
def test_a_number_on_an_inner_edge_is_in_the_bin_above_and_none_is_outside(edges, numbers):
    inner = edges[1:-1]
    x_BF = torch.tensor(numbers)[:, None]
    expected = np.searchsorted(inner, numbers, side="right").tolist()
    buckets = bucket_ids(x_BF, edge_matrix([inner]))
    assert buckets.dtype == torch.int32
    assert buckets[:, 0].tolist() == expected
    wider = edge_matrix([inner, (*inner, *(9.0 + n for n in range(5)))])  # pads the first
    assert bucket_ids(x_BF.expand(-1, 2), wider)[:, 0].tolist() == expected


def make_code(*edges):
    generator = torch.Generator().manual_seed(0)
    code = PiecewiseLinear(edges, width=2, num_copies=1, generator=generator)
    return lambda numbers: code(torch.tensor(numbers)[:, None].expand(-1, len(edges)))[0, :, :2]


@given(rising)
def test_the_code_of_a_number_is_continuous_at_inner_edges(edges):
    code = make_code(edges, EDGES)
    for edge in edges[1:-1]:
        below, above = (float(np.float32(np.nextafter(np.float32(edge), to)))
                        for to in (-math.inf, math.inf))  # fmt: skip
        left, at, right = code([below, edge, above])
        torch.testing.assert_close(left, at, atol=1e-4, rtol=0)
        torch.testing.assert_close(right, at, atol=1e-4, rtol=0)


@given(rising)
def test_the_code_is_linear_within_each_bin_and_goes_on_beyond_both_ends(edges):
    code = make_code(edges, EDGES)
    ends = [edges[0] - 2, *edges[1:-1], edges[-1] + 2]
    for low, high in itertools.pairwise(ends):
        left, middle, right = code([low, (low + high) / 2, high])
        torch.testing.assert_close(middle, (left + right) / 2, atol=1e-4, rtol=1e-4)
        assert not torch.equal(left, right)
