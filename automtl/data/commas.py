"""Numbers as people write them: with a decimal comma, or with separators between thousands.

Which of the two a comma is, a single value may not tell (`1,234`), so none is read as a number.
"""

from __future__ import annotations

import re

import polars as pl

__all__ = ["are_written_with_commas", "how_to_write"]

GAPS = " '\u00a0\u202f"  # between thousands: spaces, some of which do not break, and '
DECIMAL = rf"[+-]?(?:\d+|\d{{1,3}}(?:[.{GAPS}]\d{{3}})+),\d+"
THOUSANDS = r"[+-]?\d{1,3}(?:[,']\d{3})+(?:\.\d+)?"  # 110 001 may be a postal code
PLAIN = r"[+-]?\d+(?:\.\d+)?"


def are_written_with_commas(text: pl.Series) -> bool:
    """Whether all known values are numbers, some of them with commas or separators."""
    with_commas = text.str.contains(rf"^(?:{DECIMAL}|{THOUSANDS})$")
    if not with_commas.any():
        return False
    return bool((with_commas | text.str.contains(rf"^{PLAIN}$")).all())


def how_to_write(text: str) -> str:
    """What a number with a comma or separators should be, or "" for other text."""
    point = re.sub(rf"[.{GAPS}]", "", text).replace(",", ".")
    joined = re.sub("[,']", "", text)
    is_decimal, is_grouped = (re.fullmatch(one, text) for one in (DECIMAL, THOUSANDS))
    if is_decimal and is_grouped:
        return f"a comma may be decimal or between thousands; write {point} or {joined}"
    if is_decimal:
        return f"it has a decimal comma; write {point}, with a point"
    return f"it has separators of thousands; write {joined}" if is_grouped else ""
