"""Rows for a machine that does not see the cache: copied whole, once, and never half."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.data_spec import make_spec

from automtl.data import copies, only_one
from automtl.data.cache import load_cached, open_data
from automtl.data.copies import at_hand, list_files, read_piece
from automtl.errors import DataError

DATA = {
    "generate": {"name": "impressions", "num_rows": 500},
    "categorical": ["user_id"],
    "numeric": ["x0"],
}


class OtherMachine:
    """Has `directory` at a path that this machine does not see; counts the pieces asked for."""

    def __init__(self, directory):
        self.directory, self.pieces = directory, []

    def list_files(self, unseen):
        return list_files(self.directory)

    def read_piece(self, path, offset, num_bytes):
        self.pieces.append((path.name, offset))
        return read_piece(self.directory / path.relative_to(unseen(self)), offset, num_bytes)


def unseen(machine):
    return Path("/nowhere") / machine.directory.name


@pytest.fixture
def machine(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOMTL_CACHE", str(tmp_path / "theirs"))
    machine = OtherMachine(open_data(make_spec(DATA, {"click": {"label": "click"}})).directory)
    monkeypatch.setenv("AUTOMTL_CACHE", str(tmp_path / "ours"))
    monkeypatch.setattr(copies, "PIECE_BYTES", 1000)
    return machine


def ask(machine, on_wait=lambda: None):
    fingerprint = load_cached(machine.directory).fingerprint
    return at_hand(unseen(machine), fingerprint, machine, on_wait=on_wait)


def content(directory):
    return {name: (directory / name).read_bytes() for name in list_files(directory)}


def test_a_copy_has_every_byte_and_lies_in_the_own_cache(machine, tmp_path):
    signs = []
    copy = ask(machine, on_wait=lambda: signs.append(None))
    assert copy == tmp_path / "ours" / machine.directory.name
    assert content(copy) == content(machine.directory)
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]
    assert len(signs) == len(machine.pieces) > 10, "a piece at a time, and a sign of life each"


def test_a_copy_is_made_once(machine):
    ask(machine)
    machine.pieces.clear()
    ask(machine)
    assert machine.pieces == []


def test_where_the_cache_is_seen_nothing_is_copied(machine, tmp_path):
    fingerprint = load_cached(machine.directory).fingerprint
    here = at_hand(machine.directory, fingerprint, machine, on_wait=lambda: None)
    assert here == machine.directory
    assert machine.pieces == []
    assert not (tmp_path / "ours").exists()


def test_of_many_that_ask_at_once_one_copies_and_the_others_wait(machine, monkeypatch):
    monkeypatch.setattr(only_one, "WAIT_S", 0.001)
    with ThreadPoolExecutor(max_workers=4) as threads:
        found = {*threads.map(lambda _: ask(machine), range(4))}
    assert len(found) == 1
    assert len(machine.pieces) == len({*machine.pieces})


def test_a_process_that_waits_shows_signs_of_life_and_needs_no_copy_of_its_own(
    machine, tmp_path, monkeypatch
):
    monkeypatch.setattr(only_one, "WAIT_S", 0.001)
    ours = tmp_path / "ours" / machine.directory.name
    ours.parent.mkdir()
    signs = []
    lock = ours.parent / f".{ours.name[:16]}.lock"
    other = only_one.only_one(lock, waiting=lambda: None)
    other.__enter__()

    def on_wait():
        signs.append(None)
        if len(signs) == 3:
            shutil.copytree(machine.directory, ours)
            other.__exit__(None, None, None)

    assert ask(machine, on_wait) == ours
    assert len(signs) >= 3
    assert machine.pieces == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: (d / "ids.npy").unlink(),
        lambda d: (d / "ids.npy").write_bytes(b""),
        lambda d: (d / "meta.json").write_text(
            (d / "meta.json").read_text().replace('"fingerprint": "', '"fingerprint": "00')
        ),
    ],
)
def test_a_copy_that_is_damaged_or_of_other_rows_is_made_anew(machine, damage):
    copy = ask(machine)
    damage(copy)
    assert ask(machine) == copy
    assert content(copy) == content(machine.directory)


def test_what_a_killed_process_left_is_removed_by_the_next(machine, tmp_path):
    program = (
        "import os, sys; from pathlib import Path; from automtl.data import copies\n"
        "class Dies:\n"
        "    def list_files(self, directory): return {'ids.npy': 2}\n"
        "    def read_piece(self, *_): os.kill(os.getpid(), 9)\n"
        f"copies.at_hand(Path({str(unseen(machine))!r}), 'f', Dies(), on_wait=lambda: None)"
    )
    dead = subprocess.run([sys.executable, "-c", program], env=os.environ, check=False)
    assert dead.returncode == -9
    left = {path.name for path in (tmp_path / "ours").iterdir()}
    assert len(left) == 2, "its lock, which nobody holds, and what it wrote aside"
    copy = ask(machine)
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def no_room(*_):
    raise OSError(28, "No space left on device", "/ours/ids.npy")


def test_a_copy_that_cannot_be_made_is_told_and_leaves_nothing(machine, tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "read_piece", no_room)
    with pytest.raises(DataError, match=r"/nowhere/.* is not there, .*/ours \(.*No space left"):
        ask(machine)
    assert list((tmp_path / "ours").iterdir()) == []
    (tmp_path / "file").touch()
    monkeypatch.setenv("AUTOMTL_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match=r"no copy can be made in .*/file/cache"):
        ask(machine)


def test_a_file_that_is_cut_short_on_its_way_is_no_copy(machine, tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "read_piece", lambda *_: b"x")
    with pytest.raises(DataError, match="has changed while it was copied"):
        ask(machine)
    assert list((tmp_path / "ours").iterdir()) == []
