"""One raw column as numbers or as category keys, whatever file it came from.

A missing value is null, NaN or empty text. Text files carry no types, so equal values must meet
here: `2` (Parquet integer), `2.0` (float) and `"2.0"` (CSV) all have the key `2`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.data.commas import how_to_write
from automtl.errors import DataError

__all__ = [
    "LARGEST_EXACT",
    "LONGEST_OTHER",
    "MISSING_NUMBERS",
    "OTHER_TEXT",
    "ColumnError",
    "Wrong",
    "as_integers",
    "as_keys",
    "as_numbers",
    "check_columns",
    "did_you_mean",
    "number_array",
    "plain",
    "row_of",
]

# what programs write into a text file for "no number"
MISSING_NUMBERS = ("", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "\\N")
WHOLE = r"^(-?\d+)\.0+$"
# `True` is how Python writes a boolean into a CSV
OTHER_TEXT = {"": None, "True": "true", "False": "false", "-0": "0"}
LONGEST_OTHER = max(map(len, OTHER_TEXT))
# above this, whole floats are no longer exact integers
LARGEST_EXACT = float(2**53)
LARGEST_INT = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a column: `place`: whose, `row`: the first such row, `rule`: the rest."""

    place: str
    rule: str
    row: int | None = None

    def __str__(self) -> str:
        row = "" if self.row is None else f", row {self.row} (counted from 0)"
        return f"{self.place}{row}: {self.rule}"


class ColumnError(DataError):
    """Values that do not fit what the spec says of their column; rows count within the batch."""

    def __init__(self, wrong: Sequence[Wrong], *, source: str = "", first_row: int = 0) -> None:
        self.wrong = tuple(wrong)
        self._source, self._first = source, first_row
        shown = [
            Wrong(one.place, one.rule, None if one.row is None else first_row + one.row)
            for one in self.wrong
        ]
        super().__init__("\n".join(f"{source}: {one}" if source else str(one) for one in shown))

    def __reduce__(self) -> tuple[object, ...]:
        return _column_error, (self.wrong, self._source, self._first)

    @classmethod
    def at(cls, errors: Sequence[ColumnError], *, source: str, first_row: int) -> Self:
        """All of them as one, of a batch that begins at `first_row` of `source`."""
        wrong = dict.fromkeys(one for error in errors for one in error.wrong)
        return cls(list(wrong), source=source, first_row=first_row)


def _column_error(wrong: Sequence[Wrong], source: str, first_row: int) -> ColumnError:
    return ColumnError(wrong, source=source, first_row=first_row)


def check_columns(wanted: Iterable[str], present: Sequence[str], *, source: str) -> None:
    """Raises DataError naming every wanted column that is not present, and those that are."""
    missing = [name for name in dict.fromkeys(wanted) if name not in present]
    if missing:
        names = ", ".join(f"{name!r}{did_you_mean(name, present)}" for name in missing)
        plural = "s" if len(missing) > 1 else ""
        raise DataError(f"{source}: no column{plural} {names}; it has: {', '.join(present)}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)`, or nothing when no known name is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def row_of(mask: pl.Series) -> int:
    """The first true row of a boolean column, counted from 0."""
    return int(mask.arg_max() or 0)


def as_numbers(values: pl.Series, *, hint: str) -> pl.Series:
    """Float64 with null for missing; text is parsed.

    Raises DataError on what is no number, ending with `hint`, the way out.
    """
    dtype = values.dtype
    if dtype == pl.String:
        text = values.str.strip_chars()
        text = text.zip_with(~text.is_in(MISSING_NUMBERS), pl.Series([None], dtype=pl.String))
        numbers = text.cast(pl.Float64, strict=False)
        if (wrong := numbers.is_null() & text.is_not_null()).any():
            row = row_of(wrong)
            rule = f"{values[row]!r} is not a number; {how_to_write(text[row]) or hint}"
            raise ColumnError([Wrong(f"column {values.name!r}", rule, row)])
        return numbers.fill_nan(None)
    if not (dtype.is_numeric() or dtype in (pl.Boolean, pl.Null)):
        rule = f"holds {dtype}, a number is needed; {hint}"
        raise ColumnError([Wrong(f"column {values.name!r}", rule)])
    return values.cast(pl.Float64).fill_nan(None)


def number_array(values: pl.Series, *, hint: str) -> npt.NDArray[np.float64]:
    """`as_numbers` as an array [N], NaN for missing."""
    if not (values.dtype.is_numeric() or values.dtype == pl.Boolean) or values.dtype.is_decimal():
        values = as_numbers(values, hint=hint)
    return values.cast(pl.Float64).to_numpy()


def plain(values: pl.Series) -> pl.Series:
    """The column as integers, floats, booleans or text, with null for missing.

    Raises DataError for what is no single value (lists, structs, bytes, objects), and for lengths
    of time, which have no text.
    """
    dtype = values.dtype
    if dtype.is_float():
        return values.fill_nan(None)
    if dtype == pl.String:
        return values.replace("", None)
    if dtype.is_integer() or dtype == pl.Boolean:
        return values
    if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
        rule = (
            f"holds {dtype}, a category is needed (text, integers, booleans or floats); a list of"
            " ids belongs under `sequence`"
        )
        raise ColumnError([Wrong(f"column {values.name!r}", rule)])
    if dtype == pl.Duration:
        rule = (
            f"holds {dtype}, a category is needed (text, integers, booleans or floats); write the"
            " lengths of time as numbers, such as seconds, which belong under `numeric`"
        )
        raise ColumnError([Wrong(f"column {values.name!r}", rule)])
    return plain(values.cast(pl.String))


def as_keys(values: pl.Series) -> pl.Series:
    """Category keys as text with null for missing, the same for equal values of any type."""
    values = values if values.dtype == pl.String else plain(values)
    if values.dtype.is_float():
        whole = (values == values.floor()) & (values.abs() < LARGEST_EXACT)
        integers = values.cast(pl.Int64, strict=False).cast(pl.String)
        return integers.zip_with(whole.fill_null(value=False), values.cast(pl.String))
    if values.dtype == pl.String:
        return _text_keys(values)
    return values.cast(pl.String)


def _text_keys(text: pl.Series) -> pl.Series:
    """Looks first: nearly all text is its own key, and writing it anew takes ten times as long."""
    if text.filter(text.str.ends_with("0")).str.contains(WHOLE).any():
        text = text.str.replace(WHOLE, "${1}")
    is_short = text.str.len_bytes() <= LONGEST_OTHER
    if is_short.any() and text.is_in(list(OTHER_TEXT)).any():
        text = text.replace(OTHER_TEXT)
    return text


def as_integers(values: pl.Series) -> npt.NDArray[np.int64] | None:
    """The known values of a column of integers; None for another type, or beyond 64 bits."""
    if not values.dtype.is_integer():
        return None
    known = values.drop_nulls() if values.null_count() else values
    if values.dtype in (pl.UInt64, pl.Int128, pl.UInt128):
        low, high = known.min(), known.max()
        if low is not None and not -LARGEST_INT <= int(str(low)) <= int(str(high)) <= LARGEST_INT:
            return None
    return known.cast(pl.Int64).to_numpy()
