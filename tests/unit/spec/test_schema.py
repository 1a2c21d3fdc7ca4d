"""Blocks of a spec: their keys, types, defaults, and what is said of a wrong one."""

import pickle
from pathlib import Path

import pytest
from pydantic import ValidationError
from support.spec_dict import VALID, changed, make, problems

from automtl.config import Constraint, Objective, TaskSchema
from automtl.errors import SpecError
from automtl.spec.data_block import ColumnSplit, RandomSplit
from automtl.spec.domains import Choice, Fixed
from automtl.spec.schema import Spec
from automtl.spec.space_block import FAMILY_BLOCKS


def test_defaults_are_those_of_the_recipe():
    spec = make()
    assert spec.space.embedding_dim == Fixed(16)
    assert spec.space.expert_dims == Fixed((128, 64))
    assert spec.space.embedding_optimizer == Fixed("adagrad")
    assert spec.space.families == ("shared_bottom", "mmoe")
    assert spec.space.sharing[1].knobs()["num_gates"] == Fixed("per_task")
    assert (spec.search.trials, spec.search.rungs, spec.search.sampler) == (50, 2, "auto")
    assert spec.trial.device == "auto"


def test_tasks_objectives_and_constraints_as_the_program_uses_them():
    spec = make({"constraints": ["params <= 5e6", "buy.joint_auc>=0.7"]})
    assert spec.task_schemas() == (
        TaskSchema(name="click"),
        TaskSchema(name="buy", given="click"),
        TaskSchema(name="spend", kind="regression", given="buy", loss="mse"),
    )
    assert spec.objective_list()[0] == Objective(
        name="click.auc", task="click", metric="auc", direction="maximize"
    )
    assert spec.objective_list()[2].task is None
    assert spec.constraint_list() == (
        Constraint(name="params", op="<=", bound=5e6),
        Constraint(name="buy.joint_auc", op=">=", bound=0.7),
    )


def test_categorical_columns_are_a_list_or_a_mapping():
    short = make({"data.categorical": ["user", "item"]})
    long = make({"data.categorical": {"user": None, "item": {"min_count": 5}}})
    assert list(short.data.categorical) == list(long.data.categorical) == ["user", "item"]
    assert long.data.categorical["item"].min_count == 5
    assert short.to_dict()["data"]["categorical"] == ["user", "item"]
    assert long.to_dict()["data"]["categorical"]["item"] == {"min_count": 5}


def test_each_split_is_told_by_its_key():
    assert make().data.split == ColumnSplit(column="split")
    split = make({"data.split": {"random": True, "test": 0}}).data.split
    assert split == RandomSplit(random=True, valid=0.1, test=0.0, seed=0)
    assert make({"data.split": {"time": "day"}}).data.split.time == "day"
    assert make({"data.split": {"group": "user"}}).data.split.group == "user"


