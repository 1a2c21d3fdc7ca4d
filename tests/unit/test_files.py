"""A file is there whole or not at all."""

import errno
from pathlib import Path

import pytest

from automtl.files import written_whole


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    with written_whole(path) as aside:
        aside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_nothing_behind(tmp_path):
    path = tmp_path / "page.html"
    with pytest.raises(OSError, match="full"), written_whole(path) as aside:  # noqa: PT012
        aside.write_text("half")
        raise OSError("full")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_is_told_where_cleaning_up_fails_as_well(tmp_path, monkeypatch):
    def refuse(path, missing_ok=False):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(ValueError, match="first"), written_whole(tmp_path / "page.html"):
        raise ValueError("first")
