"""Passes behind the first have the rows of files from a scratch file, of which nothing stays."""

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from automtl.data import source, spool
from automtl.data.batch import Batch
from automtl.data.compact import Uses
from automtl.data.source import FileSource, FrameSource, KeptSource
from automtl.data.spool import spooled
from automtl.data.where import Where

pytestmark = pytest.mark.usefixtures("loops")

NUM_ROWS = 300
LIMITS = [2**7 - 1, 2**7, 2**15 - 1, 2**15, 2**31 - 1, 2**31, 2**63 - 1]
EDGES = [0, *LIMITS, *(-one - 1 for one in LIMITS)]


@pytest.fixture
def small(monkeypatch):
    """Many batches, and several of them in a part."""
    monkeypatch.setattr(source, "BATCH_ROWS", 40)
    monkeypatch.setattr(spool, "PART_BYTES", 20_000)


def rows(seed=0):
    rng = np.random.default_rng(seed)
    integers = rng.integers(-100, 100, NUM_ROWS)
    return pl.DataFrame(
        {
            "small": integers,
            "growing": np.arange(NUM_ROWS) ** 4,
            "holes": pl.Series(integers).scatter([5, 200], None),
            "beyond": pl.Series(integers.astype(np.uint64) << np.uint64(1)),
            "days": pl.Series(rng.integers(0, 9, NUM_ROWS)).cast(pl.Int16),
            "text": [None if i % 9 == 0 else f"c{i % 23}" for i in range(NUM_ROWS)],
            "real": pl.Series(rng.normal(size=NUM_ROWS)).scatter([7], None),
            "half": rng.normal(size=NUM_ROWS).astype(np.float32),
            "flag": integers % 2 == 0,
            "list": [[i, i + 1][: i % 3] if i % 5 else None for i in range(NUM_ROWS)],
            "vector": pl.Series(rng.normal(size=(NUM_ROWS, 3)), dtype=pl.Array(pl.Float64, 3)),
            "time": pl.Series(integers * 10**12).cast(pl.Datetime("us", "Europe/Berlin")),
        }
    )


def gathered(batches):
    """All rows, after a look at how their batches count them."""
    parts, start = [], 0
    for batch in batches:
        assert batch.start == start
        start += batch.height
        parts.append(batch.frame(batch.columns))
    assert batch.done == 1
    return pl.concat(parts)


def test_the_second_reading_gives_the_rows_of_the_first(tmp_path, small):
    files = [tmp_path / f"{number}.parquet" for number in range(2)]
    for number, file in enumerate(files):
        rows(number).write_parquet(file, row_group_size=130)
    with spooled(FileSource(files), rows().columns, tmp_path) as passes:
        one = gathered(passes.batches())
        for file in files:
            file.unlink()  # they are not looked at again
        two = gathered(passes.batches())
        assert list(tmp_path.iterdir()) == []  # the scratch file has no name
    assert_frame_equal(one, two)
    assert_frame_equal(two, pl.concat([rows(0), rows(1)]))


def test_integers_are_as_narrow_as_those_so_far_and_others_as_they_are(tmp_path, small):
    file = tmp_path / "rows.parquet"
    rows().write_parquet(file)
    names = ["small", "growing", "holes", "beyond", "days"]
    with spooled(FileSource([file]), names, tmp_path) as passes:
        list(passes.batches())
        batches = list(passes.batches())
    types = [[str(field.type) for field in batch.arrow().schema] for batch in batches]
    assert types[0] == ["int8", "int32", "int64", "uint64", "int8"]
    assert types[-1] == ["int8", "int64", "int64", "uint64", "int8"]


def test_a_batch_gives_integers_as_the_source_had_them_however_they_lie(tmp_path, small):
    file = tmp_path / "rows.parquet"
    rows().write_parquet(file)
    names = ["small", "days"]
    with spooled(FileSource([file]), names, tmp_path) as passes:
        list(passes.batches())
        batch = next(passes.batches())
    assert batch.frame(names).dtypes == [pl.Int64, pl.Int16]
    assert [str(batch.array(name).type) for name in names] == ["int64", "int16"]
    assert batch.integers("small").tolist() == batch["small"].to_list()


class Given:
    """A source of batches of ids."""

    pays_to_spool = True

    def __init__(self, batches):
        self._arrays = [pa.array(values, pa.int64()) for values in batches]

    def batches(self, columns):
        for array in self._arrays:
            yield Batch(pa.RecordBatch.from_arrays([array], names=columns))


