"""Which encoding a file says of itself: by the mark that Windows programs put before the text."""

from __future__ import annotations

import codecs

__all__ = ["marked_encoding"]

MARKS = {  # the longer ones first: UTF-32's begins with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def marked_encoding(start: bytes) -> str:
    """By the first four bytes: utf-16, utf-32, or "" without a mark of these."""
    return next((name for mark, name in MARKS.items() if start.startswith(mark)), "")
