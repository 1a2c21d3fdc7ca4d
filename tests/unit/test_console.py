import dataclasses
import io
import re

import pytest
from support.study import StudyOfRecords, make_record, make_spec, make_study

from automtl import console
from automtl.console import LineProgress, LiveProgress, Pace


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_front_in_native_units_with_gains(golden):
    golden("front.txt", console.front_table(make_study(12), color=False))


def test_a_regression_gains_in_its_own_units(golden):
    tasks = {"click": {"label": "c"}, "spend": {"label": "s", "type": "regression"}}
    spec = make_spec(tasks=tasks, objectives=["click.auc", "spend.mae"], trials=9)

    golden("front_regression.txt", console.front_table(make_study(9, spec=spec), color=False))


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


def test_the_status_of_a_running_study(golden):
    study = make_study(10, num_failed=1, num_running=2, active=True)
    golden("status.txt", console.status_text(study.summary()))


def test_what_runs_in_no_process_was_interrupted():
    study = make_study(3, num_failed=0, num_running=1)
    assert "3 complete" in console.status_text(study.summary())
    assert "1 interrupted" in console.status_text(study.summary())


def test_the_comment_above_a_trial_holds_all_metrics(golden):
    study = make_study(12)
    golden("trial.txt", console.trial_comment(study, study.trials()[8]))
    failed = console.trial_comment(study, study.trials()[-1])
    assert failed == "# t0012 · ple · failed\n# click: the loss is NaN after 1,024 examples\n"


# ---- progress ------------------------------------------------------------------------------


def test_a_pipe_gets_a_line_a_trial():
    stream = io.StringIO()
    progress = console.progress(stream)
    assert isinstance(progress, LineProgress)
    study = make_study(6, num_failed=1, num_running=1)
    progress.on_start(StudyOfRecords([], study.spec))
    for record in study.trials()[:7]:
        progress.on_trial(record, study)
    progress.on_end(study)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "searching kuairand: 8 trials"
    assert re.fullmatch(
        r"t0001 complete shared_embedding click\.auc 0\.7\d+ long_view\.auc 0\.6\d+ "
        r"params [\d.]+M  \(7/8, eta 0s\)",
        lines[2],
    )
    assert lines[7].startswith("t0006 failed ple click: the loss is NaN after 1,024 examples  (7/8")
    assert "\x1b" not in stream.getvalue()


def test_a_resumed_search_says_what_was_done_before():
    stream = io.StringIO()
    LineProgress(stream).on_start(make_study(6, num_failed=2, num_running=1))
    assert stream.getvalue() == "searching kuairand: 9 trials, 8 done before\n"


def test_a_terminal_gets_one_moving_line_and_the_failures(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    progress = console.progress(stream)
    assert isinstance(progress, LiveProgress)
    study = make_study(6, num_failed=1)
    progress.on_start(study)
    for record in study.trials():
        progress.on_trial(record, study)
    progress.on_end(study)
    shown = stream.getvalue()
    assert "t0006 failed ple" in shown
    assert "t0001 complete" not in shown
    assert "━ 7/7" in shown


def test_a_dumb_terminal_is_a_pipe(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(console.progress(Terminal()), LineProgress)


def test_the_moving_line_shows_states_and_the_best_of_the_front():
    study = make_study(10, num_failed=1, num_running=2)
    shown = console.standing(study)
    best = max(record.values["click.auc"] for record in study.front())
    assert shown.startswith("2 running  1 failed  ")
    assert f"click.auc ↑ {best:.4f}" in shown


def test_the_estimate_is_the_mean_time_of_this_session(monkeypatch):
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    pace = Pace(total=24, done=4)
    now += 30
    assert (pace.eta_s(), str(pace)) == (None, "4/24, 30s so far")
    now += 10
    pace.note(8)  # 4 trials in 40 s
    assert (pace.eta_s(), str(pace)) == (160, "8/24, eta 2m40s")
    now += 15  # it counts down between two trials
    assert pace.eta_s() == 145
    assert pace.bar(12) == "━━━━────────"


def test_a_failure_of_many_lines_takes_one():
    record = make_record(3, state="failed", reason="first\nsecond")
    assert console.trial_line(record, make_study(2)) == "t0003 failed mmoe first"
    assert dataclasses.replace(record, reason="").state == "failed"


# ---- streams -------------------------------------------------------------------------------


def test_data_ends_with_a_newline(capsys):
    console.emit("a")
    console.emit("b\n")
    assert capsys.readouterr().out == "a\nb\n"


def test_rows_leave_out_what_has_no_value():
    rows = {"a": "1", "empty": "", "list": ["x", "y"]}
    assert console.rows_text(rows) == "a      1\nlist   x\n       y\n"


@pytest.fixture
def golden(request):
    from support.golden import check

    return check