def test_null_is_the_same_as_left_out_where_a_key_is_optional():
    changes = {"tasks.click.given": None, "data.sequence.history.shares": None}
    spec = make(changes | {"data.categorical": {"user": {"max_vocab": None}, "item": {}}})
    assert spec.tasks["click"].given is None
    assert spec.data.sequence["history"].shares is None


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"version": 2}, {"version": "must be 1, not 2"}),
        ({"name": ...}, {"name": "is missing; write name: my_search"}),
        ({"name": "a b"}, {"name": "must be a name of letters, digits, _, . and -, not a b"}),
        ({"name": 5}, {"name": 'must be a name of letters, digits, _, . and -, not 5; write "5"'}),
        ({"objectivs": []}, {"objectivs": "unknown key; did you mean objectives?"}),
        ({"trials": 5}, {"trials": "unknown key; it belongs under search"}),
        ({"lr": 0.1}, {"lr": "unknown key; it belongs under space"}),
        ({"space.num_levels": 2}, {"space.num_levels": "unknown key; a knob of ple: "
          "write it in the block of the family"}),
        ({"space.epochs": 2}, {"space.epochs": "unknown key; it belongs under search"}),
        ({"data": None}, {"data": "holds nothing; its keys: path, encoding, missing, "
          "generate, where, split, categorical, numeric, sequence, time, dense, weight, cache"}),
        ({"tasks": None}, {"tasks": "holds nothing; write tasks: {click: {label: is_click}}"}),
        ({"space.sharing": None}, {"space.sharing": "holds nothing; write "
          "sharing: [{family: shared_bottom}]"}),
        ({"data.numeric": None}, {"data.numeric": "holds nothing; fill it or leave it out"}),
        ({"data.missing": "NA"}, {"data.missing": "must be a list of texts, not NA; "
          r"write ['\N', NA]"}),
        ({"data.missing": [None]}, {"data.missing": "must be texts, null is none; "
          "write 'NULL' in quotes"}),
        ({"data.missing": [-1]}, {"data.missing": "must be texts, not -1; write '-1'"}),
        ({"data.missing": ["\x85"]}, {"data.missing": "must be texts, not an end of line; "
          r"write '\N' in single quotes, double ones make an end of line of it"}),
        ({"data.cache": "s3://bucket/rows"}, {"data.cache": "must be a directory, as rows are "
          "memory-mapped, not s3://bucket/rows"}),
        ({"trial": "cpu"}, {"trial": "must be a mapping, not cpu; its keys: device, precision, "
          "cpus, gpus, latency_batch, stall_minutes"}),
        ({"trial.device": "gpu"}, {"trial.device": "must be one of auto, cpu, cuda, not gpu; "
          "write cuda"}),
        ({"trial.gpus": 2}, {"trial.gpus": "must be at least 0 and at most 1, not 2"}),
        ({"search.trials": 0}, {"search.trials": "must be at least 1, not 0"}),
        ({"search.trials": "5"}, {"search.trials": "must be a whole number, not 5; "
          "take the quotes away"}),
        ({"search.rungs": 9}, {"search.rungs": "must be from 1 to 8, not 9"}),
        ({"search.epochs": 0}, {"search.epochs": "must be above 0, not 0"}),
        ({"objectives": "click.auc"}, {"objectives": "must be a list, not click.auc; "
          "write [click.auc]"}),
        ({"data.numeric": "price"}, {"data.numeric": "must be a list or a mapping of "
          "columns, not price; "
          "write [price]"}),
        ({"data.numeric": ["price", 2022]}, {"data.numeric[1]": "must be a column name, not 2022; "
          'write "2022"'}),
        ({"data.categorical": "item"}, {"data.categorical": "must be a list or a mapping of "
          "columns, not item; write [item]"}),
        ({"data.categorical": ["item", {"user": {"min_count": 2}}]}, {"data.categorical[1]":
          "must be a column name, not {user: {min_count: 2}}; write all columns as a mapping: "
          "`user_id: {min_count: 5}`, `tab: {}`"}),
        ({"data.categorical": {"item": {"mincount": 2}}},
         {"data.categorical.item.mincount": "unknown key; did you mean min_count?"}),
        ({"data.split": {"time": "day", "random": True}}, {"data.split": "must name exactly one of "
          "column, time, group and random; write {column: split} or "
          "{random: true, valid: 0.1, test: 0.1}"}),
        ({"data.split": {"time": "day", "valid": 0}}, {"data.split.valid":
          "must be above 0 and below 1, not 0"}),
        ({"data.split": {"random": False}}, {"data.split.random": "must be true, not false"}),
        ({"tasks.click": {}}, {"tasks.click.label": "is missing; write label: is_click"}),
        ({"tasks.click.type": "regresion"}, {"tasks.click.type":
          "must be one of binary, regression, not regresion; did you mean regression?"}),
    ],
)  # fmt: skip
def test_a_wrong_block_has_one_message_with_a_way_out(changes, found):
    assert problems(changes) == found


