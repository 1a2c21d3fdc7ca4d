"""What a search would do: told without a file written."""

from pathlib import Path

import pytest

from automtl.data.cache import open_data
from automtl.errors import RunError
from automtl.search import dry_run as module
from automtl.search.dry_run import dry_run
from automtl.search.plan import plan_trials
from automtl.spec.schema import Spec
from automtl.study_writer import create_study

RAW = {
    "version": 1,
    "name": "tiny",
    "data": {
        "generate": {"name": "impressions", "num_rows": 40_000},
        "split": {"column": "split"},
        "categorical": ["user_id", "item_id"],
    },
    "tasks": {"click": {"label": "click"}, "buy": {"label": "conversion", "given": "click"}},
    "objectives": ["click.auc", "params"],
    "space": {
        "sharing": [
            {"family": "shared_bottom"},
            {"family": "mmoe", "num_shared_experts": {"int": [2, 4]}},
        ],
        "embedding_dim": {"choice": [4, 8]},
        "expert_dims": [8],
        "tower_dims": [],
        "lr": {"float": [1e-4, 1e-2], "log": True},
    },
    "search": {"trials": 30},
    "trial": {"device": "cpu"},
}


@pytest.fixture(autouse=True)
def _aside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTOMTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "BURST_S", 0.02)


def make(**search):
    return Spec.from_dict({**RAW, "search": RAW["search"] | search})


def files():
    return sorted(str(path) for path in Path().rglob("*"))


def test_nothing_is_encoded_or_written_for_it():
    found = dry_run(make(), Path("reports/tiny"))
    assert files() == []
    assert (found.num_rows, found.examples, found.seconds, found.bursts) == (None, None, None, ())
    assert found.rungs == pytest.approx((1 / 3,))
    assert "encoded rows will tell" in found.why


def test_with_encoded_rows_it_counts_examples_and_time():
    spec = make()
    data = open_data(spec)
    before = files()
    found = dry_run(spec, Path("reports/tiny"), workers=2)
    assert files() == before
    assert found.num_rows == data.num_rows
    assert (found.num_references, found.baselines) == (5, ("shared_bottom", "mmoe"))
    assert found.num_search == 30 - len(plan_trials(spec)) == 23
    assert found.num_judged == 30 - 1 - 2, "all but the defaults"
    assert sum(number for _, number in found.expected_ends) == pytest.approx(found.num_judged)
    assert found.examples < found.examples_without_rungs
    assert found.examples_without_rungs == pytest.approx(30 * data.num_rows["train"])
    assert 1 <= len(found.bursts) <= 3
    assert "single_task" in {burst.family for burst in found.bursts}
    low, high = found.seconds
    assert 0 < low <= high
    assert found.ends_by == ""


def test_rare_positives_leave_out_rungs():
    spec = make(rungs=6)
    open_data(spec)
    found = dry_run(spec, Path("reports/tiny"))
    assert 0 < len(found.rungs) < 5
    assert "positives in train" in found.why


def test_a_limit_in_hours_caps_the_time():
    spec = make(trials=3000, wall_hours=1 / 3600)
    open_data(spec)
    found = dry_run(spec, Path("reports/tiny"), executor="local")
    assert found.workers == 1
    assert found.seconds[1] == pytest.approx(1.0)
    assert found.ends_by == "search.wall_hours"


def test_a_model_that_cannot_be_timed_is_no_reason_to_fail(monkeypatch):
    from automtl.errors import TrialFailedError
    from automtl.training import burst

    def fail(*arguments, **options):
        raise TrialFailedError("no memory")

    monkeypatch.setattr(burst, "measure_burst", fail)
    spec = make()
    open_data(spec)
    found = dry_run(spec, Path("reports/tiny"))
    assert (found.bursts, found.seconds) == ((), None)
    assert found.examples is not None


def test_where_a_search_could_not_start_a_dry_run_says_so():
    Path("reports/tiny").mkdir(parents=True)
    Path("reports/tiny/notes.txt").touch()
    with pytest.raises(RunError, match="never overwritten"):
        dry_run(make(), Path("reports/tiny"))


def test_with_resume_it_is_about_the_rest():
    spec, run = make(), Path("reports/tiny")
    create_study(run, spec, open_data(spec))
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    found = dry_run(make(trials=40), run, resume=True)
    assert (found.num_trials, found.num_done) == (40, 0)
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before
    with pytest.raises(RunError, match=r"search\.eta was 3 and is now 4"):
        dry_run(make(eta=4), run, resume=True)
