"""What can be said of the rows from the head of their first file, in no time and without polars."""

from __future__ import annotations

from contextlib import suppress

from automtl.doctor.splits import check_split
from automtl.errors import DataError
from automtl.spec.schema import Spec

__all__ = ["look"]


def look(spec: Spec) -> tuple[dict[str, int], list[str]]:
    """The lengths of vectors that the first file's schema tells, and warnings as sentences.

    A file that cannot be read tells nothing: whoever reads it says what is wrong.
    """
    widths, warnings = dict[str, int](), list[str]()
    with suppress(DataError):
        warnings = [str(one) for one in check_split(spec)]
        if spec.data.dense and spec.data.path is not None:
            from automtl.data.header import list_widths  # pyarrow: only who has vectors pays

            widths = list_widths(spec.data_files()[0])
    return widths, warnings
