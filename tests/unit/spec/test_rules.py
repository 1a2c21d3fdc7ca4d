"""Rules across places: what two right blocks can have wrong together."""

import re

import polars as pl
import pytest
from support.spec_dict import problems

from automtl.data.synthetic import generate
from automtl.spec.data_block import ImpressionsSpec, RegressionPairSpec
from automtl.spec.data_rules import TRUTH_COLUMNS, generated_columns
from automtl.spec.rules import check

IMPRESSIONS = {
    "path": ...,
    "generate": {"name": "impressions"},
    "categorical": ["user_id"],
    "numeric": ["x0"],
    "sequence": ...,
}
GENERATED = {f"data.{key}": value for key, value in IMPRESSIONS.items()} | {
    "tasks": {"click": {"label": "click"}},
    "objectives": ["click.auc"],
}


def test_a_right_spec_has_no_problem():
    assert problems({}) == {}
    assert problems(GENERATED) == {}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        # rows
        ({"data.path": ...}, {"data.path":
          "is missing; write path: rows.parquet, or generate: {name: impressions}"}),
        ({"data.path": "a.json"}, {}),  # the kind of file is checked with the file
        ({"data.split": {"random": True, "valid": 0.6, "test": 0.4}}, {"data.split.test":
          "valid 0.6 and test 0.4 leave no train rows; write valid: 0.1 and test: 0.1"}),
        # features
        ({"data.categorical": [], "data.numeric": [], "data.sequence": {}}, {"data":
          "names no feature; list columns under categorical, numeric, sequence, time or dense"}),
        ({"data.categorical": ["user", "item", "user"]}, {"data.categorical[2]":
          "column user is listed twice; a column is one feature: take one away"}),
        ({"data.numeric": ["item"]}, {"data.numeric[0]":
          "column item is listed under categorical too; a column is one feature: take one away"}),
        ({"data.numeric": ["is_buy"]}, {"data.numeric[0]": "column is_buy is the label of task buy;"
          " take is_buy away from the features: it would leak"}),
        ({"data.numeric": ["split"]}, {"data.numeric[0]": "column split is the split; "
          "take split away from the features: it would leak"}),
        ({"data.categorical": {"user": {}, "item": {}, "is_click": {}}},
         {"data.categorical.is_click": "column is_click is the label of task click; "
          "take is_click away from the features: it would leak"}),
        ({"data.categorical": {"item": {"hash": 100, "max_vocab": 5}, "user": {"hash": 9}}},
         {"data.categorical.item.max_vocab": "hash keeps no values, so max_vocab cannot choose "
          "among them; take hash or max_vocab away"}),
        ({"data.categorical": {"item": {"hash": 1}, "user": {"hash": 9, "min_count": 2}}},
         {"data.categorical.item.hash": "must be from 2 to 2147483640, not 1",
          "data.categorical.user.min_count": "hash keeps no values, so min_count cannot choose "
          "among them; take hash or min_count away"}),
        ({"data.time": {"shown": {"part": ["hour"]}, "price": {"parts": ["hours"]}}},
         {"data.time.shown.part": "unknown key; did you mean parts?",
          "data.time.price.parts": "must be some of [hour, weekday], not hours; did you mean hour?",
          "data.time.price": "column price is listed under numeric too; a column is one feature: "
          "take one away"}),
        ({"data.time": {"shown": {"parts": [], "zone": "Mars"}, "born": {"age_in": "days"}}},
         {"data.time.shown": "becomes no feature; write parts: [hour, weekday], or age_at: a "
          "column of times",
          "data.time.shown.zone": "there is no time zone 'Mars'; write UTC, Europe/Berlin, "
          "Asia/Shanghai, ...",
          "data.time.born.age_in": "there is no age without age_at; write age_at: a column of "
          "times, or take age_in away"}),
        ({"data.time": {"shown": {"age_at": "shown"}, "born": {"age_at": "is_buy", "unit": "h"}}},
         {"data.time.shown.age_at": "is this column itself, so that every age is 0; name another "
          "column",
          "data.time.born.age_at": "column is_buy is the label of task buy; name another: it would "
          "leak",
          "data.time.born.unit": "must be one of s, ms, us, ns, ymd, not h"}),
        ({"data.time": ["shown"], "space.drop_features": ["shown:hour"],
          "space.gate_features": ["shown:weekday"], "space.embedding_dims": {"shown:hour": 4}}, {}),
        ({"data.time": {"born": {"age_at": "shown", "parts": []}},
          "space.drop_features": ["born:age", "born:hour"],
          "space.embedding_dims": {"born:age": 4}},
         {"space.drop_features[1]": "there is no feature born:hour; features: user, item, "
          "price, history, born:age",
          "space.embedding_dims.born:age": "born:age has no embeddings of its own; columns that "
          "have: user, item"}),
        ({"data.dense": {"price": {}, "vector": {"width": 3}}, "space.gate_features": ["vector"],
          "space.embedding_dims": {"vector": 4}},
         {"data.dense.price": "column price is listed under numeric too; a column is one feature: "
          "take one away",
          "data.dense.vector.width": "unknown key; known keys: ",
          "space.embedding_dims.vector": "vector has no embeddings of its own; columns that have: "
          "user, item"}),
        ({"data.numeric": {"price": {"scale": "log1p"}, "x": {}}}, {}),
        ({"data.numeric": {"price": {"scale": "buckets", "num_buckets": 8},
          "x": {"scale": "quantile"}},
          "space.embedding_dims": {"price": 4}}, {}),
        ({"data.numeric": {"price": {"num_buckets": 8}, "x": {"scale": "log"}}},
         {"data.numeric.price.num_buckets": "only scale: buckets has buckets; write "
          "scale: buckets, or take it away",
          "data.numeric.x.scale": "must be one of standard, log1p, quantile, buckets, not log; did "
          "you mean log1p?"}),
        ({"data.sequence": {"history": {"shares": "itm"}}}, {"data.sequence.history.shares":
          "itm is not a categorical column; did you mean item?"}),
        ({"data.sequence": {"history": {"shares": "price"}}}, {"data.sequence.history.shares":
          "price is not a categorical column; categorical columns: user, item"}),
        # tasks
        ({"tasks": {}}, {"tasks": "names no task; write click: {label: is_click}"}),
        ({"tasks": {"params": {"label": "y"}}, "objectives": ["params"]}, {"tasks.params":
          "params is a model cost and cannot name a task; choose another name; "
          "the label's column may have any"}),
        ({"tasks.buy.given": "clik"}, {"tasks.buy.given":
          "there is no task clik; did you mean click?"}),
        ({"tasks.click.given": "spend"}, {"tasks.click.given":
          "a condition must be a binary task; spend is regression; leave given out | the conditions"
          " run in a circle: click -> spend -> buy -> click; leave one given out"}),
        ({"tasks.click.given": "click"}, {"tasks.click.given":
          "the conditions run in a circle: click -> click; leave one given out"}),
        ({"tasks.click.loss": "huber"}, {"tasks.click.loss": "loss is for regression; a binary task"
          " has its log loss; take loss away, or write type: regression"}),
        ({"tasks.buy": {"label": "is_click"}}, {"tasks.buy.label": "is_click is the label of task "
          "click already; take one task away, or give it another condition"}),
        ({"tasks.buy": {"label": "is_click", "given": "click"}}, {}),
        ({"tasks.click.label": "split"}, {"tasks.click.label":
          "column split is the split, not a label"}),
        # objectives
        ({"objectives": []}, {"objectives": "names no objective; write [click.auc, params]"}),
        ({"objectives": ["params", "params"]}, {"objectives[1]":
          "params stands twice; take one away"}),
        ({"objectives": ["click.acu"]}, {"objectives[0]":
          "acu is no metric of click; did you mean click.auc?"}),
        ({"constraints": ["params < 5"]}, {"constraints[0]": "must be NAME <= NUMBER or NAME >= "
          "NUMBER, not params < 5; write params <= 5"}),
        # space
        ({"space.sharing": []}, {"space.sharing":
          "names no family; write at least one: {family: shared_bottom}"}),
        ({"space.sharing": [{"family": "shared_bottom"}, {"family": "shared_bottom"}]},
         {"space.sharing[1].family":
          "shared_bottom is listed twice; write one block with a {choice: ...} or a range"}),
        ({"space.loss_weights": {"clik": 1}}, {"space.loss_weights.clik":
          "there is no task clik; did you mean click?"}),
        ({"space.weighting": {"choice": ["fixed", "decay"]}}, {"space.weighting.choice[1]":
          "decay is the same as fixed without loss_decay; "
          "write loss_decay: {TASK: {float: [0.5, 1]}}, its factor an epoch"}),
        ({"space.loss_decay": {"click": 0.5}}, {"space.loss_decay": "has no effect: weighting is "
          "never decay; write weighting: {choice: [fixed, decay]}, or take loss_decay away"}),
        ({"space.loss_decay": {"click": 0.5}, "space.weighting": {"choice": ["fixed", "decay"]}},
         {}),
        ({"space.loss_weights": {"click": 2}, "space.weighting": "uncertainty"},
         {"space.loss_weights": "has no effect: weighting is always uncertainty, "
          "which learns the weights; take loss_weights away"}),
        # features that the space names
        ({"space.drop_features": ["usr", "price"]}, {"space.drop_features[0]":
          "there is no feature usr; did you mean user?"}),
        ({"space.drop_features": {"choice": [[], ["user", "x"]]}},
         {"space.drop_features.choice[1][1]":
          "there is no feature x; features: user, item, price, history"}),
        ({"space.gate_features": ["history", "prices"]}, {"space.gate_features[1]":
          "there is no feature prices; did you mean price?"}),
        ({"space.gate_features": ["user", "item", "user"]}, {"space.gate_features[2]":
          "user stands twice; take one away"}),
        ({"space.drop_features": ["user", "price"], "space.gate_features": ["history"]}, {}),
        ({"space.drop_features": {"choice": [[], ["history", "price", "item", "user"]]}},
         {"space.drop_features.choice[1]": "leaves no feature; keep at least one"}),
        ({"space.embedding_dims": {"itm": 8}}, {"space.embedding_dims.itm":
          "itm has no embeddings of its own; did you mean item?"}),
        ({"space.embedding_dims": {"user": 8, "price": 8}}, {"space.embedding_dims.price":
          "price has no embeddings of its own; columns that have: user, item"}),
        ({"space.embedding_dims": {"history": 8}}, {"space.embedding_dims.history":
          "history has no embeddings of its own; columns that have: user, item"}),
        ({"data.sequence": {"history": {}}, "space.embedding_dims": {"history": 8}}, {}),
        # knobs of features that there are not
        ({"data.numeric": [], "space.numeric_encoding": {"choice": ["standard", "buckets"]}},
         {"space.numeric_encoding":
          "has no effect: data names no numeric column; take numeric_encoding away"}),
        ({"data.sequence": {}, "space.sequence_pooling": {"choice": ["mean", "sum"]}},
         {"space.sequence_pooling":
          "has no effect: data names no sequence column; take sequence_pooling away"}),
        ({"data.sequence": {}, "space.sequence_pooling": "sum"}, {}),  # fixed, so nothing is tried
        # generated rows
        (GENERATED | {"data.path": "a.csv"}, {"data.generate":
          "rows come from path or from generate, not both; take one away"}),
        (GENERATED | {"data.numeric": ["x0", "p_click"]}, {"data.numeric[1]": "column p_click is "
          "the truth that the labels were drawn from; take p_click away from the features: "
          "it would leak"}),
        (GENERATED | {"data.numeric": ["x9"]}, {"data.numeric[0]":
          "generated rows have no column x9; columns: user_id, item_id, context, x0, ..."}),
        (GENERATED | {"tasks": {"click": {"label": "clik"}}}, {"tasks.click.label":
          "generated rows have no column clik; did you mean click?"}),
    ],
)  # fmt: skip
def test_a_broken_rule_names_the_place_and_the_way_out(changes, found):
    assert problems(changes) == found


