"""Signs of life: what a worker writes, and what a watchdog makes of it."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from automtl.search.heartbeat import Watchdog, beating


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watchdog(tmp_path: Path, clock: Clock) -> Watchdog:
    return Watchdog(tmp_path, stall_s=1800, clock=clock)


def test_a_running_trial_has_a_file_and_an_ended_one_has_none(tmp_path: Path) -> None:
    with beating(tmp_path, 42, beat_s=0) as on_step:
        assert (tmp_path / "t0042").read_text() == "0 0"
        on_step(350, 1200)
        assert (tmp_path / "t0042").read_text() == "350 1200"
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_not_written_at_every_step(tmp_path: Path) -> None:
    with beating(tmp_path, 42, beat_s=3600) as on_step:
        on_step(350, 1200)
        assert (tmp_path / "t0042").read_text() == "0 0"


def test_a_disk_that_cannot_be_written_does_not_end_a_trial(tmp_path: Path) -> None:
    with beating(tmp_path / "nowhere", 42, beat_s=0) as on_step:
        on_step(350, 1200)
    with beating(None, 42) as on_step:
        on_step(350, 1200)


def test_a_trial_hangs_when_it_has_been_silent_for_so_long(
    tmp_path: Path, clock: Clock, watchdog: Watchdog
) -> None:
    watchdog.saw(7)
    watchdog.saw(8)
    with beating(tmp_path, 7, beat_s=0) as on_step:
        clock.now_s += 1000
        on_step(350, 1200)
        assert watchdog.hung() == {}
        clock.now_s += 1000
        silent = "hung: no sign of life for 30 minutes; last seen "
        assert watchdog.hung() == {8: silent + "before its first step"}
        clock.now_s += 1000
        assert watchdog.hung()[7] == silent + "at step 350 of 1,200"
        watchdog.saw(7)  # it has reported an evaluation
        watchdog.ended(8)
        assert watchdog.hung() == {}


def test_what_counts_is_a_change_not_the_clock_of_the_disk(
    tmp_path: Path, clock: Clock, watchdog: Watchdog
) -> None:
    watchdog.saw(7)
    with beating(tmp_path, 7):
        for hours in itertools.chain([9], range(-3, 0)):
            os.utime(tmp_path / "t0007", (hours * 3600 + 1e6,) * 2)
            clock.now_s += 1500
            assert watchdog.hung() == {}
        clock.now_s += 1800
        assert watchdog.hung().keys() == {7}


def test_what_a_killed_worker_left_goes_when_its_trial_has_ended(
    tmp_path: Path, watchdog: Watchdog
) -> None:
    (tmp_path / "t0007").write_text("1 2")
    watchdog.saw(7)
    watchdog.ended(7)
    watchdog.ended(8)
    assert list(tmp_path.iterdir()) == []


def test_a_short_wait_is_told_in_seconds(tmp_path: Path, clock: Clock) -> None:
    watchdog = Watchdog(tmp_path, stall_s=0.5, clock=clock)
    watchdog.saw(7)
    clock.now_s += 1
    assert watchdog.hung()[7].startswith("hung: no sign of life for 0.5 seconds; ")
