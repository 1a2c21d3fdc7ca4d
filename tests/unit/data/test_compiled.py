"""Compiled loops give what NumPy, or a plain loop in Python, gives."""

import itertools
import os
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.data_spec import make_spec, write_encoded

from automtl.data import compiled, source
from automtl.data.cache import ARRAYS
from automtl.data.loops import compiled as in_use
from automtl.data.loops import compiled_loops
from automtl.data.numbered_text import NumberedText
from automtl.data.numbering import IntegerNumbers, TextNumbers
from automtl.data.placing import Found, Scaled, side_by_side
from automtl.data.row_hash import row_hashes, rows_below
from automtl.data.scaling import Moments, Scaling, scaled
from automtl.data.source import FileSource, FrameSource
from automtl.data.totals import Totals

INT64 = st.integers(-(2**63), 2**63 - 1)
WIDTHS = st.sampled_from(["int8", "uint8", "int16", "int32", "uint32", "int64"])


def first_come(values, *, first=0):
    """The number of each value in the order in which they came."""
    numbers = {}
    return [numbers.setdefault(value, first + len(numbers)) for value in values]


# ---- numbers by hashing --------------------------------------------------------------------


@given(st.lists(st.lists(INT64 | st.integers(-4, 4))))
def test_integers_are_numbered_as_they_come(batches):
    numbers = IntegerNumbers()
    found = [numbers.add(np.array(batch, dtype=np.int64)).tolist() for batch in batches]
    every = [value for batch in batches for value in batch]
    assert list(itertools.chain(*found)) == first_come(every)
    assert numbers.values_V.tolist() == list(dict.fromkeys(every))


def test_a_table_of_integers_grows_with_them():
    values = np.random.default_rng(0).permutation(np.arange(-30_000, 30_000)) * 7_919
    numbers = IntegerNumbers()
    for part in np.array_split(np.concatenate([values, values]), 7):
        numbers.add(part)
    assert numbers.values_V.tolist() == values.tolist()
    assert numbers.add(values[::-1].copy()).tolist() == list(range(len(values)))[::-1]


@given(st.lists(st.lists(st.text() | st.sampled_from(["", "a", "12345678", "123456789"]))))
def test_text_is_numbered_as_it_comes(batches):
    numbers = TextNumbers()
    found = [numbers.add(pa.array(batch, pa.large_string())).tolist() for batch in batches]
    every = [value for batch in batches for value in batch]
    assert list(itertools.chain(*found)) == first_come(every, first=1)
    assert numbers.texts().to_pylist() == [None, *dict.fromkeys(every)]


def test_a_table_of_text_grows_with_it():
    words = [f"{'w' * (place % 19)}{place}" for place in range(40_000)]
    numbers = TextNumbers()
    texts = {}
    for start in range(0, len(words), 1_000):
        numbers.add(pa.array(words[start : start + 1_000], pa.large_string()))
        texts[start + 1_000] = numbers.texts()
    for num, array in texts.items():  # in memory that others have grown out of
        assert array.to_pylist() == [None, *words[:num]]
    part = pa.array(words, pa.large_string()).slice(17, 9)  # begins within its letters
    assert numbers.add(part).tolist() == list(range(18, 27))


def test_text_of_one_hash_is_told_by_its_letters():
    """Of two words for each of these lengths the second differs in its last letter alone."""
    words = [f"{'x' * length}{end}" for length in range(20) for end in "ab"]
    numbers = TextNumbers()
    numbers.add(pa.array(words, pa.large_string()))
    numbers._entries_S[:] = compiled.FREE
    numbers._hashes_V[:] = numbers._hashes_V[1]  # as if all had that of the first
    compiled.number_again(numbers._hashes_V[: numbers.num], numbers._entries_S)
    ends, known = numbers._ends_V, numbers._letters
    for number, word in enumerate(words, 1):
        letters = np.frombuffer(word.encode(), np.uint8)
        slot = compiled._slot_of(
            letters,
            np.uint64(0),
            np.uint64(len(letters)),
            numbers._hashes_V[1],
            numbers._entries_S,
            ends,
            known,
        )
        assert numbers._entries_S[slot] & compiled.LOWER == number


