"""Whatever the lines and wherever the pieces end, lines are read whole and once."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from automtl.data.sets.lines import read_blocks
from automtl.data.sets.raw import RawFile
from automtl.data.sets.sides import one_in
from automtl.errors import DataError

text = st.text(st.characters(codec="utf-8", exclude_characters='\n\r"'), max_size=6)
tables = st.lists(st.tuples(text, text, text), min_size=1, max_size=8)


def read(content, block_bytes, *, has_header=False):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file.csv"
        path.write_bytes(content)
        blocks = list(
            read_blocks(
                RawFile(name="file.csv", path=path),
                ["a", "b", "c"],
                lambda name, share, num_rows: None,
                has_header=has_header,
                block_bytes=block_bytes,
            )
        )
    lines = [block.first_line for block in blocks]
    sizes = [len(block.frame) for block in blocks]
    assert lines == [lines[0] + sum(sizes[:number]) for number in range(len(sizes))]
    return [row for block in blocks for row in block.frame.rows()]


@given(tables, st.integers(1, 60), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_fields_arrive_as_they_were_written(table, block_bytes, end, has_header):
    header = ["c,x,a,b"] if has_header else []
    lines = [
        ",".join(f'"{field}"' if "," in field else field for field in _order(row, has_header))
        for row in table
    ]
    content = (end.join(header + lines) + end).encode()
    found = read(content, block_bytes, has_header=has_header)
    assert found == [tuple(field or None for field in row) for row in table]


def _order(row, has_header):
    a, b, c = row
    return (c, "x", a, b) if has_header else row


@given(st.binary(max_size=80), st.integers(1, 30))
def test_any_bytes_are_rows_or_an_error_that_names_the_file(content, block_bytes):
    try:
        num_rows = len(read(content, block_bytes))
    except DataError as error:
        num_rows, message = 0, str(error)
    else:
        message = "file.csv"
    assert "file.csv" in message
    assert num_rows <= content.count(b"\n") + 1


@given(st.lists(st.integers(-(2**40), 2**40)), st.integers(2, 20))
def test_equal_keys_are_on_the_same_side(keys, share):
    chosen = one_in(share, pl.Series(keys, dtype=pl.Int64))
    by_key = dict(zip(keys, chosen.tolist(), strict=True))
    assert [by_key[key] for key in keys] == chosen.tolist()


def test_about_one_in_so_many_is_chosen_also_of_neighbours():
    for share in (2, 10):
        for keys in (pl.Series(range(100_000)), [f"{key:x}" for key in range(100_000)]):
            assert abs(np.mean(one_in(share, keys)) - 1 / share) < 0.01
    halves = one_in(2, pl.Series(range(100_000)))
    assert abs(np.mean(halves[1:] == halves[:-1]) - 0.5) < 0.01
