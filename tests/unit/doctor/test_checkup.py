"""Every planted fault is found, and a table without a fault has none."""

import datetime as dt
import json

import numpy as np
import polars as pl
import pytest
from support.data_spec import make_spec
from support.sick import FEATURES, TASKS, checkup, healthy, told, warnings_before_search

from automtl.data.cache import open_data
from automtl.doctor.checkup import examine
from automtl.errors import DataError


def with_categorical(*names):
    return {"categorical": [*FEATURES["categorical"], *names]}


def with_numeric(*names):
    return {"numeric": [*FEATURES["numeric"], *names]}


def noise(seed=1, num_rows=12_000):
    return np.random.default_rng(seed).normal(size=num_rows)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_table_without_a_fault_has_no_warning(tmp_path, seed):
    found = checkup(healthy(seed=seed), tmp_path)
    assert found.is_usable
    assert {severity for severity, _, _ in told(found)} <= {"note"}
    assert {check for _, check, _ in told(found)} <= {"few_labels", "rungs"}
    assert warnings_before_search(healthy(seed=seed), tmp_path) == []


@pytest.mark.parametrize(
    ("column", "data", "place"),
    [
        (pl.col("click"), with_categorical("x"), "data.categorical: x"),
        (pl.when(pl.col("click") == 1).then(pl.lit("no")).otherwise(pl.lit("yes")),
         with_categorical("x"), "data.categorical: x"),
        (pl.col("click") * -7.5, with_numeric("x"), "data.numeric: x"),
        (pl.when(pl.col("click") == 1).then(pl.col("price")), with_numeric("x"), "data.numeric: x"),
        (pl.when(pl.col("click") == 1).then(pl.col("user_id") % 7).otherwise(100),
         with_categorical("x"), "data.categorical: x"),
        (pl.concat_list(pl.col("click") + 50, pl.lit(3)),
         {"sequence": {"x": {"max_len": 2}}}, "data.sequence: x"),
    ],
    ids=["the label", "renamed", "scaled", "known if clicked", "refined", "an item"],
)  # fmt: skip
def test_a_feature_that_is_the_label_is_an_error(tmp_path, column, data, place):
    frame = healthy().with_columns(x=column)
    found = checkup(frame, tmp_path, data=data)
    assert ("error", "leak", place) in told(found)
    assert not found.is_usable
    (leak,) = (one for one in found.findings if one.severity == "error")
    assert leak.says.startswith("tells click without an exception")
    with pytest.raises(DataError, match=r"tells click without an exception.*take x away"):
        warnings_before_search(frame, tmp_path, data=data)


def test_a_feature_that_nearly_is_the_label_is_a_warning(tmp_path):
    frame = healthy().with_columns(x=pl.col("click") + pl.Series(noise()) * 0.2)
    found = checkup(frame, tmp_path, data=with_numeric("x"))
    assert ("warning", "leak", "data.numeric: x") in told(found)
    (said,) = warnings_before_search(frame, tmp_path, data=with_numeric("x"))
    assert "LEAK? alone it tells click with an AUC of 0.99" in said


def test_a_label_after_a_condition_leaks_as_well(tmp_path):
    frame = healthy().with_columns(x=pl.col("buy") + pl.Series(noise()) * 0.2)
    leaks = [
        one.says
        for one in checkup(frame, tmp_path, data=with_numeric("x")).findings
        if one.check == "leak"
    ]
    assert len(leaks) == 1
    assert "tells buy" in leaks[0]


def test_a_good_feature_among_good_ones_is_a_note_and_far_ahead_of_all_a_warning(tmp_path):
    told_by = {"x": 0.4, "y": 0.5}  # AUC about 0.96 and 0.92
    frame = healthy().with_columns(
        **{
            name: pl.col("click") + pl.Series(noise(seed)) * spread
            for seed, (name, spread) in enumerate(told_by.items())
        }
    )
    among = told(checkup(frame, tmp_path, data=with_numeric("x", "y")))
    assert ("note", "leak", "data.numeric: x") in among
    alone = told(checkup(frame, tmp_path, data=with_numeric("x")))
    assert ("warning", "leak", "data.numeric: x") in alone


