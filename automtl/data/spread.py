"""Runs that lie evenly in something longer: some of the rows, or bytes, from all over a file."""

from __future__ import annotations

__all__ = ["spread"]


def spread(length: int, *, of: int, num: int) -> list[int]:
    """Where `num` runs of `length` begin: the first at the start of `of`, the last at its end.

    They are apart if `of` has room for them, else they overlap; all within `of` if one run is.
    """
    room = max(0, of - length)
    return [room * place // max(1, num - 1) for place in range(num)]
