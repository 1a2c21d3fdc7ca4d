"""Scratch goes with its process, however that ends."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from automtl.search.scratch import scratch_directory

PROGRAM = """
import sys, time
from pathlib import Path
from automtl.search.scratch import scratch_directory
with scratch_directory(Path(sys.argv[1])) as scratch:
    (scratch / "file").touch()
    print(scratch, flush=True)
    time.sleep(3600)
"""


def test_scratch_is_gone_at_the_end(tmp_path: Path) -> None:
    with scratch_directory(tmp_path) as scratch:
        (scratch / "file").touch()
        assert scratch.parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_what_ended_a_search_is_told_where_its_scratch_cannot_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    def run() -> None:
        with scratch_directory(tmp_path) as scratch:
            (scratch / "file").touch()
            raise ValueError("first")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(ValueError, match="first"):
        run()


def test_scratch_that_is_being_removed_is_left_alone_by_a_search_that_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed, remove = [], shutil.rmtree

    def while_another_starts(path: Path, ignore_errors: bool) -> None:
        monkeypatch.setattr(shutil, "rmtree", remove)
        with scratch_directory(tmp_path):
            removed.append(path.exists())
        remove(path, ignore_errors)

    with scratch_directory(tmp_path) as scratch:
        (scratch / "session").mkdir()
        monkeypatch.setattr(shutil, "rmtree", while_another_starts)
    assert removed == [True]
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_at_the_next_start_and_nothing_else(
    tmp_path: Path,
) -> None:
    (tmp_path / "automtl-of-somebody").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
    )
    with process:
        assert process.stdout is not None
        theirs = Path(process.stdout.readline().strip())
        with scratch_directory(tmp_path):
            assert (theirs / "file").exists(), "it is in use"
        process.send_signal(signal.SIGKILL)
    assert (theirs / "file").exists()
    with scratch_directory(tmp_path):
        assert not theirs.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["automtl-of-somebody"]
