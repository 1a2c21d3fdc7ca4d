import dataclasses
import io
import re

import pytest
from support.golden import check
from support.planned import PLANNED
from support.study import StudyOfRecords, make_spec, make_study

from automtl.terminal import console


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_front_in_native_units_with_gains():
    check("front.txt", console.front_table(make_study(12), color=False))


def test_a_narrow_terminal_shows_every_row_whole():
    study = make_study(12)
    whole = console.front_table(study, color=False)
    assert console.front_table(study, color=False, width=200) == whole
    shown = console.front_table(study, color=False, width=60)
    check("front_narrow.txt", shown)
    assert max(map(len, shown.splitlines())) <= 60
    assert sorted(set(shown.split())) == sorted(set(whole.split()))


@pytest.mark.parametrize("width", [1, 20, 40, 60, 80])
def test_however_narrow_each_table_names_its_rows(width):
    study = make_study(12)
    *tables, _ = console.front_table(study, color=True, width=width).split("\n\n")
    assert len(tables) > 1 or width == 80
    for table in tables:
        header, *rows = table.splitlines()
        assert "trial" in header
        assert len(rows) == len(study.front()) + 1
        assert all(re.match(r"(\x1b\[\dm)?t\d{4}", row) for row in rows)


def test_the_front_is_as_wide_as_the_terminal(monkeypatch):
    study = make_study(12)
    monkeypatch.setenv("COLUMNS", "60")
    assert console.front_table(study) == console.front_table(study, width=1000), "to a file"
    monkeypatch.setattr("sys.stdout", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert console.front_table(study) == console.front_table(study, width=60)


def test_a_regression_gains_in_its_own_units():
    tasks = {"click": {"label": "c"}, "spend": {"label": "s", "type": "regression"}}
    spec = make_spec(tasks=tasks, objectives=["click.auc", "spend.mae"], trials=9)

    check("front_regression.txt", console.front_table(make_study(9, spec=spec), color=False))


def test_the_knee_is_suggested_and_no_row_is_called_best():
    study = make_study(24)
    shown = console.front_table(study, color=False)
    (row,) = (line for line in shown.splitlines() if line.endswith("suggested"))
    assert row.startswith(study.knee().id)
    assert "best" not in shown


def test_without_a_complete_trial_it_says_so():
    assert console.front_table(make_study(0, num_failed=0)) == "No trial has completed\n"
    assert console.front_table(make_study(0, num_failed=1)) == (
        "No trial has completed; the last failure: t0000 click: the loss is NaN after "
        "1,024 examples\n"
    )


def test_without_a_reference_there_are_no_gains():
    records = [r for r in make_study(12).trials() if r.role != "reference"]
    shown = console.front_table(StudyOfRecords(records, make_spec()), color=False)
    assert "+" not in shown
    assert "reference" not in shown


def test_colours_only_for_a_terminal_and_not_with_no_color(monkeypatch):
    study = make_study(12)
    assert "\x1b" not in console.front_table(study)
    monkeypatch.setattr("sys.stdout", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[1m" in console.front_table(study)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in console.front_table(study)


def test_the_status_of_a_running_study():
    study = make_study(10, num_failed=1, num_running=2, num_pruned=3, active=True, wall_s=190)
    check("status.txt", console.status_text(study.summary()))


def test_a_study_that_ended_early_says_why_and_what_was_not_trained():
    why = "search.wall_hours 0.5 are used up"
    study = make_study(3, num_failed=0, ended=why, num_rejected=1234)
    shown = console.status_text(study.summary() | {"device_s": 3600.0})
    assert f"\nended      {why}\n" in shown
    assert "\nrejected   1,234 configurations that break a constraint, not trained\n" in shown
    assert "\nused       1h00m of devices\n" in shown


def test_what_runs_in_no_process_was_interrupted():
    study = make_study(3, num_failed=0, num_running=1)
    assert "3 complete" in console.status_text(study.summary())
    assert "1 interrupted" in console.status_text(study.summary())


def test_the_comment_above_a_trial_holds_all_metrics():
    study = make_study(12)
    check("trial.txt", console.trial_comment(study, study.trials()[8]))
    failed = console.trial_comment(study, study.trials()[-1])
    assert failed == "# t0012 · ple · failed\n# click: the loss is NaN after 1,024 examples\n"


def test_a_stopped_trial_shows_what_it_saw_and_why_it_was_stopped():
    study = make_study(12, num_pruned=1)
    stopped = next(record for record in study.trials() if record.state == "pruned")
    shown = console.trial_comment(study, stopped).splitlines()
    assert shown[0] == f"# {stopped.id} · mmoe · pruned"
    assert shown[1] == "# stopped after 0.111 epochs: rank 7 of 12, the best 4 go on"
    assert shown[-1] == "# on validation rows, after 0.111 epochs"


# ---- a dry run -----------------------------------------------------------------------------


def test_a_dry_run_says_what_would_be_done_and_how_long_it_takes():
    check("dry_run.txt", console.dry_run_text(PLANNED))


def test_a_dry_run_without_encoded_rows_has_no_estimate():
    unknown = dataclasses.replace(
        PLANNED, num_rows=None, examples=None, examples_without_rungs=None, bursts=(), seconds=None
    )
    shown = console.dry_run_text(unknown)
    assert "not encoded yet" in shown
    assert not {"examples", "speed", "time"} & {line.split(" ")[0] for line in shown.splitlines()}


def test_a_dry_run_names_the_limit_that_ends_the_search():
    shown = console.dry_run_text(dataclasses.replace(PLANNED, ends_by="search.wall_hours"))
    assert "31s to 3m10s" in shown
    assert "search.wall_hours ends it by then" in shown


def test_no_rung_no_early_stop():
    why = "like has 40 positives in train and a trial is judged after 200 of them: no trial stops"
    shown = console.dry_run_text(
        dataclasses.replace(PLANNED, rungs=(), why=why, expected_ends=((1.0, 17.0),))
    )
    assert f"rungs     none\n          {why}\n" in shown
    assert "expected" not in shown


# ---- streams -------------------------------------------------------------------------------


def test_data_ends_with_a_newline(capsys):
    console.emit("a")
    console.emit("b\n")
    assert capsys.readouterr().out == "a\nb\n"


def test_rows_leave_out_what_has_no_value():
    rows = {"a": "1", "empty": "", "list": ["x", "y"]}
    assert console.rows_text(rows) == "a      1\nlist   x\n       y\n"