@settings(max_examples=30)
@given(st.lists(st.lists(st.sampled_from([*EDGES, None]), min_size=1), min_size=1), st.booleans())
def test_no_integer_changes_however_narrow_it_is_written(tmp_path_factory, batches, is_small):
    with (
        pytest.MonkeyPatch.context() as patch,
        spooled(Given(batches), ["id"], tmp_path_factory.getbasetemp()) as passes,
    ):
        patch.setattr(spool, "PART_BYTES", 1 if is_small else 1 << 20)
        list(passes.batches())
        found = [batch["id"].to_list() for batch in passes.batches()]
    assert found == batches


def test_rows_that_a_condition_keeps_are_judged_once(tmp_path, small):
    file = tmp_path / "rows.parquet"
    rows().write_parquet(file)
    kept = KeptSource(FileSource([file]), Where("small > 90"))
    with spooled(kept, ["text", "small"], tmp_path) as passes:
        one, seen = gathered(passes.batches()), kept.num_all
        kept.num_all = 0
        assert_frame_equal(one, gathered(passes.batches()), check_dtypes=False)
    assert (seen, kept.num_all) == (NUM_ROWS, 0)
    assert_frame_equal(one, rows().filter(pl.col("small") > 90).select("text", "small"))


def test_without_any_row_there_is_nothing_twice(tmp_path):
    file = tmp_path / "rows.parquet"
    rows()[:0].write_parquet(file)
    with spooled(FileSource([file]), ["text"], tmp_path) as passes:
        assert [batch.height for batch in [*passes.batches(), *passes.batches()]] == []


def test_rows_in_memory_are_taken_from_there_at_every_pass(tmp_path):
    in_memory = FrameSource(rows(), "x")
    for place in (in_memory, KeptSource(in_memory, Where("flag"))):
        with spooled(place, ["text"], tmp_path / "there_is_no_such_directory") as passes:
            one, two = gathered(passes.batches()), gathered(passes.batches())
        assert_frame_equal(one, two)


# ---- text files ------------------------------------------------------------------------------


def written_as_text(frame, file):
    frame.write_csv(file)
    return FileSource([file])


def test_text_is_kept_as_what_it_is_taken_for(tmp_path):
    frame = rows().select("text", "real", "small")
    source = written_as_text(frame, tmp_path / "rows.csv")
    uses = Uses(keys=["text"], numbers=["real"])
    read = spooled(source, frame.columns, tmp_path, uses=uses)
    with read as passes:
        (first,) = passes.batches()
        (second,) = passes.batches()
    for batch in (first, second):
        coded, real, small = (field.type for field in batch.arrow().schema)
        assert pa.types.is_dictionary(coded)
        assert (real, small) == (pa.float64(), pa.string())
        assert batch["text"].to_list() == frame["text"].to_list()
        np.testing.assert_array_equal(batch.floats("real"), frame["real"].to_numpy())
        assert batch["small"].to_list() == frame["small"].cast(pl.String).to_list()
    assert coded.index_type == pa.int8(), "its 23 values have a byte each"


@pytest.mark.parametrize("odd", ["many", "inf", "1e999"])
def test_a_column_with_what_is_no_finite_number_stays_text(tmp_path, odd):
    source = written_as_text(pl.DataFrame({"x": ["1", odd]}), tmp_path / "rows.csv")
    with spooled(source, ["x"], tmp_path, uses=Uses(numbers=["x"])) as passes:
        found = [batch["x"].to_list() for _ in range(2) for batch in passes.batches()]
    assert found == [["1", odd]] * 2, "an error can say what stands in the file"


def test_a_look_at_one_column_of_text_is_the_pass_that_reads_the_files(tmp_path):
    frame = rows().select("small", "text")
    source = written_as_text(frame, tmp_path / "rows.csv")
    with spooled(source, frame.columns, tmp_path) as passes:
        looked = gathered(passes.column("text"))
        (tmp_path / "rows.csv").unlink()
        assert_frame_equal(looked, gathered(passes.batches()))


def test_a_look_at_one_column_of_parquet_reads_no_other(tmp_path):
    rows().write_parquet(tmp_path / "rows.parquet")
    with spooled(FileSource([tmp_path / "rows.parquet"]), ["small", "text"], tmp_path) as passes:
        (batch,) = passes.column("text")
        assert batch.columns == ["text"]
        assert next(passes.batches()).columns == ["small", "text"]


def test_every_pass_knows_where_a_row_stands(tmp_path, small):
    files = [tmp_path / f"{number}.csv" for number in range(2)]
    for number, file in enumerate(files):
        rows(number).select("small").write_csv(file)
    kept = KeptSource(FileSource(files), Where("small > 60"))
    with spooled(kept, ["small"], tmp_path) as passes:
        for _ in range(2):
            for batch in passes.batches():
                frame = pl.read_csv(batch.source)["small"]
                places = batch.first_row + batch.places
                assert frame[places].cast(pl.String).to_list() == batch["small"].to_list()
