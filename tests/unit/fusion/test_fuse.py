"""From a run or a bundle to a score with numbers, judged on test rows by another program."""

import json
import shutil

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from automtl.cli.app import main
from automtl.errors import BundleError, DataError, RunError, ScoreError
from automtl.export.bundle import Bundle
from automtl.fusion import fuse as module
from automtl.fusion.fuse import fuse
from automtl.fusion.text import fusion_text
from automtl.search.run import run_search
from automtl.spec.load import load_spec

STRANGE = "<script>\x1b(31mprice"  # a column of the rows


@pytest.fixture(scope="session")
def trial(bundle_dir):
    """The picked trial: on the front, and not the reference."""
    return Bundle.load(bundle_dir).manifest.measured.trial


@pytest.fixture(scope="session")
def scored(bundle_dir, rows):
    """Every row with the bundle's predictions beside it."""
    predictions = Bundle.load(bundle_dir).predict(rows)
    return rows.drop(predictions.columns, strict=False).hstack(predictions)


def sold(frame):
    return (frame["conversion"].fill_null(0) * frame["click"]).to_numpy()


def test_what_is_printed_is_what_was_measured(run_dir, scored, trial):
    found = fuse(run_dir, "click^a * buy^b * price^c", how=trial)
    assert found.parameters["a"] == 1
    assert found.fixed == "a"
    powers = found.parameters
    for split, value in (("valid", found.validation), ("test", found.test.estimate)):
        part = scored.filter(pl.col("split") == split)
        score = part["p_click"] * part["p_buy"] ** powers["b"] * part["price"] ** powers["c"]
        assert value == pytest.approx(roc_auc_score(sold(part), score.to_numpy()), abs=1e-6)
        assert found.num_rows[split] == part.height
        assert found.num_events[split] == sold(part).sum()
    assert found.test.low < found.test.estimate < found.test.high
    again = fuse(run_dir, found.filled, how=trial)
    assert (again.num_tried, again.test) == (1, found.test)


def test_the_rivals_are_the_best_prediction_all_ones_and_the_single_task(run_dir, study, trial):
    found = fuse(run_dir, "click^a * buy^b", how=trial)
    alone, ones, apart = found.rivals
    assert (ones.name, ones.score) == ("every parameter 1", "click * buy")
    single = [fuse(run_dir, name, how=trial) for name in ("p_click", "p_buy", "p_buy_and_click")]
    best = max(single, key=lambda one: one.validation)
    assert (alone.score, alone.validation, alone.test) == (best.score, best.validation, best.test)
    reference = study.reference().id
    own = fuse(run_dir, "click^a * buy^b", how=reference)
    assert apart.name == f"single_task {reference}"
    assert (apart.score, apart.validation, apart.test) == (own.filled, own.validation, own.test)
    for rival in found.rivals:
        assert rival.lead.estimate == pytest.approx(found.test.estimate - rival.test.estimate)
    assert found.validation >= ones.validation
    assert [one.name for one in own.rivals][:1] == ["best prediction alone"]
    assert "the single_task reference itself" in own.notes[-1]


def test_the_same_question_has_the_same_answer(run_dir):
    asked = {"metric": "ndcg@5", "group": "user_id"}
    assert fuse(run_dir, "click^a * buy^b", **asked) == fuse(run_dir, "click^a * buy^b", **asked)


def test_a_bundle_gives_what_its_run_gives_but_no_reference(run_dir, bundle_dir, trial):
    of_run, of_bundle = (
        fuse(place, "a*click + b*buy", how=how)
        for place, how in ((run_dir, trial), (bundle_dir, None))
    )
    assert (of_bundle.filled, of_bundle.test) == (of_run.filled, of_run.test)
    assert of_bundle.rivals == of_run.rivals[:-1]
    assert of_bundle.notes[-1].endswith("a bundle holds no single_task reference, its run does")


def test_worth_at_the_top_of_each_list(run_dir, scored, trial):
    """By a plain loop; the price counts where something was sold."""
    found = fuse(
        run_dir,
        "p_buy_and_click * price",
        metric="value@3",
        group="user_id",
        value="price",
        how=trial,
    )
    part = scored.filter(pl.col("split") == "test")
    score = (part["p_buy_and_click"].cast(pl.Float64) * part["price"]).to_numpy()
    worth = part["price"].to_numpy() * sold(part)
    users = part["user_id"].to_numpy()
    totals = []
    for user in set(users):
        rows = sorted(np.flatnonzero(users == user), key=lambda row: -score[row])
        totals.append(sum(worth[row] for row in rows[:3]))
    assert found.test.estimate == pytest.approx(np.mean(totals))
    assert found.num_groups["test"] == len(totals)


