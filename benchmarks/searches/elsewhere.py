"""A search may begin with what other data sets taught, not with what its own did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from automtl.search.strategies import portfolio

__all__ = ["by_chance", "learnt_elsewhere"]


@contextmanager
def learnt_elsewhere(name: str) -> Iterator[None]:
    """Searches of the spec `name` begin with points of the other data sets only."""
    others = {one: points for one, points in portfolio.learnt().items() if one != name}
    assert others.keys() != portfolio.learnt().keys(), f"{name} has taught nothing"
    with mock.patch.object(portfolio, "learnt", return_value=others):
        yield


@contextmanager
def by_chance() -> Iterator[None]:
    """Searches begin with random configurations."""
    with mock.patch.object(portfolio, "learnt", return_value={}):
        yield
