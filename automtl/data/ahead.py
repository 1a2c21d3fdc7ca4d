"""The next item of an iterator is made in another thread while the last one is used."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["ahead"]

T = TypeVar("T")
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
