"""Where pyarrow takes memory from while rows are read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

__all__ = ["system_memory"]

CHOSEN = "ARROW_DEFAULT_MEMORY_POOL"  # pyarrow's own variable


@contextmanager
def system_memory() -> Iterator[None]:
    """Has pyarrow take memory from the C library, unless the environment chooses otherwise.

    With its own allocator, mimalloc, encoding a million rows took about twice the system time
    (benchmarks/README.md). Concerns all of the process until the block ends: what others
    read meanwhile is the same, and what was taken goes back to where it came from.
    """
    if CHOSEN in os.environ:
        yield
        return
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)