def test_a_free_slot_is_no_text():
    """The upper half of this word's hash is all ones, as a free slot is."""
    numbers = TextNumbers()
    word = pa.array(["'6+,6nY;"], pa.large_string())
    letters = np.frombuffer(b"'6+,6nY;", np.uint8)
    assert int(compiled._hash(letters, np.uint64(0), np.uint64(8))) >> 32 == 2**32 - 1
    assert numbers.add(word).tolist() == [1]
    assert numbers.add(word).tolist() == [1]


def test_no_text_stands_for_those_that_are_missing():
    """The hash of the empty text is that of number 0, which stays out of a table that grows."""
    numbers = TextNumbers()
    numbers.add(pa.array([str(place) for place in range(10_000)], pa.large_string()))
    assert numbers.add(pa.array([""], pa.large_string())).tolist() == [10_001]
    assert numbers.texts().to_pylist()[-1] == ""


def test_rows_without_text_have_the_number_0():
    text = NumberedText()
    codes = pa.array([0, None, 2, 1, 3], pa.int8())
    words = pa.array(["b", None, "a", "b"])  # a file may name a value twice, and a missing one
    assert text.add(pa.DictionaryArray.from_arrays(codes, words)).tolist() == [1, 0, 2, 0, 1]
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        column = pa.DictionaryArray.from_arrays([0, 1, None], pa.array(["c", "a"], kind))
        assert text.add(column).tolist() == [3, 2, 0]
    assert text.num == 4
    assert text.distinct.array.to_pylist() == [None, "b", "a", "c"]
    assert text.distinct is text.distinct, "it is made once"
    text.finish()
    assert text.num == 4
    assert text.distinct.array.to_pylist() == [None, "b", "a", "c"]


COUNTED = st.dictionaries(st.none() | st.sampled_from("abcd"), st.integers(0, 3))


@given(st.lists(st.tuples(COUNTED, st.booleans())))
def test_counts_of_distinct_keys_add_up_like_others(parts):
    totals, expected = Totals(pl.String), Counter()
    for counted, are_distinct in parts:
        keys = pl.Series(list(counted), dtype=pl.String)
        totals.add_counted(keys, pl.Series(counted.values()), are_distinct=are_distinct)
        expected.update(counted)
    found = dict(totals.total().rows())
    assert found == {key: num for key, num in expected.items() if key is not None and num}


# ---- columns -------------------------------------------------------------------------------


@given(st.data(), WIDTHS)
def test_what_is_looked_up_is_put_in_its_column(data, width):
    low, high = np.iinfo(width).min, np.iinfo(width).max
    first = data.draw(st.integers(max(low, -50), 50))
    values = data.draw(st.lists(st.integers(low, high) | st.integers(first, min(high, first + 9))))
    table = list(range(100, 108))
    column = Found(values_N=np.array(values, width), table_V=np.array(table, np.int32), first=first)
    out_NC = np.zeros((len(values), 3), dtype=np.int32)
    side_by_side([np.full(len(values), 5), column, np.full(len(values), 6)], out_NC)
    expected = [table[one - first] if 0 <= one - first < 7 else table[-1] for one in values]
    assert out_NC.T.tolist() == [[5] * len(values), expected, [6] * len(values)]


@given(
    st.lists(st.none() | st.floats(-(2.0**40), 2.0**40, width=32)),
    st.sampled_from(["float32", "float64"]),
    st.booleans(),
)
def test_scaled_numbers_are_those_that_numpy_gives(values, width, indicator):
    numbers_N = np.array([np.nan if one is None else one for one in values], dtype=width)
    scaling = Scaling(name="x", mean=0.3, std=1e-3, indicator=indicator)
    column = Scaled(numbers_N=numbers_N, mean=0.3, std=1e-3, largest=1e6, indicator=indicator)
    out_NF = np.full((len(values), 1 + column.width), 7, dtype=np.float32)
    side_by_side([column, np.zeros(len(values))], out_NF)
    expected = scaled(numbers_N.astype(np.float64), scaling).reshape(len(values), column.width)
    np.testing.assert_array_equal(out_NF[:, :-1], expected)
    assert not out_NF[:, -1].any()


