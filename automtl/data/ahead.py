"""Items of an iterator are made, or worked on, in other threads while earlier ones are used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

__all__ = ["ahead", "mapped"]

T = TypeVar("T")
R = TypeVar("R")
END = object()


def ahead(items: Iterator[T]) -> Generator[T]:
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


def mapped(function: Callable[[T], R], items: Generator[T], *, num_threads: int) -> Iterator[R]:
    """`function` of each item, in order; so many items are worked on at once, but the first by
    itself: it may make what the others share."""
    with closing(items), ThreadPoolExecutor(max_workers=num_threads) as threads:
        coming, is_first = deque[Future[R]](), True
        try:
            for item in items:
                coming.append(threads.submit(function, item))
                if is_first or len(coming) > num_threads:
                    is_first = False
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            for future in coming:
                future.cancel()