@pytest.mark.parametrize(
    ("block", "found"),
    [
        ({"family": "pel"}, {"family": "must be one of single_task, shared_embedding, "
          "shared_bottom, omoe, mmoe, cgc, ple, not pel; did you mean ple?"}),
        ({"famly": "ple"}, {"family": "is missing; write family in place of famly"}),
        ({"family": "mmoe"}, {"num_shared_experts": "is missing; "
          "write num_shared_experts: {int: [2, 8]}"}),
        ({"family": "mmoe", "num_shared_experts": 2, "num_task_experts": 2}, {"num_task_experts":
          "unknown key; a knob of cgc, ple; the knobs of this family: num_shared_experts, "
          "num_gates"}),
        ({"family": "omoe", "num_shared_experts": 2, "expert_dims": [64]}, {"expert_dims":
          "unknown key; it holds for all families: write it one level up, under space"}),
        ({"family": "ple", "num_levels": 1, "num_shared_experts": 1, "num_task_experts": 1},
         {"num_levels": "must be at least 2, not 1"}),
        ({"family": "mmoe", "num_shared_experts": 2, "num_gates": 2},
         {"num_gates": "must be one of 1, per_task, not 2"}),
    ],
)  # fmt: skip
def test_a_knob_outside_its_family_cannot_be_written(block, found):
    assert problems({"space.sharing": [block]}) == {
        f"space.sharing[0].{key}": text for key, text in found.items()
    }


def test_a_family_that_is_no_mapping():
    found = problems({"space.sharing": ["shared_bottom"]})
    assert found == {
        "space.sharing[0]": "must be a mapping, not shared_bottom; write {family: shared_bottom}"
    }


def test_all_problems_come_at_once_those_across_places_too():
    found = problems(
        {
            "version": 2,
            "objectives": ["clik.auc"],
            "space.sharing": [],
            "space.lr": -1,
            "tasks.spend.given": "spend",
            "trial": 5,
        }
    )
    places = ["version", "trial", "space.lr", "tasks.spend.given", "objectives[0]", "space.sharing"]
    assert sorted(found) == sorted(places)


def test_written_out_it_reads_back_to_the_same():
    spec = make({"space.loss_weights": {"buy": {"float": [0.1, 10], "log": True}}})
    again = Spec.from_dict(spec.to_dict())
    assert again == spec
    assert again.to_dict() == spec.to_dict()
    assert Spec.model_validate(spec.model_dump()) == spec
    assert pickle.loads(pickle.dumps(spec)) == spec


def test_paths_start_at_base_dir(tmp_path):
    (tmp_path / "rows.parquet").touch()
    spec = Spec.from_dict(VALID, base_dir=tmp_path, check_files=True)
    assert spec.base_dir == tmp_path
    assert spec.data_files() == (tmp_path / "rows.parquet",)
    absolute = spec.to_dict(absolute_paths=True)
    assert absolute["data"]["path"] == str(tmp_path / "rows.parquet")
    assert "base_dir" not in absolute
    assert spec.to_dict()["data"]["path"] == "rows.parquet"
    many = Spec.from_dict(changed({"data.path": ["a.csv", "/b/*.csv"]}), base_dir=Path("/x"))
    assert many.to_dict(absolute_paths=True)["data"]["path"] == ["/x/a.csv", "/b/*.csv"]


def test_a_missing_file_is_a_problem_only_where_files_are_checked(tmp_path):
    (tmp_path / "row.parquet").touch()
    Spec.from_dict(VALID, base_dir=tmp_path)
    with pytest.raises(SpecError, match=r"data\.path: rows\.parquet: no such file.*did you mean"):
        Spec.from_dict(VALID, base_dir=tmp_path, check_files=True)


def test_a_spec_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        make().name = "other"


def test_python_may_mix_blocks_and_plain_data():
    spec = make()
    again = Spec.from_dict({**VALID, "space": spec.space, "data": spec.data})
    assert again == spec
    dependency = {"dependency": Choice(("none", "esmm"))}
    assert Spec.from_dict(changed({"space": VALID["space"] | dependency})).space.dependency == (
        Choice(("none", "esmm"))
    )


def test_every_family_of_the_ladder_has_a_block_of_its_own():
    assert [block.model_fields["family"].annotation for block in FAMILY_BLOCKS.values()]
    assert FAMILY_BLOCKS["ple"].knob_names() == (
        "num_levels",
        "num_shared_experts",
        "num_task_experts",
    )
