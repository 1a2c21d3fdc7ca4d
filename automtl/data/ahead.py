"""Items of an iterator are made, or worked on, in other threads while earlier ones are used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

__all__ = ["ahead", "mapped"]

T = TypeVar("T")
R = TypeVar("R")
END = object()


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The items in order, one of them made ahead; what making one raises is raised here."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        coming = thread.submit(next, items, END)
        try:
            while (item := coming.result()) is not END:
                coming = thread.submit(next, items, END)
                yield item  # type: ignore[misc]
        finally:
            coming.cancel()
            thread.shutdown(wait=True)
            if hasattr(items, "close"):
                items.close()


def mapped(function: Callable[[T], R], items: Iterator[T], *, num_threads: int) -> Iterator[R]:
    """`function` of each item, in order; so many items are worked on at once, but the first by
    itself: it may make what the others share."""
    with suppress(StopIteration):
        yield function(next(items))
    with ThreadPoolExecutor(max_workers=num_threads) as threads:
        coming = deque[Future[R]]()
        try:
            for item in items:
                coming.append(threads.submit(function, item))
                if len(coming) > num_threads:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            for future in coming:
                future.cancel()