def test_any_event_can_come_first(run_dir, scored, trial):
    part = scored.filter(pl.col("split") == "test")
    expected = roc_auc_score(part["click"], part["p_click"])
    found = fuse(run_dir, "click", event="click", how=trial)
    assert found.event == "click"
    assert found.test.estimate == pytest.approx(expected, abs=1e-6)
    assert fuse(run_dir, "click").event == "buy and click"


def test_rows_without_a_list_and_lists_without_the_event_are_told(run_dir, scored, trial):
    found = fuse(run_dir, "click", metric="ndcg@2", group="stock", how=trial)
    part = scored.filter(pl.col("split") == "test")
    assert found.num_rows["test"] == part["stock"].count()
    missing = part["stock"].null_count()
    assert f"left out: {missing:,} test rows without stock" in found.notes
    assert any("test groups of stock without the event" in note for note in found.notes)


def test_a_parameter_at_the_end_of_its_range_is_told(run_dir):
    found = fuse(run_dir, "click^a * told^b", event="click")
    assert found.parameters["b"] == 8
    assert found.notes[0].startswith("b is at the end of its range, 0.125 to 8: its part counts")


@pytest.mark.parametrize("asked", [{}, {"metric": "ndcg@5", "group": "user_id"}])
def test_of_many_rows_some_are_searched(run_dir, monkeypatch, asked):
    monkeypatch.setattr(module, "MOST_SEARCHED", 500)
    found = fuse(run_dir, "click^a * buy^b", **asked)
    assert 400 <= found.num_searched <= 500
    told = f"searched on {found.num_searched:,} of the validation rows, drawn at random"
    assert told in found.notes
    assert fuse(run_dir, "click^a * buy^b", **asked) == found


GENERATED = """
version: 1
name: generated
data:
  generate: {name: impressions, num_rows: 4000}
  split: {column: split}
  categorical: [item_id]
tasks: {click: {label: click}}
objectives: [click.auc]
space:
  sharing: [{family: shared_bottom}]
  embedding_dim: 4
  expert_dims: [4]
  tower_dims: []
search: {trials: 2, epochs: 0.2, rungs: 1}
trial: {device: cpu}
"""


@pytest.fixture
def searched(tmp_path, monkeypatch):
    """A search of a changed spec of generated rows."""
    monkeypatch.setenv("AUTOMTL_CACHE", str(tmp_path / "cache"))

    def search(**changes):
        (tmp_path / "spec.yaml").write_text(GENERATED)
        spec = load_spec(
            tmp_path / "spec.yaml", overrides=[f"{key}={value}" for key, value in changes.items()]
        )
        run_search(spec, tmp_path / "run", executor="local")
        return tmp_path / "run"

    return search


def test_generated_rows_and_one_task_without_a_condition(searched):
    """Columns that the spec leaves out are there too."""
    run_dir = searched()
    found = fuse(run_dir, "p_conversion^a * click^b", metric="ndcg@3", group="user_id")
    assert found.event == "click"
    with pytest.raises(DataError, match=r"data\.generate impressions: no column 'user'"):
        fuse(run_dir, "click", group="user")


def test_without_test_rows_there_is_nothing_to_report(searched):
    run_dir = searched(**{"data.split": "{random: true, test: 0}"})
    with pytest.raises(DataError, match="its split has no test rows"):
        fuse(run_dir, "click")


