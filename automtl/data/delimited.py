"""CSV and TSV files (also `.gz`, `.zst`), batch by batch, only the columns that are asked for.

Every field arrives as text, an empty one as null, and so does a text that `missing` lists: what a
column means is the spec's decision.
pyarrow reads them: unlike polars it stops at a row with too few fields, and decodes any encoding.
"""

from __future__ import annotations

import csv
import io
import threading
import weakref
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc

from automtl.byte_marks import marked_encoding
from automtl.data.files import Place, open_bytes, size_of, suffixes_of, told
from automtl.data.parquet import ERRORS, unreadable
from automtl.data.separators import how_to_separate, separated_by
from automtl.errors import DataError

__all__ = ["COMPRESSIONS", "UTF8", "delimited_batches", "delimited_names"]

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
UTF8 = "utf8"
BLOCK = 16 << 20  # bytes of a batch; no row may be longer
REPLACEMENT = "\ufffd"  # what stands for bytes that are no letters
LONGEST_HEADER = 1 << 20
PATIENCE_S = 5.0


def delimited_names(file: Place, separator: str, *, encoding: str = UTF8) -> list[str]:
    """The names in its first line. Raises DataError where there is none, or a name stands twice."""
    try:
        with _opened(file) as (stream, _):
            start = stream.read(LONGEST_HEADER)
        text = start.decode(encoding, errors="replace").removeprefix("\ufeff")
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        names = next((row for row in rows if row), [])
    except DataError:
        raise
    except (*ERRORS, csv.Error) as error:
        raise unreadable(file, error) from error
    if any(REPLACEMENT in name for name in names):
        raise _not_decoded(file, encoding)
    if not names:
        raise DataError(f"{file}: is empty; write a header line and rows, or leave it out")
    if len(names) == 1 and (other := separated_by(names[0], text, separator)):
        raise DataError(f"{file}: {how_to_separate(other, packed=_packed(file))}")
    if twice := [name for name in names if names.count(name) > 1]:
        raise DataError(
            f"{file}: has several columns named {twice[0]!r}; rename all but one, or write a line"
            " of names above it if its first line holds values"
        )
    return names


def delimited_batches(
    file: Place,
    separator: str,
    columns: Sequence[str],
    *,
    encoding: str = UTF8,
    missing: Sequence[str] = (),
) -> Iterator[tuple[pa.RecordBatch, float]]:
    """The rows in order, and the share of the file that has been read with each batch.

    Raises DataError naming the row that has too few or too many fields or cannot be decoded.
    """
    names = delimited_names(file, separator, encoding=encoding)
    bad_rows: list[Any] = []
    with _opened(file) as (stream, done):
        try:
            rows = _batches(stream, separator, columns, encoding, names, bad_rows, missing=missing)
            with closing(rows) as batches:
                for batch in batches:
                    yield batch.select(list(columns)), done()
        except DataError:
            raise
        except (*ERRORS, UnicodeDecodeError) as error:
            raise _explained(file, separator, encoding, names, bad_rows, error) from error


def _batches(
    stream: Any,
    separator: str,
    columns: Sequence[str],
    encoding: str,
    names: Sequence[str],
    bad_rows: list[Any],
    *,
    missing: Sequence[str] = (),
    is_counting: bool = False,
) -> Generator[pa.RecordBatch]:
    """The rows; the first that has too few or too many fields goes to `bad_rows`, and is an error.

    It ends when pyarrow's threads have let go of what asks: one that gives a Python object back
    when the interpreter has gone aborts the process.
    """
    stop, is_free = _Stop(bad_rows), threading.Event()
    watch = weakref.ref(stop, lambda _: is_free.set())
    try:
        yield from pc.open_csv(
            stream,
            read_options=pc.ReadOptions(
                use_threads=not is_counting,  # rows have numbers where one thread parses
                encoding=encoding,
                block_size=BLOCK,
            ),
            parse_options=pc.ParseOptions(
                delimiter=separator,
                newlines_in_values=True,
                ignore_empty_lines=len(names) > 1,  # else an empty line is a missing value
                invalid_row_handler=stop,
            ),
            convert_options=pc.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()),
                include_columns=list(columns),
                null_values=["", *missing],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
    finally:
        del stop
        is_free.wait(PATIENCE_S)
        del watch


