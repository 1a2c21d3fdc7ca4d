import errno
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from support.golden import check
from support.study import make_study

from automtl.cli.app import main
from automtl.errors import DataError, RunError, SearchFailedError

SPEC = """\
version: 1
name: tiny
data:
  generate: {name: impressions, num_rows: 4000}
  split: {column: split}
  categorical: [user_id, item_id]
tasks:
  click: {label: click}
  buy: {label: conversion, given: click}
objectives: [click.auc, params]
space:
  sharing:
    - {family: shared_bottom}
    - {family: mmoe, num_shared_experts: {int: [2, 4]}}
  embedding_dim: {choice: [4, 8]}
  expert_dims: [8]
  tower_dims: []
search: {trials: 6}
"""


@pytest.fixture(autouse=True)
def _aside(tmp_path, monkeypatch):
    """Each test in a directory of its own, with no cache of before."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTOMTL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def run(capsys):
    """The command line: exit code, stdout, stderr."""

    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        code = end.value.code
        return (0 if code is None else code, *capsys.readouterr())

    return call


@pytest.fixture
def study(monkeypatch, tmp_path):
    found = make_study(12)
    monkeypatch.setattr("automtl.study.Study.open", lambda run_dir: found)
    (tmp_path / "RUN").mkdir()
    return found


# ---- help ----------------------------------------------------------------------------------


def test_the_version(run):
    code, out, _ = run("--version")
    assert code == 0
    assert re.fullmatch(r"automtl \d+\.\d+\.\d+\S*\n", out)


def test_a_wrong_option_is_code_2(run):
    code, out, err = run("search", "x.yaml", "--nope")
    assert (code, out) == (2, "")
    assert "--nope" in err


# ---- a spec --------------------------------------------------------------------------------


def test_a_good_spec_is_summed_up(run):
    Path("tiny.yaml").write_text(SPEC)
    code, out, err = run("validate", "tiny.yaml")
    assert (code, err) == (0, "")
    check("validate.txt", out)


def test_sizes_count_embeddings_once_the_rows_are_encoded(run):
    from automtl.data.cache import open_data
    from automtl.spec.load import load_spec

    Path("tiny.yaml").write_text(SPEC)
    open_data(load_spec("tiny.yaml"))
    code, out, _ = run("validate", "tiny.yaml")
    assert code == 0
    assert re.search(r"^rows +3,\d+ train, \d+ valid, \d+ test$", out, re.MULTILINE)
    assert re.search(
        r"smallest +shared_bottom, [\d.]+k parameters \([\d.]+k embedding, \d+ dense\)", out
    )


def vectors(dtype):
    """A spec over a file with a column of vectors, and the file."""
    rows = pl.DataFrame({"v": [[0.5] * 8] * 4, "event_date": [1] * 4, "click": [0, 1, 0, 1]})
    rows.with_columns(pl.col("v").cast(dtype)).write_parquet("rows.parquet")
    data = "  path: rows.parquet\n  split: {random: true}\n  dense: [v]\n"
    head, _, tail = SPEC.partition("  generate:")
    tasks = tail[tail.index("tasks:") :].replace("conversion", "bought")
    Path("tiny.yaml").write_text(head + data + tasks)


def test_vectors_count_in_sizes_where_the_file_says_how_long_they_are(run):
    found = []
    for dtype in (pl.Array(pl.Float32, 8), pl.List(pl.Float32)):
        vectors(dtype)
        code, out, _ = run("validate", "tiny.yaml", "--json")
        assert code == 0
        found.append(json.loads(out))
    known, unknown = found
    assert (known["unsized"], unknown["unsized"]) == ([], ["v"])
    added = known["smallest"]["params_dense"] - unknown["smallest"]["params_dense"]
    assert added == 8 * 8  # one more input of the expert's eight units for each number
    assert "dense parameters (embeddings, v: not known yet)" in run("validate", "tiny.yaml")[1]


def test_a_random_split_beside_a_time_is_told_at_once(run):
    vectors(pl.List(pl.Float32))
    code, _, err = run("validate", "tiny.yaml")
    assert code == 0
    assert err.startswith("warning: data.split: is random, but event_date looks like a time")


def test_the_summary_as_json_follows_the_overrides(run):
    Path("tiny.yaml").write_text(SPEC)
    code, out, _ = run(
        "validate", "tiny.yaml", "--json", "--set", "search.trials=3", "--set", "name=b"
    )
    found = json.loads(out)
    assert code == 0
    assert (found["valid"], found["name"], found["num_trials"]) == (True, "b", 3)
    assert found["num_configs"] == 2 * (1 + 3)
    assert found["smallest"]["params_dense"] < found["largest"]["params_dense"]


def test_all_problems_of_a_spec_with_their_places(run):
    Path("bad.yaml").write_text(SPEC.replace("tower_dims", "tower_dim").replace("[4, 8]", "[]"))
    code, out, err = run("validate", "bad.yaml")
    assert (code, out) == (2, "")
    assert re.search(r"^bad\.yaml:15:\d+ ", err, re.MULTILINE)
    assert re.search(r"^bad\.yaml:17:3 ", err, re.MULTILINE)
    assert "tower_dims" in err  # did you mean
    assert "\n2 problems" in err
    assert "   17 |   tower_dim: []\n" in err
    assert re.search(r"\|   \^$", err, re.MULTILINE)


def test_problems_as_json(run):
    Path("bad.yaml").write_text(SPEC.replace("tower_dims", "tower_dim"))
    code, out, err = run("validate", "bad.yaml", "--json")
    assert (code, err) == (2, "")
    (problem,) = json.loads(out)["problems"]
    assert (problem["file"], problem["line"], problem["column"]) == ("bad.yaml", 17, 3)


def test_a_missing_spec_is_code_2(run):
    code, _, err = run("validate", "nowhere.yaml")
    assert code == 2
    assert "nowhere.yaml" in err
    assert "Traceback" not in err


def test_the_schema_is_json(run):
    code, out, _ = run("schema")
    assert code == 0
    assert {"data", "tasks", "space"} <= json.loads(out)["properties"].keys()


# ---- a search ------------------------------------------------------------------------------


def test_a_search_ends_with_the_front_the_report_and_the_next_command(run, monkeypatch):
    Path("tiny.yaml").write_text(SPEC)
    seen = {}

    def run_search(spec, run_dir, **options):
        seen.update(options, run_dir=run_dir, trials=spec.search.trials)
        run_dir.mkdir(parents=True)
        return make_study(12)

    monkeypatch.setattr("automtl.search.run.run_search", run_search)
    code, out, _ = run(
        "search", "tiny.yaml", "--set", "search.trials=3", "--workers", "2", "--executor", "local"
    )
    assert code == 0
    assert seen["run_dir"] == Path("reports/tiny")
    assert (seen["trials"], seen["workers"], seen["executor"]) == (3, 2, "local")
    assert (seen["resume"], seen["address"]) == (False, None)
    assert out.startswith("trial  model")
    assert out.endswith(
        "\nreport: reports/tiny/report.html\n"
        "next:   automtl confirm reports/tiny\n"
        "next:   automtl export reports/tiny --pick knee --to reports/tiny/bundle\n"
    )
    assert Path("reports/tiny/report.html").exists()


def test_a_dry_run_writes_nothing(run):
    Path("tiny.yaml").write_text(SPEC)
    code, out, err = run("search", "tiny.yaml", "--dry-run", "--executor", "local")
    assert (code, err) == (0, "")
    assert out.startswith("dry run   tiny: nothing is written\nrows      not encoded yet")
    assert [path.name for path in Path().iterdir()] == ["tiny.yaml"]
    found = json.loads(run("search", "tiny.yaml", "--dry-run", "--json")[1])
    assert (found["num_trials"], found["num_references"], found["num_rows"]) == (6, 3, None)


def test_json_is_for_a_dry_run(run):
    Path("tiny.yaml").write_text(SPEC)
    code, out, err = run("search", "tiny.yaml", "--json")
    assert (code, out) == (2, "")
    assert "--dry-run" in err


def test_ctrl_c_prints_how_to_go_on(run, monkeypatch):
    Path("tiny.yaml").write_text(SPEC)

    def interrupted(spec, run_dir, **options):
        run_dir.mkdir(parents=True)
        (run_dir / "study.json").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("automtl.search.run.run_search", interrupted)
    arguments = ["search", "tiny.yaml", "--out", "a b", "--set", "search.trials=3"]
    monkeypatch.setattr("sys.argv", ["automtl", *arguments])
    code, out, err = run(*arguments)
    assert (code, out) == (130, "")
    assert "automtl search tiny.yaml --out 'a b' --set search.trials=3 --resume\n" in err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RunError("reports/tiny: holds a search; choose another --out"), 2),
        (DataError("rows.csv: no column click"), 2),
        (SearchFailedError("the first 3 trials failed"), 1),
    ],
)
def test_an_error_is_one_line_and_its_exit_code(run, monkeypatch, error, code):
    Path("tiny.yaml").write_text(SPEC)

    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr("automtl.search.run.run_search", fail)
    assert run("search", "tiny.yaml") == (code, "", f"error: {error}\n")


def test_our_own_bug_is_code_3_with_a_traceback(run, monkeypatch):
    Path("tiny.yaml").write_text(SPEC)

    def fail(*arguments, **options):
        return 1 / 0

    monkeypatch.setattr("automtl.search.run.run_search", fail)
    code, out, err = run("search", "tiny.yaml")
    assert (code, out) == (3, "")
    assert "ZeroDivisionError" in err
    assert err.splitlines()[-1].startswith("error: this is a bug of automtl ")


def test_no_run_there(run):
    code, out, err = run("status", "nowhere")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert "nowhere" in err


def test_the_status(run, study):
    assert "10 of" not in run("status", "RUN")[1]
    code, out, _ = run("status", "RUN", "--json")
    assert code == 0
    found = json.loads(out)
    assert found["counts"] == {"running": 0, "complete": 12, "pruned": 0, "failed": 1}
    assert (found["rejected"], found["ended"], found["wall_s"]) == (0, "", 0.0)
    assert found["device_s"] == pytest.approx(12 * 20.0)


def test_the_front_as_a_table_and_as_json(run, study):
    code, out, err = run("pareto", "RUN")
    assert (code, err) == (0, "")
    assert len(out.splitlines()) == len(study.front()) + 4  # header, reference, blank, sum
    found = json.loads(run("pareto", "RUN", "--json")[1])
    assert [trial["trial"] for trial in found["front"]] == [one.id for one in study.front()]
    assert found["suggested"] == study.knee().id
    assert found["reference"]["trial"] == study.reference().id
    assert found["front"][0]["gains"].keys() == {"click.auc", "long_view.auc"}
    assert found["objectives"][2] == {"name": "params", "direction": "minimize"}


def test_no_front_is_code_1(run, monkeypatch):
    monkeypatch.setattr("automtl.study.Study.open", lambda run_dir: make_study(0))
    code, out, _ = run("pareto", "RUN")
    assert (code, out[:22]) == (1, "No trial has completed")


@pytest.mark.parametrize("name", ["t0009", "9"])
def test_one_trial_is_a_spec_that_runs(run, study, name):
    from automtl.spec.load import load_spec

    code, out, _ = run("pareto", "RUN", "--trial", name)
    assert code == 0
    assert out.startswith("# t0009 · shared_bottom")
    Path("trial.yaml").write_text(out)
    spec = load_spec("trial.yaml", check_files=False)
    assert spec.space.families == ("shared_bottom",)
    found = json.loads(run("pareto", "RUN", "--trial", name, "--json")[1])
    assert found["config"]["model"]["family"] == "shared_bottom"


@pytest.mark.parametrize("name", ["t0099", "knee", "-1"])
def test_an_unknown_trial_names_the_range(run, study, name):
    code, out, err = run("pareto", "RUN", "--trial", name)
    assert (code, out) == (2, "")
    assert f"no trial {name}; it has t0000 to t0012" in err


def test_the_report_is_written_and_opened(run, study, monkeypatch, tmp_path):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    code, out, _ = run("report", "RUN", "--open")
    assert (code, out) == (0, "RUN/report.html\n")
    assert opened == [(tmp_path / "RUN/report.html").as_uri()]


def test_the_report_looks_inside_trials_and_says_why_it_could_not(run, study, monkeypatch):
    reason = "its rows are on the moon"
    monkeypatch.setattr("automtl.export.inside.look_inside", lambda of: {of.knee().id: reason})
    assert run("report", "RUN")[0] == 0
    assert (
        f"{study.knee().id} was not looked into: {reason}." in Path("RUN/report.html").read_text()
    )


def test_while_a_search_runs_its_report_looks_inside_nothing(run, study, monkeypatch):
    def never(of):
        raise AssertionError("looked inside")

    monkeypatch.setattr("automtl.export.inside.look_inside", never)
    study.active = True
    assert run("report", "RUN")[0] == 0
    assert "it is measured when the search has ended" in Path("RUN/report.html").read_text()


def test_a_live_report_is_served_and_opened_where_it_is(run, study, monkeypatch):
    seen, opened = {}, []

    def serve(run_dir, *, announce, **options):
        seen.update(options, run_dir=run_dir)
        announce("http://127.0.0.1:8123/")

    monkeypatch.setattr("automtl.report.live.serve_report", serve)
    monkeypatch.setattr("automtl.export.inside.look_inside", lambda of: {"t0001": "gone"})
    monkeypatch.setattr("webbrowser.open", opened.append)
    code, out, err = run("report", "RUN", "--live", "--port", "8123", "--open")
    assert (code, out, err) == (0, "http://127.0.0.1:8123/\n", "")
    assert opened == ["http://127.0.0.1:8123/"]
    assert seen == {"run_dir": Path("RUN"), "port": 8123, "not_measured": {"t0001": "gone"}}
    assert not Path("RUN/report.html").exists()


def test_a_port_is_for_a_live_report(run, study):
    code, out, err = run("report", "RUN", "--port", "8123")
    assert (code, out) == (2, "")
    assert "--port: is for --live" in err
    assert run("report", "RUN", "--live", "--port", "65536")[0] == 2


def test_the_frames_behind_the_report_are_files_and_their_places_are_printed(run, study):
    code, out, err = run("report", "RUN", "--frames", "frames")
    assert (code, err) == (0, "")
    page, *paths = out.splitlines()
    assert page == "RUN/report.html"
    assert "frames/trials.csv" in paths
    assert {Path(path) for path in paths} == set(Path("frames").iterdir())
    found = json.loads(run("report", "RUN", "--frames", "frames", "--json")[1])
    assert found == {"report": page, "frames": paths}
    assert json.loads(run("report", "RUN", "--json")[1]) == {"report": page, "frames": []}


def test_no_frames_are_told_as_none(run, study, monkeypatch):
    monkeypatch.setattr(
        "automtl.study.Study.open", lambda run_dir: make_study(0, num_failed=0, run_dir=run_dir)
    )
    code, out, err = run("report", "RUN", "--frames", "frames")
    assert (code, out) == (0, "RUN/report.html\n")
    assert err == "frames: no trial has been trained yet, so there are no frames\n"


def test_a_live_report_writes_no_frames(run, study):
    code, _, err = run("report", "RUN", "--live", "--frames", "frames")
    assert code == 2
    assert "--frames: is not for --live" in err
    code, _, err = run("report", "RUN", "--live", "--json")
    assert code == 2
    assert "--json: is not for --live" in err


# ---- streams -------------------------------------------------------------------------------


def test_a_reader_that_leaves_is_no_error(monkeypatch, study):
    class Gone(io.StringIO):
        def write(self, content):
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

        def fileno(self):
            return 99

    replaced = []
    monkeypatch.setattr("sys.stdout", Gone())
    monkeypatch.setattr("os.dup2", lambda *files: replaced.append(files[1]))
    with pytest.raises(SystemExit) as end:
        main(["pareto", "RUN"])
    assert end.value.code == 0
    assert replaced == [99]


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_head_may_cut_the_output():
    program = f"{sys.executable} -m automtl schema | head -c 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "{0\n"
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full disk")
def test_a_full_disk_behind_the_output_is_said():
    program = f"{sys.executable} -m automtl schema > /dev/full; echo $?"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "2\n"
    assert done.stderr == (
        "error: standard output cannot be written (No space left on device); send it elsewhere\n"
    )


# ---- a first spec, a model -----------------------------------------------------------------


def test_init_writes_a_spec_that_validates(run):
    code, out, err = run("init", "my spec.yaml")
    assert (code, out, err) == (
        0,
        "wrote my spec.yaml\nnext: automtl validate 'my spec.yaml'\n",
        "",
    )
    assert run("validate", "my spec.yaml")[0] == 0
    code, out, _ = run("init", "other.yaml", "--json")
    assert json.loads(out) == {
        "spec": "other.yaml",
        "next": "automtl validate other.yaml",
        "has_tasks": True,
    }
    code, _, err = run("init", "my spec.yaml")
    assert code == 2
    assert "never overwritten" in err


def test_an_export_says_what_was_picked_and_why(run, study, monkeypatch):
    asked = []

    def export_bundle(study, pick, to, *, formats, report):
        asked.append(formats)
        return to

    monkeypatch.setattr("automtl.export.write.export_bundle", export_bundle)
    assert run("export", "RUN", "--pick", "t0009", "--to", "b", "--format", "all")[0] == 0
    code, out, _ = run("export", "RUN", "--pick", "t0009", "--to", "b")
    assert code == 0
    assert asked == ["all", "torch"]
    assert out.startswith("picked t0009: ")
    next_ = "automtl predict b DATA --out scores.parquet"
    assert out.endswith(f"bundle: b\nnext:   {next_}\n")
    found = json.loads(run("export", "RUN", "--pick", "t0009", "--to", "b", "--json")[1])
    assert found.pop("why") in out
    assert found == {"bundle": "b", "trial": "t0009", "logged": [], "next": next_}
    code, _, err = run("export", "RUN", "--pick", "beast:click", "--to", "b")
    assert code == 2
    assert "did you mean best:click" in err


def test_predict_tells_what_the_model_had_never_seen(run, monkeypatch):
    from automtl.export import predict

    def predict_file(bundle, data, out, *, keep, **options):
        return predict.Summary(
            out=out,
            num_rows=1200,
            columns=(*keep, "click"),
            unseen={"user": 7},
            missing={"user": 0, "price": 3},
            absent={"price": 2},
        )

    monkeypatch.setattr(predict, "predict_file", predict_file)
    arguments = ["predict", "b", "x.csv", "y.csv", "--out", "p.csv", "--keep", "id"]
    code, out, err = run(*arguments)
    assert (code, out) == (0, "")
    assert err == (
        "wrote       p.csv: 1,200 rows\ncolumns     id, click\nnever seen  user 7\n"
        "missing     price 3\nno column   price 2\n"
    )
    told = json.loads(run(*arguments, "--json")[1])
    assert (told["out"], told["num_rows"], told["unseen"]) == ("p.csv", 1200, {"user": 7})