# ---- mistakes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "asked", "said"),
    [
        ("clik", {}, "did you mean 'click'"),
        ("click * conversion", {}, "'conversion' is the label of buy, known only afterwards"),
        ("click", {"metric": "map"}, "choices: auc, ndcg@10, value@10"),
        ("click", {"metric": "ndcg@5"}, "say --group COLUMN"),
        ("click", {"value": "price"}, "--value price: is for value@K"),
        ("click", {"event": "by"}, r"no binary task \(did you mean 'buy'\?\); choices: click, buy"),
        ("click", {"event": "spend"}, "no binary task"),
        ("click^a * margin^b", {}, r"margin is negative in [\d,]+ valid rows"),
        (
            "(1 - a*click)^b",
            {},
            r"1 - a \* click is negative in .*a weight is searched from 0.0001 to 10000, so write "
            r"a number that is small enough in place of a, or add where it takes away",
        ),
    ],
)
def test_what_cannot_be_asked_says_why(run_dir, score, asked, said):
    with pytest.raises(ScoreError, match=said):
        fuse(run_dir, score, **asked)


@pytest.mark.parametrize(
    ("score", "asked", "said"),
    [
        ("click * stock", {}, "column 'stock': .* valid rows have no number"),
        ("click * context", {}, "is not a number"),
        ("click", {"group": "users"}, "no column 'users'"),
        (
            "click",
            {"metric": "value@2", "group": "user_id", "value": "stock"},
            "valid rows with the event have no number there",
        ),
    ],
)
def test_columns_that_do_not_fit_say_why(run_dir, score, asked, said):
    with pytest.raises(DataError, match=said):
        fuse(run_dir, score, **asked)


def test_a_place_that_is_neither_says_so(run_dir, bundle_dir, tmp_path):
    with pytest.raises(RunError, match=r"neither a run .* nor a bundle"):
        fuse(tmp_path, "click")
    with pytest.raises(BundleError, match="a bundle is one trial; leave --pick out"):
        fuse(bundle_dir, "click", how="knee")
    with pytest.raises(RunError, match="no such trial"):
        fuse(run_dir, "click", how="t0999")


def test_a_bundle_whose_rows_changed_is_refused(root, tmp_path):
    copied = tmp_path / "bundle"
    shutil.copytree(root / "bundle", copied)
    kept = (root / "rows.parquet").read_bytes()
    try:
        pl.read_parquet(root / "rows.parquet").reverse().write_parquet(root / "rows.parquet")
        with pytest.raises(BundleError, match="are not those of the search"):
            fuse(copied, "click")
    finally:
        (root / "rows.parquet").write_bytes(kept)


# ---- the command ---------------------------------------------------------------------------


@pytest.fixture
def run(capsys):
    """The command line: exit code, stdout, stderr."""

    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            main([str(one) for one in arguments])
        return (end.value.code or 0, *capsys.readouterr())

    return call


def test_the_command_prints_a_table_or_json(run, run_dir, trial):
    asked = ("fuse", run_dir, "--score", "click^a * buy^b", "--group", "user_id", "--pick", trial)
    code, out, err = run(*asked)
    assert (code, err) == (0, "")
    found = fuse(run_dir, "click^a * buy^b", group="user_id", how=trial)
    assert out == fusion_text(found)
    assert f"found      {found.filled}\n" in out
    groups = f"{found.num_groups['test']:,} whole groups of user_id"
    assert f"intervals  95 %, DeLong's, {groups} taken as independent\n" in out
    for rival in found.rivals:
        assert rival.name in out
        assert f"{rival.name}: {rival.score}\n" in out
    code, out, _ = run(*asked, "--json")
    assert code == 0
    told = json.loads(out)
    assert told["parameters"] == found.parameters
    assert told["test"]["estimate"] == found.test.estimate
    assert [one["name"] for one in told["rivals"]] == [one.name for one in found.rivals]


def test_a_column_with_a_strange_name_is_printed_safely(run, bundle_dir):
    code, out, err = run("fuse", bundle_dir, "--score", f"click^a * [{STRANGE}]^b")
    assert (code, err) == (0, "")
    assert "[<script>?(31mprice]^" in out
    assert "\x1b" not in out
    code, out, err = run("fuse", bundle_dir, "--score", f"click^a * [{STRANGE} lost]^b")
    assert (code, out) == (2, "")
    assert "\x1b" not in err
    assert err.endswith("\n            ^\n")


def test_a_mistake_is_shown_with_its_place(run, bundle_dir):
    code, out, err = run("fuse", bundle_dir, "--score", "click^a * bay^b")
    assert (code, out) == (2, "")
    assert err.startswith("error: --score: no prediction and no column is called 'bay' (did you")
    assert err.endswith("\n  click^a * bay^b\n            ^\n")
