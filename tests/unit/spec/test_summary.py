"""What `validate` tells of a good spec."""

import json

import pytest
from support.spec_dict import make

from automtl.config import (
    CategoricalFeature,
    FeatureSchema,
    ModelConfig,
    NumericFeature,
    SequenceFeature,
    Table,
)
from automtl.models.cost import costs
from automtl.spec.summary import summarize

LADDER = {
    "space.sharing": [
        {"family": "single_task"},
        {"family": "mmoe", "num_shared_experts": {"int": [2, 6]},
         "num_gates": {"choice": [1, "per_task"]}},
        {"family": "ple", "num_levels": {"choice": [2, 3]}, "num_shared_experts": 1,
         "num_task_experts": {"int": [1, 2]}},
    ],
    "space.dependency": {"choice": ["none", "esmm"]},
    "space.embedding_dim": {"choice": [16, 8, 32]},
    "space.expert_dims": {"choice": [[64], [32, 128], [128, 32]]},
    "space.tower_dims": {"choice": [[32], []]},
    "space.batch_size": {"choice": [512, 1024]},
}  # fmt: skip
FEATURES = FeatureSchema(
    tables=(Table(name="user", num_rows=1000), Table(name="item", num_rows=200)),
    categorical=(
        CategoricalFeature(name="user", table="user"),
        CategoricalFeature(name="item", table="item"),
    ),
    numeric=(NumericFeature(name="price", edges=(-1.0, 0.0, 0.5, 2.0)),),
    sequence=(SequenceFeature(name="history", table="item", max_len=5),),
)


def test_families_knobs_and_the_number_of_configurations():
    summary = summarize(make(LADDER))
    assert summary.families == ("single_task", "mmoe", "ple")
    assert summary.dependency == "none | esmm"
    assert [knob.name for knob in summary.knobs] == [
        "family", "dependency", "embedding_dim", "mmoe.num_shared_experts", "mmoe.num_gates",
        "ple.num_levels", "ple.num_task_experts", "expert_dims", "tower_dims", "batch_size",
    ]  # fmt: skip
    assert summary.knobs[3].condition == "family = mmoe"
    assert summary.knobs[3].domain == "2 to 6"
    # (single_task + mmoe 5 x 2 + ple 2 x 2) x dependency x embedding x expert x tower x batch
    assert summary.num_configs == (1 + 10 + 4) * 2 * 3 * 3 * 2 * 2
    assert summary.size == "1,080"


def test_a_range_of_numbers_makes_the_space_continuous():
    summary = summarize(make({"space.lr": {"float": [1e-4, 1e-2]}}))
    assert (summary.num_configs, summary.size) == (None, "continuous")


def test_models_are_sized_dense_only_until_the_rows_are_encoded():
    before, after = summarize(make(LADDER)), summarize(make(LADDER), features=FEATURES)
    assert not before.has_embedding_sizes
    assert before.smallest.params is before.smallest.params_embedding is None
    assert after.has_embedding_sizes
    assert after.smallest.params == after.smallest.params_dense + after.smallest.params_embedding
    assert before.largest.model.family == "ple"
    assert before.smallest.params_dense < before.largest.params_dense


@pytest.mark.parametrize("features", [None, FEATURES])
def test_smallest_and_largest_are_the_edges_of_the_whole_space(features):
    """Every combination of the knobs counted, one by one."""
    spec = make(LADDER)
    summary = summarize(spec, features=features)
    unsized = FeatureSchema(
        tables=tuple(Table(name=table.name, num_rows=0) for table in FEATURES.tables),
        categorical=FEATURES.categorical, numeric=FEATURES.numeric, sequence=FEATURES.sequence,
    )  # fmt: skip
    own = [{"family": "single_task"}]
    own += [
        {"family": "mmoe", "num_shared_experts": n, "num_gates": gates}
        for n in range(2, 7)
        for gates in (1, "per_task")
    ]
    own += [
        {"family": "ple", "num_levels": levels, "num_task_experts": n}
        for levels in (2, 3)
        for n in (1, 2)
    ]
    counted = [
        costs(
            ModelConfig(**block, embedding_dim=dim, expert_dims=expert, tower_dims=tower),
            features or unsized,
            spec.task_schemas(),
        )["params" if features else "params.dense"]
        for block in own
        for dim in (8, 16, 32)
        for expert in ((64,), (32, 128), (128, 32))
        for tower in ((32,), ())
    ]
    key = "params" if features else "params_dense"
    assert getattr(summary.smallest, key) == min(counted)
    assert getattr(summary.largest, key) == max(counted)


def test_the_summary_is_plain_data():
    plain = json.loads(json.dumps(summarize(make(LADDER), features=FEATURES).to_dict()))
    assert plain["size"] == "1,080"
    assert plain["smallest"]["params"] == plain["smallest"]["params_dense"] + 1200 * 8
    assert plain["largest"]["model"]["family"] == "ple"
    assert plain["knobs"][0] == {
        "name": "family", "domain": "single_task | mmoe | ple", "condition": "",
    }  # fmt: skip