def test_an_id_of_few_rows_cannot_know_labels_by_heart(tmp_path):
    frame = healthy().with_columns(x=pl.int_range(pl.len()) // 2)  # two rows each
    found = checkup(frame, tmp_path, data=with_categorical("x"))
    assert "leak" not in {check for _, check, _ in told(found)}


def test_a_number_that_leaks_a_regression_label(tmp_path):
    frame = healthy().with_columns(spend=pl.Series(noise(3)).exp(), x=pl.Series(noise(3)) ** 3)
    tasks = {"spend": {"label": "spend", "type": "regression"}}
    found = checkup(frame, tmp_path, data=with_numeric("x"), tasks=tasks)
    assert ("error", "leak", "data.numeric: x") in told(found)
    clean = checkup(frame, tmp_path, tasks=tasks)
    assert not told(clean)


def test_too_few_positives_are_counted_and_so_are_those_that_are_needed(tmp_path):
    frame = healthy().with_columns(rare=(pl.int_range(pl.len()) % 100 == 0).cast(pl.Int8))
    found = checkup(frame, tmp_path, tasks={"rare": {"label": "rare"}})
    assert ("warning", "few_labels", "tasks.rare") in told(found)
    assert ("note", "rungs", "search.rungs") in told(found)
    says = " ".join(one.says for one in found.findings)
    assert "positives; below 200" in says
    assert "±0.05 needs about 1" in says


def test_a_test_split_without_positives_has_no_auc(tmp_path):
    frame = healthy().with_columns(
        click=pl.when(pl.col("split") == "test").then(0).otherwise("click")
    )
    found = checkup(frame, tmp_path, tasks={"click": {"label": "click"}})
    assert ("warning", "few_labels", "tasks.click") in told(found)
    assert any("test has no positives" in one.says for one in found.findings)


def test_a_rate_that_differs_between_splits(tmp_path):
    keep = (pl.col("split") != "valid") | (pl.col("click") == 1) | (pl.col("user_id") % 4 == 0)
    found = checkup(healthy(20_000).filter(keep), tmp_path)
    assert ("warning", "label_drift", "tasks.click") in told(found)
    assert ("warning", "label_drift", "tasks.buy") not in told(found)  # after a click: the same


def test_a_mean_that_differs_between_splits(tmp_path):
    spend = pl.Series(noise(3)) + 2 * (pl.col("split") == "valid")
    tasks = {"spend": {"label": "spend", "type": "regression"}}
    found = checkup(healthy().with_columns(spend=spend), tmp_path, tasks=tasks)
    assert ("warning", "label_drift", "tasks.spend") in told(found)


def test_features_may_drift_by_time_but_not_at_random(tmp_path):
    day = pl.int_range(pl.len())
    frame = healthy().with_columns(
        day=day, x=pl.Series(noise()) + 3 * day / pl.len(), tag=(day // 2500).cast(pl.String)
    )
    by_time = checkup(
        frame, tmp_path, data={**with_numeric("x"), "split": {"time": "day", "valid": 0.2}}
    )
    assert ("note", "drift", "data.numeric: x") in told(by_time)
    spread = frame.with_columns(x=pl.col("x") + 3 * (pl.col("user_id") < 20))
    by_group = checkup(
        spread,
        tmp_path,
        data={"categorical": ["item_id"], **with_numeric("x"), "split": {"group": "user_id"}},
    )
    assert "drift" not in {check for _, check, _ in told(by_group)}


def test_ids_that_valid_has_and_train_never_showed(tmp_path):
    fresh = pl.when(pl.col("split") == "train").then(pl.col("tag")).otherwise(pl.lit("new"))
    found = checkup(healthy().with_columns(tag=fresh), tmp_path)
    assert ("warning", "unseen", "data.categorical: tag") in told(found)
    by_group = {"split": {"group": "user_id", "valid": 0.2, "test": 0.2}}
    (one,) = (
        f for f in checkup(healthy(), tmp_path, data=by_group).findings if f.check == "unseen"
    )
    assert one.place == "data.categorical: user_id"
    assert "100 % of valid rows" in one.says
    assert "the split is by user_id" in one.write


def test_columns_that_say_nothing(tmp_path):
    frame = healthy().with_columns(
        always=pl.lit(4.5),
        never=pl.lit(None, dtype=pl.String),
        nearly=(pl.int_range(pl.len()) % 1500 == 0).cast(pl.Int8),
        gaps=pl.when(pl.int_range(pl.len()) % 3 == 0).then("price"),
    )
    found = checkup(
        frame,
        tmp_path,
        data={**with_categorical("never", "nearly"), **with_numeric("always", "gaps")},
    )
    assert told(found) >= {
        ("warning", "constant", "data.numeric: always"),
        ("warning", "constant", "data.categorical: never"),
        ("note", "nearly_constant", "data.categorical: nearly"),
        ("note", "missing", "data.numeric: gaps"),
    }


def test_rows_that_were_put_into_train_and_valid(tmp_path):
    frame = healthy()
    copied = frame.filter(pl.col("split") == "train").head(600)
    both = pl.concat([frame, copied.with_columns(split=pl.lit("valid"))])
    found = checkup(both, tmp_path)
    assert ("warning", "copied_rows", "data.split") in told(found)
    assert found.duplicates is not None
    num_valid = both["split"].value_counts().filter(pl.col("split") == "valid")["count"][0]
    assert found.duplicates.across["valid"] == pytest.approx(600 / num_valid)
    assert found.duplicates.across["test"] == found.duplicates.within == 0


def test_a_file_that_was_read_twice(tmp_path):
    frame = healthy()
    found = checkup(pl.concat([frame, frame]), tmp_path)
    assert ("warning", "duplicates", "data.path") in told(found)
    assert ("warning", "copied_rows", "data.split") not in told(found)  # every split has its own


def test_coarse_rows_repeat_by_themselves(tmp_path):
    found = checkup(healthy().with_columns(price=0.5), tmp_path, data={"categorical": ["tag"],
                    "numeric": [], "sequence": {}})  # fmt: skip
    assert ("warning", "copied_rows", "data.split") not in told(found)


def test_a_random_split_of_rows_that_have_a_time(tmp_path):
    day = pl.lit(dt.date(2024, 1, 1)) + pl.duration(days=pl.int_range(pl.len()) % 30)
    frame = healthy().with_columns(event_date=day)
    at_random = {"split": {"random": True}}
    assert ("warning", "random_split", "data.split") in told(
        checkup(frame, tmp_path, data=at_random)
    )
    assert warnings_before_search(frame, tmp_path, data=at_random)
    by_time = {"split": {"time": "event_date"}}
    assert "random_split" not in {c for _, c, _ in told(checkup(frame, tmp_path, data=by_time))}
    untimed = healthy().with_columns(play_time=pl.lit(3))  # an outcome, no time
    assert "random_split" not in {c for _, c, _ in told(checkup(untimed, tmp_path, data=at_random))}


def test_positives_whose_condition_does_not_hold(tmp_path):
    some = pl.int_range(pl.len()) % 20 == 0
    found = checkup(healthy().with_columns(buy=pl.when(some).then(1).otherwise("buy")), tmp_path)
    (one,) = (one for one in found.findings if one.check == "outside_condition")
    frame = healthy()
    outside = frame.filter(some & (pl.col("click") == 0)).height
    assert one.says.startswith(f"{outside} of the ")
    computed = {"click": {"label": "click > 0"}, "buy": {"label": "buy == 1", "given": "click"}}
    again = checkup(healthy().with_columns(buy=pl.when(some).then(1).otherwise("buy")), tmp_path,
                    tasks=computed)  # fmt: skip
    assert one in again.findings
    most = healthy().with_columns(buy=1 - pl.col("click"))
    noisy = most.with_columns(buy=pl.when(some).then(1 - pl.col("buy")).otherwise("buy"))
    assert ("warning", "outside_condition", "tasks.buy") in told(checkup(noisy, tmp_path))


def test_conditional_and_joint_rates(tmp_path):
    frame = healthy()
    valid = frame.filter(pl.col("split") == "valid")
    (buy,) = (
        one for one in checkup(frame, tmp_path).labels if (one.task, one.split) == ("buy", "valid")
    )
    assert buy.num_observed == valid["click"].sum()
    assert buy.rate == pytest.approx(valid["buy"].sum() / valid["click"].sum())
    assert buy.joint_rate == pytest.approx(valid["buy"].mean())


def test_a_checkup_is_plain_data(tmp_path):
    found = checkup(healthy(), tmp_path, tasks={"price": {"label": "click", "type": "regression"}})
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert document["usable"] is True
    assert document["labels"][0]["joint_rate"] is None
    assert [one["name"] for one in document["columns"]] == [
        "user_id", "item_id", "tag", "history", "price"
    ]  # fmt: skip


def vectors(frame, seed=5, width=6):
    return np.random.default_rng(seed).normal(size=(frame.height, width)).astype(np.float32)


def with_vectors(vectors_ND):
    return healthy().with_columns(v=pl.Series(vectors_ND.tolist(), dtype=pl.List(pl.Float32)))


DENSE = {"dense": ["v"]}


def test_vectors_without_a_fault_are_no_finding(tmp_path):
    found = checkup(with_vectors(vectors(healthy())), tmp_path, data=DENSE)
    assert {check for _, check, _ in told(found)} <= {"few_labels", "rungs"}
    (facts,) = (one for one in found.columns if one.kind == "dense")
    assert (facts.name, facts.missing["train"]) == ("v", 0)


def test_a_label_inside_a_vector_is_found_by_one_direction(tmp_path):
    frame = healthy()
    inside = vectors(frame)
    inside[:, 2] += 8 * frame["click"].to_numpy()
    inside[:, 4] -= 8 * frame["click"].to_numpy()
    found = checkup(with_vectors(inside), tmp_path, data=DENSE)
    (leak,) = (one for one in found.findings if one.check == "leak")
    assert (leak.place, leak.severity) in {("data.dense: v", "warning"), ("data.dense: v", "error")}
    assert "by one direction" in leak.says
    assert "take v away from data.dense" in leak.write


def test_vectors_that_say_nothing(tmp_path):
    frame = healthy()
    same = np.tile(vectors(frame)[:1], (frame.height, 1))
    assert ("warning", "constant", "data.dense: v") in told(
        checkup(with_vectors(same), tmp_path, data=DENSE)
    )
    half = vectors(frame)
    half[: frame.height // 2] = 0
    half[:, 3] = 7
    found = told(checkup(with_vectors(half), tmp_path, data=DENSE))
    assert ("note", "one_vector", "data.dense: v") in found
    assert ("note", "still_places", "data.dense: v") in found


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_ids_that_often_stand_for_no_value(tmp_path, suffix):
    texts = pl.Series([r"\N", "NA", "a", "b"] * 3000)
    frame = healthy().drop("history").with_columns(x=texts, y=texts.replace({r"\N": None}))
    frame = frame.with_columns(z=pl.Series(["NULL"] * 5 + ["a", "b", "c", "d"] * 2999)[:12_000])
    path = tmp_path / f"rows.{suffix}"
    frame.write_csv(path) if suffix == "csv" else frame.write_parquet(path)
    data = {"path": str(path), **with_categorical("x", "y", "z"), "numeric": ["price"]}

    def found(**more):
        spec = make_spec({**data, **more}, TASKS)
        return [one for one in examine(spec, open_data(spec)).findings if "texts" in one.check]

    if suffix == "parquet":
        assert found() == []
        return
    assert [(one.severity, one.place) for one in found()] == [
        ("warning", "data.categorical: x"),
        ("warning", "data.categorical: y"),
    ]
    assert str(found()[0]) == (
        r"data.categorical: x: has NA in 3,000 rows and \N in 3,000 rows as an id like any other;"
        r" if it stands for no value, write data.missing: ['NA', '\N']"
    )
    assert [one.place for one in found(missing=["NA"])] == ["data.categorical: x"]
    assert found(missing=["NA", r"\N"]) == []