def test_esmm_needs_a_condition():
    tasks = {"click": {"label": "is_click"}, "like": {"label": "is_like"}}
    changes = {"tasks": tasks, "objectives": ["click.auc"]}
    words = (
        "esmm needs a task with `given`, and there is none; "
        "write given: click into a task that is observed after a click"
    )
    for written, key in (("esmm", "space.dependency"),
                         ({"choice": ["none", "esmm"]}, "space.dependency.choice[1]")):  # fmt: skip
        assert problems(changes | {"space.dependency": written}) == {key: words}


def test_a_circle_is_reported_once():
    tasks = {name: {"label": name, "given": given} for name, given in ("ab", "bc", "ca", "da")}
    found = problems({"tasks": tasks, "objectives": ["params"]})
    assert list(found) == ["tasks.a.given"]


@pytest.mark.parametrize(
    "raw",
    [
        5,
        {},
        {"data": 5, "tasks": 5, "objectives": 5, "constraints": 5, "space": 5},
        {"data": {"categorical": 5, "sequence": [5], "split": 5, "path": [5], "generate": 5}},
        {"tasks": {"a": 5, "b": {"label": 5, "given": 5, "type": 5, "loss": 5}}},
        {"tasks": {"a": {"given": ["b"]}, "b": {"label": ["x"], "given": {}}}},
        {"tasks": {"a": {}}, "objectives": [5, None], "constraints": [[], ""]},
        {"tasks": {"a": {}}, "space": {"sharing": [5, {"family": 5}], "dependency": {"choice": 5}}},
        {"tasks": {"a": {}}, "space": {"loss_weights": 5, "loss_decay": [5], "weighting": []}},
        {"data": {"numeric": ["x"]}, "space": {"drop_features": [5, ["x"]], "embedding_dims": [5]}},
        {"data": {"sequence": {"h": 5}}, "space": {"gate_features": {"choice": [5, [{}]]}}},
        {"data": {"numeric": ["x"]}, "space": {"embedding_dims": {5: 5}, "numeric_encoding": [{}]}},
    ],
)
def test_rules_look_at_any_document_without_falling(raw, tmp_path):
    check(raw, files_from=tmp_path)


