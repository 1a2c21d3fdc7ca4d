"""What is said while a search runs, on a terminal and in a pipe."""

import dataclasses
import io
import re

import pytest
from support.study import StudyOfRecords, make_record, make_spec, make_study

from automtl.records import is_judged
from automtl.search.fidelity import Ladder
from automtl.spec.schema import Spec
from automtl.terminal.progress_line import (
    LineProgress,
    LiveProgress,
    Pace,
    bar,
    counts,
    progress,
    standing,
    trial_line,
)

LADDER = Ladder(rungs=(1 / 9, 1 / 3))


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when told to."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


class Growing(StudyOfRecords):
    """A study in which one trial after the other turns up."""

    def __init__(self, study):
        super().__init__([], study.spec)
        self._rest = list(study.trials())

    def grow(self):
        self._records += (self._rest.pop(0),)
        return self._records[-1]


def watch(study, stream):
    """The progress of a whole search."""
    growing = Growing(study)
    told = progress(study.spec, stream)
    told.on_start(growing, LADDER)
    for _ in study.trials():
        told.on_trial(growing.grow())
    told.on_end(study)
    return told


def test_a_pipe_gets_a_line_a_trial():
    stream = io.StringIO()
    told = watch(make_study(6, num_failed=1, num_pruned=1), stream)
    assert isinstance(told, LineProgress)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "searching kuairand: 8 trials, judged after 0.111 and 0.333 of 1 epochs"
    assert re.fullmatch(
        r"t0001 complete shared_embedding click\.auc 0\.7\d+ long_view\.auc 0\.6\d+ "
        r"params [\d.]+M  \(2/8, eta \d+s\)",
        lines[2],
    )
    assert lines[7].startswith("t0006 failed ple click: the loss is NaN after 1,024 examples  (7/8")
    assert lines[8].startswith(
        "t0007 pruned mmoe stopped after 0.111 epochs: rank 7 of 12, the best 4 go on  (8/8, eta 0s"
    )
    assert len(lines) == 9
    assert "\x1b" not in stream.getvalue()


def test_a_resumed_search_says_what_was_done_before():
    stream, study = io.StringIO(), make_study(6, num_failed=2, num_running=1)
    LineProgress(study.spec, stream).on_start(study, Ladder(rungs=()))
    assert stream.getvalue() == "searching kuairand: 9 trials, 8 done before\n"


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["pipe", "terminal"])
def test_why_there_are_fewer_rungs_and_why_it_ended_are_said_once(stream):
    study = make_study(4, num_failed=0, ended="search.wall_hours 1 are used up", num_rejected=7)
    told = progress(study.spec, stream)
    told.on_start(study, Ladder(rungs=(), why="like has 40 positives: no trial stops early"))
    told.on_end(study)
    shown = stream.getvalue()
    assert shown.count("note: like has 40 positives: no trial stops early\n") == 1
    assert "ended: search.wall_hours 1 are used up\n" in shown
    assert "rejected: 7 configurations that break a constraint, not trained\n" in shown


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["pipe", "terminal"])
def test_warnings_about_the_rows_are_said_in_full_the_first_of_many(stream):
    study = make_study(0, num_failed=0)
    told = progress(study.spec, stream)
    long = "data.numeric: x: LEAK? " + 10 * "alone it tells click with an AUC of 0.9912 "
    told.on_start(study, Ladder(rungs=()), [long + "END", *(f"warning {n}" for n in range(6))])
    told.on_end(study)
    shown = stream.getvalue()
    assert "warning: data.numeric: x: LEAK?" in shown
    assert "END" in shown
    assert "warning: warning 3" in shown
    assert "warning 4" not in shown
    assert "warning: 2 more, see automtl doctor" in shown


def test_a_terminal_gets_a_moving_line_and_the_failures():
    stream = Terminal()
    told = watch(make_study(6, num_failed=1, num_pruned=1), stream)
    assert isinstance(told, LiveProgress)
    shown = stream.getvalue()
    assert "t0006 failed ple" in shown
    assert "t0001 complete" not in shown
    assert "━ 8/8, eta 0s  6 complete, 1 pruned, 1 failed" in shown


