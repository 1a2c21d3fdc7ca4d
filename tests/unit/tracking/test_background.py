"""Whatever a tracker does, who tells it neither stops nor waits."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from support.study import make_record

from automtl.tracking.background import Background
from automtl.tracking.events import Event, SearchEnded, SearchStarted, TrialChanged

START = SearchStarted(name="s", run_dir=Path("/r"), spec={}, versions={}, trials=())
END = SearchEnded(outcome="finished", reason="", trials=())


def change(number: int) -> TrialChanged:
    return TrialChanged(record=make_record(number))


class Notes:
    """A tracker that remembers, raises for some events, and waits for `gate` before each."""

    place = "Notes at home"

    def __init__(self, *, faults: int = 0) -> None:
        self.seen: list[Event] = []
        self.faults, self.gate = faults, threading.Event()
        self.gate.set()

    def tell(self, event: Event) -> None:
        self.gate.wait()
        self.seen.append(event)
        if len(self.seen) <= self.faults:
            raise ConnectionError("no route to host\nand a second line")


@pytest.fixture
def warned() -> list[str]:
    return []


def test_events_come_in_their_order(warned):
    notes = Notes()
    background = Background(notes, warn=warned.append)
    events = [START, change(0), change(1), END]
    for event in events:
        background.tell(event)
    background.close()
    assert notes.seen == events
    assert warned == []


def test_a_tracker_that_raises_is_said_once_and_told_of_what_comes(warned):
    notes = Notes(faults=3)
    background = Background(notes, warn=warned.append)
    events = [START, *map(change, range(5)), END]
    for event in events:
        background.tell(event)
    background.close()
    assert notes.seen == events
    assert warned == [
        "Notes at home: failed (ConnectionError: no route to host); the search goes on without "
        "it, and nothing of the run is lost: --resume with the same --track brings what is missing"
    ]


def test_a_tracker_that_hangs_is_waited_for_no_longer_than_said(warned):
    notes = Notes()
    notes.gate.clear()
    background = Background(notes, warn=warned.append, patience_s=0.2)
    begin = time.monotonic()
    for event in [START, *map(change, range(100)), END]:
        background.tell(event)
    told_s = time.monotonic() - begin
    background.close()
    took_s = time.monotonic() - begin
    notes.gate.set()
    assert told_s < 0.2 <= took_s < 5
    (line,) = warned
    assert line.startswith("Notes at home: has not taken the last results within 0.2 s; the search")


def test_what_waits_is_bounded_and_the_end_is_never_left_out(warned):
    notes = Notes()
    notes.gate.clear()
    background = Background(notes, warn=warned.append, max_waiting=5)
    for event in [START, *map(change, range(100)), END]:
        background.tell(event)
    notes.gate.set()
    background.close()
    assert len(notes.seen) <= 5 + 2  # one was taken before the gate, the end is on top
    assert (notes.seen[0], notes.seen[-1]) == (START, END)
    assert warned == []


def test_a_warning_goes_to_stderr(capsys):
    background = Background(Notes(faults=1))
    background.tell(START)
    background.close()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("warning: Notes at home: failed (ConnectionError: no route to host); ")
    assert err.count("\n") == 1