class _Stop:
    """What pyarrow asks what to do with a row that has too few or too many fields."""

    def __init__(self, bad_rows: list[Any]) -> None:
        self._bad_rows = bad_rows

    def __call__(self, row: Any) -> str:
        self._bad_rows.append(row)
        return "error"


@contextmanager
def _opened(place: Place) -> Iterator[tuple[Any, Callable[[], float]]]:
    """The bytes of the file, unpacked, and what says which share of it has been read."""
    size = max(1, size_of(place))
    packed = COMPRESSIONS.get(_packed(place))
    with _opened_packed(place) as raw:
        stream = raw if packed is None else pa.CompressedInputStream(raw, packed)
        yield stream, lambda: min(1.0, raw.tell() / size)


@contextmanager
def _opened_packed(place: Place) -> Iterator[Any]:
    """As it lies. A file of this machine is read without Python's objects: see `_batches`."""
    if isinstance(place, Path):
        with told(place):
            file = pa.OSFile(str(place))
        with file:
            yield file
        return
    with open_bytes(place) as raw:
        yield pa.PythonFile(raw, mode="r")


def _packed(place: Place) -> str:
    """The suffix that says how it is packed, "" of one that is not."""
    last = (suffixes_of(place) or [""])[-1]
    return last if last in COMPRESSIONS else ""


def _explained(
    file: Place,
    separator: str,
    encoding: str,
    names: Sequence[str],
    bad_rows: list[Any],
    error: BaseException,
) -> DataError:
    if bad_rows:
        number = bad_rows[0].number or _number_of(file, separator, encoding, names)
        more = "more" if bad_rows[0].actual_columns > len(names) else "fewer"
        place = f"row {number - 2} (counted from 0): " if number else ""
        hint = "quote fields that hold the separator" if more == "more" else "is it cut short?"
        return DataError(
            f"{file}: {place}has {more} fields than the header ({bad_rows[0].actual_columns}, not"
            f" {len(names)}); {hint}: {bad_rows[0].text[:80]!r}"
        )
    if isinstance(error, UnicodeDecodeError) or "UTF8" in str(error):
        return _not_decoded(file, encoding)
    if "straddles" in str(error):
        return DataError(
            f"{file}: a row is longer than {BLOCK >> 20} MiB; is a quote not closed? {error}"
        )
    return unreadable(file, error)


def _number_of(file: Place, separator: str, encoding: str, names: Sequence[str]) -> int | None:
    """The line of the first row that does not have as many fields as the header, from 1."""
    bad_rows: list[Any] = []
    try:
        with _opened(file) as (stream, _):
            for _ in _batches(
                stream, separator, names[:1], encoding, names, bad_rows, is_counting=True
            ):
                pass
    except (*ERRORS, UnicodeDecodeError):
        pass
    return bad_rows[0].number if bad_rows else None


def _marked(file: Place) -> str:
    """The encoding whose byte order mark the file begins with, as Excel's "Unicode text" does."""
    try:
        with _opened(file) as (stream, _):
            return marked_encoding(stream.read(4))
    except ERRORS:
        return ""


def _not_decoded(file: Place, encoding: str) -> DataError:
    """With the first line that is not in the encoding, or the one that its first bytes say."""
    if (marked := _marked(file)) not in ("", encoding):
        return DataError(
            f"{file}: begins with the byte order mark of {marked.upper()}; write"
            f" `encoding: {marked}` under data (init, predict: --encoding {marked}), or convert it:"
            f" iconv -f {marked} -t utf-8"
        )
    place = ""
    with _opened(file) as (stream, _):
        try:
            for number, line in enumerate(io.BufferedReader(stream)):
                try:
                    line.decode(encoding)
                except UnicodeDecodeError:
                    place = f", see line {number + 1}: {line[:80]!r}"
                    break
        except ERRORS:
            pass
    name = "UTF-8" if encoding == UTF8 else encoding
    return DataError(
        f"{file}: is not {name} text{place}; write `encoding: latin1`, or what it is, under data"
        " (init, predict: --encoding latin1), or convert it: iconv -f latin1 -t utf-8"
    )