@pytest.mark.parametrize("columns", [60, 100, 200])
def test_a_narrow_terminal_gets_two_lines_and_none_is_wider(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = Terminal()
    watch(make_study(12, num_failed=0, num_pruned=4), stream)
    plain = re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", stream.getvalue())
    lines = [line for part in plain.split("\r") for line in part.splitlines()]
    assert max(map(len, lines)) <= columns
    last = next(line for line in reversed(lines) if "16/16" in line)
    assert ("click.auc" in last) == (columns == 200)


def test_no_color_is_honoured(monkeypatch):
    coloured, plain = Terminal(), Terminal()
    watch(make_study(2, num_failed=1), coloured)
    monkeypatch.setenv("NO_COLOR", "1")
    watch(make_study(2, num_failed=1), plain)
    assert "\x1b[33m" in coloured.getvalue()
    assert "\x1b[33m" not in plain.getvalue()


def test_a_dumb_terminal_is_a_pipe(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(progress(make_spec(), Terminal()), LineProgress)


def test_the_counts_name_what_there_is():
    study = make_study(10, num_failed=1, num_running=2, num_pruned=3, num_rejected=1200)
    assert counts(study) == "10 complete, 3 pruned, 1 failed, 1,200 rejected"
    assert counts(make_study(0, num_failed=0)) == ""


def test_the_standing_is_the_best_of_the_front_and_what_the_last_trials_added():
    study = make_study(24)
    shown = standing(study)
    best = max(record.values["click.auc"] for record in study.front())
    assert shown.startswith(f"click.auc ↑ {best:.4f}  long_view.auc ↑ ")
    trace = [volume for _, volume in study.hypervolume_trace()]
    recent = min(10, len(trace) // 2)
    share = 100 * (1 - trace[-1 - recent] / trace[-1])
    assert shown.endswith(f"  hv +{share:.1f} % in the last {recent}")
    assert "hv" not in standing(make_study(7))
    assert standing(make_study(0)) == ""


# ---- how long it takes ---------------------------------------------------------------------


def with_limits(study, **limits):
    raw = study.spec.to_dict()
    return Spec.from_dict({**raw, "search": raw["search"] | limits})


def test_the_estimate_counts_epochs_and_the_rungs_say_how_many_are_left(clock):
    study = Growing(make_study(24))
    pace = Pace(study.spec, study, LADDER)
    clock[0] += 30
    assert (pace.eta_s(), str(pace)) == (None, "0/25, 30s so far")
    for _ in range(5):
        study.grow()
    clock[0] += 10
    pace.note()  # 5 epochs in 40 s; one reference and 3 defaults are exempt
    exempt = max(0, 4 - sum(not is_judged(record) for record in study.trials()))
    search = 25 - 5 - exempt
    left = exempt + search * (1 / 9 + (2 / 9) / 3 + (2 / 3) / 9)
    assert pace.eta_s() == pytest.approx(40 / 5 * left)
    clock[0] += 15  # it counts down between two trials
    assert pace.eta_s() == pytest.approx(40 / 5 * left - 15)
    assert bar(pace.done, pace.total, 10) == "━━────────"


def test_what_was_done_before_is_no_speed(clock):
    study = Growing(make_study(24))
    for _ in range(20):
        study.grow()
    pace = Pace(study.spec, study, Ladder(rungs=()))
    study.grow()
    clock[0] += 8
    pace.note()
    assert pace.before == 20
    assert pace.eta_s() == pytest.approx(8 * 4)


@pytest.mark.parametrize(
    ("limits", "eta"),
    [({"wall_hours": 0.01}, 36 - 8), ({"device_hours": 50 / 3600}, 8 * (50 - 20) / 20)],
)
def test_the_limits_in_hours_cap_it(clock, limits, eta):
    study = Growing(make_study(24))
    pace = Pace(with_limits(study, **limits), study, Ladder(rungs=()))
    study.grow()  # its device worked for 20 s
    clock[0] += 8
    pace.note()
    assert pace.eta_s() == pytest.approx(eta)


def test_a_failure_of_many_lines_takes_one():
    record = make_record(3, state="failed", reason="first\nsecond")
    assert trial_line(record, make_study(2)) == "t0003 failed mmoe first"
    assert trial_line(dataclasses.replace(record, reason=""), make_study(2)) == "t0003 failed mmoe"
