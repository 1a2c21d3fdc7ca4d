"""Files are hashed beside those who read them."""

import hashlib
import threading
import uuid

import pytest

from automtl.data import fingerprint
from automtl.data.fingerprint import hashing
from automtl.errors import DataError


@pytest.fixture
def files(tmp_path):
    """Of no byte, of part of a block, of several blocks."""
    made = [tmp_path / f"{size}.csv" for size in (0, 5, 70)]
    for file in made:
        file.write_bytes(bytes(range(int(file.stem))))
    return made


def test_each_file_has_the_hash_of_its_bytes_and_the_share_that_is_done_is_told(files, monkeypatch):
    monkeypatch.setattr(fingerprint, "BLOCK", 16)
    told = []
    with hashing(files) as hashes:
        found = hashes.result(told.append)
    assert found == [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_a_file_that_is_gone_is_told_to_who_asks(files):
    files[1].unlink()
    with pytest.raises(DataError, match=r"5\.csv"), hashing(files) as hashes:
        hashes.result(lambda _: None)


def test_what_lies_at_a_url_is_not_touched_while_others_read_it():
    fsspec = pytest.importorskip("fsspec")
    url = f"memory://{uuid.uuid4().hex}"
    with fsspec.open(url, "wb") as file:
        file.write(b"12345678")
    with hashing([url]) as hashes, fsspec.open(url, "rb") as file:
        assert file.read(4) == b"1234"
        assert file.read(4) == b"5678", "it has one place for all who have it open"
        found = hashes.result(lambda _: None)
    assert found == [hashlib.sha256(b"12345678").hexdigest()]


def test_who_leaves_early_does_not_wait_for_the_rest(files, monkeypatch):
    monkeypatch.setattr(fingerprint, "BLOCK", 1)
    is_going, may_go = threading.Event(), threading.Event()

    class Slow:
        def __init__(self):
            self.num_read = 0

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def read(self, _):
            self.num_read += 1
            is_going.set()
            may_go.wait(10)
            return b"x" if self.num_read < 1000 else b""

    slow = Slow()
    monkeypatch.setattr(fingerprint, "open_bytes", lambda _: slow)
    threading.Timer(0.05, may_go.set).start()
    with hashing(files):
        assert is_going.wait(10)
    assert slow.num_read < 1000
