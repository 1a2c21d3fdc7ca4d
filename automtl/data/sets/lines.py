"""Text files as frames of some ten thousand rows, in memory that does not grow with the file.

A bad line ends the reading with its number: lines count from 1, a header is line 1.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from automtl.data.sets.raw import RawFile, Stream
from automtl.errors import DataError

__all__ = ["BLOCK_BYTES", "Block", "Report", "bad_line", "read_blocks", "read_table", "typed"]

BLOCK_BYTES = 1 << 24
# what is told while a file is read: its name, the share of it that was read, its rows so far
Report = Callable[[str, float, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Rows that follow each other; all columns are text, an empty field is null."""

    frame: pl.DataFrame
    file: RawFile
    first_line: int


def read_blocks(
    file: RawFile,
    columns: Sequence[str],
    report: Report,
    *,
    has_header: bool,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[Block]:
    """The rows of a comma-separated file.

    A header must have all `columns`, in any order and among others; without one, the fields are
    `columns`, in order. Raises DataError for a header without one of them and for a line with more
    or fewer fields, with a quote that does not end, or in no UTF-8.
    """
    num_rows, line, names = 0, 1, None if has_header else list(columns)
    with Stream.open(file) as stream:
        for content in _whole_lines(stream, block_bytes):
            block = content
            if names is None:
                names, block = _header(file, block, columns)
                line = 2
            if block:
                frame = _parse(file, block, names, line)
                yield Block(frame=frame.select(columns), file=file, first_line=line)
                num_rows += len(frame)
                line += len(frame)
            report(file.name, stream.share(), num_rows)
    if not num_rows:
        raise DataError(f"{file}: has no rows; download it again")


def read_table(
    file: RawFile, schema: Mapping[str, pl.DataType], report: Report, *, keys: Sequence[str]
) -> pl.DataFrame:
    """A whole file with a header, for those that memory holds; see `typed`."""
    blocks = read_blocks(file, list(schema), report, has_header=True)
    return pl.concat([typed(block, schema, required=keys) for block in blocks], rechunk=True)


def typed(
    block: Block, schema: Mapping[str, pl.DataType], *, required: Sequence[str] = ()
) -> pl.DataFrame:
    """The columns of `schema` as those types; a whole number may be written `3.0`.

    Raises DataError naming the line of a value that is none, or that is missing where `required`.
    """
    columns = [_cast(block, block.frame[name], dtype) for name, dtype in schema.items()]
    for name in required:
        if (gaps := block.frame[name].is_null()).any():
            raise bad_line(block, gaps, f"column {name!r} is empty, a value is needed")
    return pl.DataFrame(columns)


def bad_line(block: Block, wrong: pl.Series, problem: str) -> DataError:
    """For the first row of the block where `wrong` is true."""
    line = block.first_line + int(wrong.arg_max() or 0)
    return DataError(f"{block.file}:{line}: {problem}; download the file again, or mend the line")


def _cast(block: Block, text: pl.Series, dtype: pl.DataType) -> pl.Series:
    if dtype == pl.String:
        return text
    values = text.cast(dtype, strict=False)
    if dtype.is_integer() and values.null_count() > text.null_count():
        numbers = text.cast(pl.Float64, strict=False)
        whole = numbers.set(numbers != numbers.floor(), None).cast(dtype, strict=False)
        values = values.fill_null(whole)
    if (wrong := values.is_null() & text.is_not_null()).any():
        value = text[int(wrong.arg_max() or 0)]
        kind = "whole number" if dtype.is_integer() else "number"
        problem = f"column {text.name!r}: {value!r} is no {kind} that fits {dtype}"
        raise bad_line(block, wrong, problem)
    return values


def _whole_lines(stream: Stream, block_bytes: int) -> Iterator[bytes]:
    """Pieces that end where a line ends; of empty lines, only those at the end are left out."""
    rest = b""
    while content := stream.read(block_bytes):
        content = (rest + content).replace(b"\r\n", b"\n")
        end = content.rfind(b"\n") + 1
        # empty lines may be the last ones: they wait for what comes after them
        while end > 1 and content[end - 2 : end - 1] == b"\n":
            end -= 1
        if content[:end].strip():
            yield content[:end]
            rest = content[end:]
        else:
            rest = content
    if rest.strip():
        yield rest.rstrip(b"\r\n") + b"\n"


def _header(file: RawFile, block: bytes, columns: Sequence[str]) -> tuple[list[str], bytes]:
    first, _, rest = block.partition(b"\n")
    names = first.decode("utf-8-sig", errors="replace").replace('"', "").split(",")
    if missing := [name for name in columns if name not in names]:
        raise DataError(
            f"{file}:1: the header lacks {', '.join(missing)}; it has {', '.join(names)[:200]};"
            " download the file again"
        )
    return names, rest


def _parse(file: RawFile, block: bytes, names: list[str], first_line: int) -> pl.DataFrame:
    lines = _checked(file, block, len(names), first_line)
    frame = _read_csv(block, names)
    if frame is None or len(frame) != len(lines):  # only quotes can be read in two ways
        row = next(
            (row for row, line in enumerate(lines) if '"' in line and _is_odd(line, names)), 0
        )
        raise DataError(
            f"{file}:{first_line + row}: a quote stands where none may; download the file again,"
            " or mend the line"
        )
    return frame.with_columns(pl.all().replace("", None))


def _read_csv(block: bytes, names: list[str]) -> pl.DataFrame | None:
    header = ",".join(f'"{name}"' for name in names).encode() + b"\n"
    try:
        return pl.read_csv(io.BytesIO(header + block), infer_schema=False)
    except pl.exceptions.PolarsError:
        return None


def _is_odd(line: str, names: list[str]) -> bool:
    frame = _read_csv(line.encode() + b"\n", names)
    return frame is None or len(frame) != 1


def _checked(file: RawFile, block: bytes, num_fields: int, first_line: int) -> pl.Series:
    """The lines. Raises DataError for one that is no UTF-8 or has another number of fields."""
    try:
        lines = pl.Series(block.decode().removesuffix("\n").split("\n"))
    except UnicodeDecodeError as error:
        line = first_line + block.count(b"\n", 0, error.start)
        raise DataError(f"{file}:{line}: is not UTF-8 text; download the file again") from error
    plain = lines
    if b'"' in block:
        plain = lines.str.replace_all(r'"[^"]*"', "")
    num_found = plain.str.count_matches(",", literal=True) + 1
    wrong = (num_found != num_fields) | plain.str.contains('"', literal=True)
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        problem = (
            "a quote does not end"
            if '"' in plain[row]
            else f"has {num_found[row]} fields, {num_fields} are needed"
        )
        raise DataError(
            f"{file}:{first_line + row}: {problem}; download the file again, or mend the line"
        )
    return lines