@given(st.lists(st.lists(st.none() | st.floats(-1e300, 1e300)), max_size=3))
def test_moments_are_those_that_numpy_gives(batches):
    found = []
    for pays in (False, True):
        with compiled_loops(pays=pays):
            moments = Moments()
            for batch in batches:
                moments.add(np.array([np.nan if one is None else one for one in batch], float))
            scaling = moments.scaling("x")
            found.append((scaling.mean, scaling.std, *moments.bounds(), scaling.indicator))
    size = max((abs(one) for batch in batches for one in batch if one is not None), default=0)
    assert found[1] == pytest.approx(found[0], rel=1e-9, abs=1e-9 * size)


@given(st.integers(0, 2**40), st.integers(0, 300), st.integers(0, 2**64 - 1), st.integers(0, 9))
def test_rows_are_chosen_by_their_numbers(start, count, limit, seed):
    expected = row_hashes(start, count, seed=seed)
    with compiled_loops(pays=True):
        rows, hashes = rows_below(np.uint64(limit), start, count, seed=seed)
    assert rows.tolist() == np.flatnonzero(expected <= np.uint64(limit)).tolist()
    assert hashes.tolist() == expected[rows].tolist()


# ---- all together --------------------------------------------------------------------------


def frame_of(num_rows=3_000):
    rng = np.random.default_rng(0)
    click = rng.integers(0, 2, num_rows)
    return pl.DataFrame(
        {
            "near": rng.integers(-20, 900, num_rows),
            "far": rng.integers(-(2**62), 2**62, 40)[rng.integers(0, 40, num_rows)],
            "holes": pl.Series(rng.integers(0, 9, num_rows)).scatter([1, 7], None),
            "word": [None if i % 11 == 0 else f"w{i * i % 300}" for i in range(num_rows)],
            "odd": rng.choice(["2.0", "2", "True", "", "x"], num_rows),
            "hashed": [f"h{i % 500}" for i in range(num_rows)],
            "real": rng.normal(size=num_rows),
            "half": rng.normal(size=num_rows).astype(np.float32),
            "gaps": pl.Series(rng.normal(size=num_rows)).scatter([3, 800], None),
            "count": rng.poisson(3, num_rows),
            "long": rng.lognormal(size=num_rows),
            "click": click,
            "buy": click & rng.integers(0, 2, num_rows),
            "day": np.arange(num_rows) // 100,
        }
    )


def encoded_both_ways(spec, make_source, folder):
    """Encoder and arrays of the rows by NumPy, and by compiled loops."""
    found = []
    for pays in (False, True):
        with compiled_loops(pays=pays):
            encoder = write_encoded(spec, make_source(), folder / str(pays)).encoder
        arrays = {name: np.load(folder / str(pays) / f"{name}.npy") for name in ARRAYS}
        found.append((encoder, arrays))
    return found


