"""Where pyarrow takes memory from while rows are encoded."""

from __future__ import annotations

import pyarrow as pa
import pytest

from automtl.data.arrow_memory import CHOSEN, system_memory

OTHER = next(name for name in pa.supported_memory_backends() if name != "system")


@pytest.fixture(autouse=True)
def another_pool(monkeypatch):
    """One that is not the system's, and nothing chosen by the environment."""
    monkeypatch.delenv(CHOSEN, raising=False)
    before = pa.default_memory_pool()
    pa.set_memory_pool(getattr(pa, f"{OTHER}_memory_pool")())
    yield
    pa.set_memory_pool(before)


def backend() -> str:
    return pa.default_memory_pool().backend_name


def test_memory_comes_from_the_system_until_the_block_ends():
    with system_memory():
        assert backend() == "system"
    assert backend() == OTHER


def test_the_pool_of_before_is_back_after_an_error():
    @system_memory()
    def fails() -> None:
        raise KeyError(backend())

    for _ in range(2):  # a decorated function may be called again
        with pytest.raises(KeyError, match="system"):
            fails()
        assert backend() == OTHER


def test_what_the_environment_chooses_is_left_alone(monkeypatch):
    monkeypatch.setenv(CHOSEN, OTHER)
    with system_memory():
        assert backend() == OTHER


def test_what_was_read_inside_outlives_the_block():
    with system_memory():
        array = pa.array(range(10_000))
    assert array[-1].as_py() == 9_999
