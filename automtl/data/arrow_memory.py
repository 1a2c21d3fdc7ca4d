"""Where memory comes from while rows are read, and how much of it is kept for more of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pyarrow as pa

__all__ = ["system_memory"]

CHOSEN = "ARROW_DEFAULT_MEMORY_POOL"  # pyarrow's own variable
# below the 32 MB up to which glibc learns from what it frees (mallopt(3), M_MMAP_THRESHOLD)
LARGEST_LEARNT = 31 << 20


@contextmanager
def system_memory() -> Iterator[None]:
    """Has pyarrow take memory from the C library, unless the environment chooses otherwise.

    With its own allocator, mimalloc, encoding a million rows took about twice the system time
    (benchmarks/README.md). Concerns all of the process until the block ends: what others
    read meanwhile is the same, and what was taken goes back to where it came from.

    A block of the C library that is freed once teaches it that blocks up to that size come and go:
    it then keeps up to twice as much, and the columns of a batch lie where those of the last one
    lay instead of in pages that the system clears anew.
    """
    np.empty(LARGEST_LEARNT, dtype=np.uint8)
    if CHOSEN in os.environ:
        yield
        return
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)