def assert_same(found):
    (by_numpy, arrays), (by_loops, others) = found
    for table, keys in by_numpy.vocabularies.items():
        assert by_loops.vocabularies[table].to_list() == keys.to_list()
    for name in ("ids", "labels", "rows"):
        np.testing.assert_array_equal(others[name], arrays[name])
    np.testing.assert_allclose(others["numeric"], arrays["numeric"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("split", [{"time": "day"}, {"random": True}])
@pytest.mark.parametrize("kind", ["parquet", "csv", "memory"])
def test_all_that_is_written_is_the_same(tmp_path, monkeypatch, kind, split):
    monkeypatch.setattr(source, "BATCH_ROWS", 700)
    frame = frame_of()
    file = tmp_path / f"rows.{kind}"
    if kind != "memory":
        getattr(frame, f"write_{kind}")(file)
    categorical = {name: {} for name in ["near", "far", "holes", "word", "odd"]}
    numeric = {name: {} for name in ["real", "half", "gaps", "count"]}
    numeric["long"] = {"scale": "log1p"}
    data = {"path": file.name, "split": split, "numeric": numeric}
    data["categorical"] = categorical | {"hashed": {"hash": 90}}
    tasks = {"click": {"label": "click"}, "buy": {"label": "buy", "given": "click"}}
    spec = make_spec(data, tasks, base_dir=tmp_path)

    def rows():
        return FrameSource(frame, "rows") if kind == "memory" else FileSource([file])

    found = encoded_both_ways(spec, rows, tmp_path)
    assert_same(found)
    # outside the block, as who scores later does
    inputs = [encoder.transform(frame) for encoder, _ in found]
    np.testing.assert_array_equal(inputs[1].ids_NC, inputs[0].ids_NC)


def test_files_may_have_dictionaries_of_anything_and_columns_of_nothing(tmp_path):
    """As pandas writes categories, and columns in which no row has a value."""
    frame = frame_of(900)
    click, day = (frame[name].to_arrow() for name in ("click", "day"))
    word = pa.array(frame["word"].to_list())
    level = pa.array((frame["near"] % 7).to_list()).dictionary_encode()
    for number, late in enumerate([pa.nulls(900), word, word.cast(pa.large_string())]):
        columns = {"level": level, "word": word.dictionary_encode(), "late": late}
        table = pa.table(columns | {"click": click, "day": day})
        pq.write_table(table, tmp_path / f"{number}.parquet", row_group_size=250)
    categorical = {name: {} for name in ("level", "word", "late")}
    data = {"path": "*.parquet", "split": {"random": True}, "categorical": categorical}
    spec = make_spec(data, {"click": {"label": "click"}}, base_dir=tmp_path)
    assert_same(encoded_both_ways(spec, lambda: FileSource(spec.data_files()), tmp_path))


def test_loops_are_compiled_where_that_pays_and_numba_is_there(monkeypatch):
    assert in_use() is None
    with compiled_loops(pays=True):
        assert in_use() is compiled
        with compiled_loops(pays=False):
            assert in_use() is compiled, "who has begun goes on"
    with compiled_loops(pays=False):
        assert in_use() is None
    monkeypatch.delattr("automtl.data.compiled")
    monkeypatch.setitem(sys.modules, "automtl.data.compiled", None)  # importing it fails
    with compiled_loops(pays=True):
        assert in_use() is None


def test_loops_are_compiled_where_no_file_can_be_written(monkeypatch):
    def njit(function, cache=False, **options):
        if cache:
            raise RuntimeError("no locator available")
        return function, options

    monkeypatch.setattr(compiled, "njit", njit)
    function, options = compiled._compiled(inline="never")(len)
    assert function is len
    assert options == {"inline": "never", "nogil": True, "error_model": "numpy"}


TWICE = """
import resource, sys
import numpy as np
from pathlib import Path
from automtl.data import compiled

if sys.argv[1] == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))  # as of a full disk
assert compiled.any_infinite(np.array([1.0, np.inf]))
for file in Path(sys.argv[2]).rglob("*.nbi"):
    file.write_bytes(b"")
"""


def test_loops_are_compiled_anew_where_what_is_kept_is_damaged_or_cannot_be_written(tmp_path):
    for how in ("full", "damaged", "damaged"):
        command = [sys.executable, "-c", TWICE, how, str(tmp_path)]
        env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
        done = subprocess.run(command, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert [*tmp_path.rglob("*.nbi")], "the second damaged one was kept"


def test_rows_are_encoded_while_others_in_the_process_begin_and_end(tmp_path):
    """Whether loops are compiled is asked once of what must not change its mind."""
    frame_of().write_parquet(tmp_path / "rows.parquet", row_group_size=500)
    data = {"path": "*.parquet", "split": {"random": True}, "categorical": {"word": {}, "odd": {}}}
    spec = make_spec(data, {"click": {"label": "click"}}, base_dir=tmp_path)
    others = ExitStack()
    told = []

    def report(step, _share, _rows):
        told.append(step)
        if told.count("reading") == 2:
            others.close()

    others.enter_context(compiled_loops(pays=True))
    write_encoded(spec, FileSource(spec.data_files()), tmp_path / "begun", report=report)
    write_encoded(spec, FileSource(spec.data_files()), tmp_path / "alone")
    ids = [np.load(tmp_path / name / "ids.npy") for name in ("begun", "alone")]
    np.testing.assert_array_equal(*ids)


def test_large_is_what_has_many_bytes(tmp_path, monkeypatch):
    frame, file = frame_of(), tmp_path / "rows.parquet"
    frame.write_parquet(file)
    for limit, expected in ((file.stat().st_size, True), (1 << 30, False)):
        monkeypatch.setattr(source, "LARGE", limit)
        assert FileSource([file]).is_large is expected
        assert FrameSource(frame, "rows").is_large is expected
