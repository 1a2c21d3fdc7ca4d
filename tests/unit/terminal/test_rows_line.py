"""What is said while rows are read, on a terminal and in a pipe."""

import io

import pytest

from automtl.data.cache import DONE, WAITING
from automtl.terminal.rows_line import RowsLine


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when told to."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_what_takes_no_time_is_not_worth_a_word(clock):
    stream = io.StringIO()
    line = RowsLine(patience_s=1.5, stream=stream)
    line.report("reading", 0.5, 50)
    clock[0] += 1
    line.report("encoding", 1.0, 100)
    line.report(DONE, 1.0, 0)
    assert stream.getvalue() == ""


def test_a_pipe_gets_a_line_every_ten_seconds_and_one_a_step(clock):
    stream = io.StringIO()
    line = RowsLine(patience_s=1.5, stream=stream)
    for share in (0.0, 0.25, 0.5, 1.0):
        line.report("reading", share, int(share * 4_000_000))
        clock[0] += 8
    line.report("encoding", 1.0, 4_000_000)
    line.report(DONE, 1.0, 0)
    assert stream.getvalue().splitlines() == [
        "reading: 50%, 2,000,000 rows, 125k rows/s, eta 16s",
        "reading: 4,000,000 rows in 24s",
        "encoding: 4,000,000 rows in 0s",
    ]


def test_a_line_moves_on_a_terminal_and_is_gone_when_all_is_done(clock, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    stream = Terminal()
    line = RowsLine(stream=stream)
    line.report("reading", 0.1, 200)
    clock[0] += 2
    line.report("reading", 0.5, 1000)
    assert line._line == "reading: 50%, 1,000 rows, 500 rows/s, eta 2s"
    line.report(DONE, 1.0, 0)
    shown = stream.getvalue()
    assert "reading: 10%, 200 rows" in shown
    assert "reading: 1,000 rows in 2s\n" in shown
    assert shown.endswith("\x1b[?25h\r\x1b[1A\x1b[2K"), "the cursor is back, the line is gone"


def test_who_waits_for_another_process_says_so(clock):
    stream = io.StringIO()
    line = RowsLine(patience_s=1.5, stream=stream)
    for _ in range(30):
        line.report(WAITING, 0.0, 0)
        clock[0] += 0.5
    line.report(DONE, 1.0, 0)
    assert stream.getvalue().splitlines() == [WAITING, f"{WAITING}"]