@pytest.mark.parametrize(
    "block",
    [
        ImpressionsSpec(name="impressions", num_rows=50),
        RegressionPairSpec(name="regression_pair", num_rows=50, num_features=3),
    ],
)
def test_the_columns_of_generated_rows_are_known_before_they_are_made(block):
    made = [name for name in generate(block).columns if name not in TRUTH_COLUMNS]
    assert sorted(generated_columns(block.model_dump())) == sorted(made)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("none.csv", "none.csv: "),
        ("*.csv", r"\*.csv: "),
        (
            "rows.json",
            "rows.json is no kind of file that can be read; write a directory, or .parquet",
        ),
        ("rows.parquet", ""),
        (["rows.parquet", "nope.parquet"], "nope.parquet: "),
        ("*.parquet", ""),
    ],
)
def test_data_files_must_be_there(path, message, tmp_path):
    pl.DataFrame({"x": [1]}).write_parquet(tmp_path / "rows.parquet")
    every = check({"data": {"path": path}}, files_from=tmp_path)
    found = [problem for problem in every if "path" in problem.loc]
    assert bool(found) == bool(message)
    for problem in found:
        assert re.match(message, problem.rule + "; " + problem.hint)
        assert problem.loc == (("data", "path", 1) if isinstance(path, list) else ("data", "path"))
