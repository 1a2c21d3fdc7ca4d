"""Encoded once, opened by all; stale, damaged or half-written is never taken for a cache."""

import errno
import fcntl
import os
import pickle
import resource
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from support.data_spec import make_spec

from automtl.data import cache
from automtl.data.cache import find_cached, load_cached, open_data
from automtl.errors import DataError

TASKS = {"click": {"label": "click"}, "buy": {"label": "buy", "given": "click"}}
DATA = {
    "path": "rows.parquet",
    "categorical": ["user"],
    "numeric": ["age"],
    "sequence": {"seen": {"max_len": 2}},
}


@pytest.fixture(autouse=True)
def cache_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOMTL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def rows(num_rows=60):
    index = np.arange(num_rows)
    return pl.DataFrame(
        {
            "user": index % 7,
            "age": [None if i % 5 == 0 else float(i) for i in index],
            "seen": [[int(i), int(i) % 3] for i in index],
            "click": index // 4 % 2,
            "buy": index // 8 % 2,
            "split": ["test", "train", "valid", "train"] * (num_rows // 4),
            "unread": index,
        }
    )


@pytest.fixture
def spec(tmp_path):
    rows().write_parquet(tmp_path / "rows.parquet")
    return make_spec(DATA, TASKS, base_dir=tmp_path)


def test_rows_lie_by_split_in_the_order_of_the_source_and_know_their_place_in_it(spec):
    data = open_data(spec)
    assert dict(data.num_rows) == {"train": 30, "valid": 15, "test": 15}
    assert [task.name for task in data.tasks] == ["click", "buy"]
    assert [one.name for one in data.features.numeric] == ["age", "age:missing"]
    frame, encoder = rows(), data.encoder
    for split in ("train", "valid", "test"):
        part, source = data.rows(split), data.source_rows(split)
        assert len(part) == data.num_rows[split] == len(source)
        assert set(frame["split"][source].to_list()) == {split}
        assert (np.diff(source) > 0).all()
        expected = encoder.transform(frame[source])
        np.testing.assert_array_equal(part.ids_NC, expected.ids_NC)
        np.testing.assert_array_equal(part.numeric_NF, expected.numeric_NF)
        np.testing.assert_array_equal(part.labels_NK, encoder.labels(frame[source]))
    dtypes = [array.dtype for array in (part.ids_NC, part.numeric_NF, part.labels_NK, source)]
    assert dtypes == [np.int32, np.float32, np.float32, np.int64]


def test_the_encoder_has_seen_train_rows_only(spec):
    vocabulary = set(open_data(spec).encoder.vocabularies["seen"].to_list())
    train = rows().filter(pl.col("split") == "train")["seen"].explode().cast(pl.String)
    assert vocabulary == set(train.to_list())


def test_it_is_encoded_once_and_found_without_reading_the_rows(spec, monkeypatch):
    assert find_cached(spec) is None
    first = open_data(spec)
    monkeypatch.setattr(cache, "_build", None)
    again, found, loaded = open_data(spec), find_cached(spec), load_cached(first.directory)
    assert first.directory == again.directory == found.directory == loaded.directory
    assert first.fingerprint == loaded.fingerprint
    assert first.features == loaded.features
    assert first.tasks == loaded.tasks


def test_mapped_rows_are_shared_and_writing_to_them_changes_no_file(spec):
    data = open_data(spec)
    ids = data.rows("train").ids_NC
    assert isinstance(ids, np.memmap)
    before = ids[0, 0]
    ids[0, 0] = 99  # torch wants writable memory
    assert load_cached(data.directory).rows("train").ids_NC[0, 0] == before


def test_sent_to_another_process_only_the_place_travels(spec):
    data = open_data(spec)
    data.rows("train")
    sent = pickle.dumps(data)
    assert len(sent) < 1000
    assert isinstance(pickle.loads(sent).rows("train").ids_NC, np.memmap)


def test_a_changed_file_or_spec_has_a_cache_of_its_own_but_a_resolved_copy_has_not(spec, tmp_path):
    first = open_data(spec)
    copy = make_spec({**DATA, "path": str(tmp_path / "rows.parquet")}, TASKS, base_dir=Path("/"))
    glob = make_spec({**DATA, "path": "rows*"}, TASKS, base_dir=tmp_path)
    assert open_data(copy).directory == open_data(glob).directory == first.directory
    limited = make_spec({**DATA, "categorical": {"user": {"min_count": 2}}}, TASKS, tmp_path)
    fewer = make_spec(DATA, {"click": {"label": "click"}}, tmp_path)
    others = {open_data(limited).directory, open_data(fewer).directory}
    rows(56).write_parquet(tmp_path / "rows.parquet")
    assert find_cached(spec) is None
    others.add(open_data(spec).directory)
    assert len(others | {first.directory}) == 4


def test_the_fingerprint_is_that_of_the_content_not_of_the_place(spec, tmp_path):
    first = open_data(spec)
    os.utime(tmp_path / "rows.parquet", (1, 1))
    touched = open_data(spec)
    shutil.copytree(tmp_path, tmp_path / "elsewhere", ignore=lambda *_: {"cache", "elsewhere"})
    moved = open_data(make_spec(DATA, TASKS, tmp_path / "elsewhere"))
    assert len({data.directory for data in (first, touched, moved)}) == 3
    assert first.fingerprint == touched.fingerprint == moved.fingerprint
    rows(56).write_parquet(tmp_path / "rows.parquet")
    assert open_data(spec).fingerprint != first.fingerprint


def test_a_spec_may_state_where_the_cache_is_and_the_rows_are_the_same(spec, tmp_path):
    stated = open_data(make_spec({**DATA, "cache": "shared"}, TASKS, base_dir=tmp_path))
    assert stated.directory.parent == tmp_path / "shared"
    first = open_data(spec)
    assert (first.directory.name, first.fingerprint) == (stated.directory.name, stated.fingerprint)


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: (d / "ids.npy").unlink(),
        lambda d: (d / "meta.json").unlink(),
        lambda d: (d / "meta.json").write_text("{}"),
        lambda d: (d / "meta.json").write_text("not JSON"),
        lambda d: (d / "encoder" / "vocabularies.parquet").unlink(),
        lambda d: np.save(d / "labels.npy", np.zeros((60, 3), np.float32)),
        lambda d: np.save(d / "ids.npy", np.zeros((60, 3), np.int64)),
        lambda d: (d / "numeric.npy").write_bytes((d / "numeric.npy").read_bytes()[:-4]),
        lambda d: (d / "numeric.npy").write_bytes(b""),
        shutil.rmtree,
        lambda d: (shutil.rmtree(d), d.mkdir()),
    ],
)
def test_a_damaged_cache_is_told_and_made_anew(spec, damage):
    first = open_data(spec)
    kept = first.rows("train").ids_NC.copy()
    damage(first.directory)
    assert find_cached(spec) is None
    with pytest.raises(DataError, match="no encoded rows, or damaged ones"):
        load_cached(first.directory)
    np.testing.assert_array_equal(open_data(spec).rows("train").ids_NC, kept)
    assert [path.name for path in first.directory.parent.iterdir()] == [first.directory.name]


def test_a_failure_leaves_nothing_behind(spec, tmp_path, cache_dir, monkeypatch):
    wrong = make_spec({**DATA, "numeric": ["agee"]}, TASKS, tmp_path)
    with pytest.raises(DataError, match=r"no column 'agee' \(did you mean 'age'\?\)"):
        open_data(wrong)
    monkeypatch.setattr(os, "posix_fallocate", full_disk)
    with pytest.raises(DataError, match=r"cannot be written \(No space left.*set AUTOMTL_CACHE"):
        open_data(spec)
    assert list(cache_dir.iterdir()) == []


@pytest.mark.parametrize(
    ("largest", "frame"),
    [(300, None), (300, 60), (1100, 60)],
    ids=["the scratch file", "the first array", "a vocabulary"],  # frames need no scratch file
)
def test_a_file_that_really_cannot_grow_leaves_nothing_behind(spec, cache_dir, largest, frame):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, limits[1]))
        with pytest.raises(DataError, match=r"cannot be written .*set AUTOMTL_CACHE"):
            open_data(spec, frame=None if frame is None else rows(frame))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(cache_dir.iterdir()) == []
    assert dict(open_data(spec).num_rows) == {"train": 30, "valid": 15, "test": 15}


def full_disk(*_, **__):
    raise OSError(28, "No space left on device")


def test_a_cache_that_cannot_be_written_is_told(spec, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("AUTOMTL_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match="the cache cannot be written"):
        open_data(spec)


def test_a_file_that_changes_while_it_is_read_is_told(spec, tmp_path, cache_dir, monkeypatch):
    build = cache._build

    def slow_build(*arguments):
        build(*arguments)
        rows(56).write_parquet(tmp_path / "rows.parquet")

    monkeypatch.setattr(cache, "_build", slow_build)
    with pytest.raises(DataError, match="a file changed while it was read"):
        open_data(spec)
    assert list(cache_dir.iterdir()) == []


def test_who_comes_second_waits_for_the_first_and_takes_its_cache(spec, cache_dir, monkeypatch):
    build, builds, steps = cache._build, [], []
    waits = threading.Event()

    def slow_build(*arguments):
        builds.append(arguments)
        assert waits.wait(60)
        build(*arguments)

    def second_report(step, share, num_rows):
        steps.append(step)
        if step == cache.WAITING:
            waits.set()

    monkeypatch.setattr(cache, "_build", slow_build)
    with ThreadPoolExecutor(max_workers=2) as threads:
        first = threads.submit(open_data, spec)
        while not builds:
            time.sleep(0.01)
        second = threads.submit(open_data, spec, report=second_report)
        opened = [one.result() for one in (first, second)]
    assert len(builds) == 1
    assert list(dict.fromkeys(steps)) == [cache.WAITING, cache.DONE]
    np.testing.assert_array_equal(*(one.rows("train").ids_NC for one in opened))
    assert [path.name for path in cache_dir.iterdir()] == [opened[0].directory.name]


def test_without_locks_who_comes_second_takes_the_cache_of_the_first(spec, cache_dir, monkeypatch):
    build, first = cache._build, []

    def overtaken_build(*arguments):
        build(*arguments)
        if not first:
            first.append(None)
            first[0] = open_data(spec).rows("train").ids_NC

    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    monkeypatch.setattr(cache, "_build", overtaken_build)
    second = open_data(spec)
    np.testing.assert_array_equal(second.rows("train").ids_NC, first[0])
    assert [path.name for path in cache_dir.iterdir()] == [second.directory.name]


def test_after_a_kill_in_the_middle_the_next_one_encodes_and_tidies_up(spec, tmp_path, cache_dir):
    program = f"""
import sys, time
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from support.data_spec import make_spec
from automtl.data.cache import open_data
def report(step, share, num_rows):
    if step == "encoding":
        print("encoding", flush=True)
        time.sleep(60)
open_data(make_spec({DATA!r}, {TASKS!r}, base_dir=Path({str(tmp_path)!r})), report=report)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as killed:
        assert killed.stdout.readline() == b"encoding\n"
        left = {path.name for path in cache_dir.iterdir()}
        killed.kill()
    assert len(left) == 2  # the lock and the half-written directory
    assert find_cached(spec) is None
    data = open_data(spec)
    assert [path.name for path in cache_dir.iterdir()] == [data.directory.name]
    assert dict(data.num_rows) == {"train": 30, "valid": 15, "test": 15}


def test_a_frame_takes_the_place_of_files_and_its_content_is_its_name(spec):
    from_file = open_data(spec)
    frames = [rows(), rows().to_pandas(), rows().to_arrow()]
    opened = [open_data(spec, frame=frame) for frame in frames]
    for data in opened:
        np.testing.assert_array_equal(data.rows("train").ids_NC, from_file.rows("train").ids_NC)
        np.testing.assert_array_equal(data.source_rows("test"), from_file.source_rows("test"))
    assert open_data(spec, frame=rows()).directory == opened[0].directory
    assert open_data(spec, frame=rows(56)).directory != opened[0].directory
    extra = rows().to_pandas().assign(other=[1, *["x"] * 59])
    assert dict(open_data(spec, frame=extra).num_rows) == dict(from_file.num_rows)
    with pytest.raises(DataError, match="column 'user' of the frame cannot be read as one type"):
        open_data(spec, frame=extra.assign(user=extra["other"]))
    with pytest.raises(DataError, match=r"^the frame: has no rows; a search needs"):
        open_data(spec, frame=rows().clear())
    with pytest.raises(DataError, match="data: object is no table"):
        open_data(spec, frame=object())


def test_what_a_killed_process_left_is_removed_after_a_day(spec, cache_dir):
    ages_s = {
        ".0123456789abcdef.aaaaaaaa": 90_000,
        ".0123456789abcdef.aaaaaaaa.bbbbbbbb": 90_000,
        ".0123456789abcdef.cccccccc": 10,
        ".somebody.elses": 90_000,
    }
    for name, age_s in ages_s.items():
        (cache_dir / name).mkdir(parents=True)
        os.utime(cache_dir / name, (time.time() - age_s,) * 2)
    own = open_data(spec).directory.name
    names = {path.name for path in cache_dir.iterdir()}
    assert names == {own, ".0123456789abcdef.cccccccc", ".somebody.elses"}


def test_a_cache_is_found_and_opened_without_polars_or_torch(spec, tmp_path):
    directory = open_data(spec).directory
    program = (
        "import sys; from automtl.data.cache import load_cached;"
        f"data = load_cached(__import__('pathlib').Path({str(directory)!r}));"
        "assert len(data.rows('valid')) == 15;"
        "assert not {'polars', 'torch', 'pandas', 'ray'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_data_without_numbers_or_without_ids_has_empty_arrays(tmp_path, spec):
    only_ids = open_data(make_spec({**DATA, "numeric": []}, TASKS, tmp_path)).rows("test")
    assert (only_ids.ids_NC.shape, only_ids.numeric_NF.shape) == ((15, 3), (15, 0))
    only_numbers = {"path": "rows.parquet", "numeric": ["age"]}
    rows = open_data(make_spec(only_numbers, TASKS, tmp_path)).rows("test")
    assert (rows.ids_NC.shape, rows.numeric_NF.shape) == ((15, 0), (15, 2))


def test_generated_rows_need_no_file(tmp_path):
    data = {
        "generate": {"name": "impressions", "num_rows": 500, "seed": 1},
        "categorical": ["user_id", "item_id", "context"],
        "numeric": ["x0"],
    }
    tasks = {"click": {"label": "click"}, "sale": {"label": "conversion", "given": "click"}}
    opened = open_data(make_spec(data, tasks, tmp_path))
    assert dict(opened.num_rows) == {"train": 400, "valid": 50, "test": 50}


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (rows().clear(), "has no rows"),
        (rows().with_columns(click=pl.lit(2)), "label of task 'click'.* 2 is not 0 or 1"),
        (
            rows().with_columns(
                click=pl.when(pl.col("split") == "valid").then(1).otherwise("click")
            ),
            r"'click' \(label of task 'click'\): is 1 on all 15 of the valid rows",
        ),
        (
            rows().with_columns(buy=pl.when(pl.col("click") == 1).then(0).otherwise("buy")),
            r"'buy' .* is 0 on all 14 of the train rows after 'click' = 1",
        ),
        (rows().with_columns(buy=pl.lit(None)), "'buy' .*: none of the train rows after 'click'"),
        (rows().with_columns(split=pl.lit("train")), "no valid rows"),
        (
            rows().with_columns(age=pl.lit("x"), seen=pl.lit(1)),
            "'age', row 0.* is not a number[^\n]*\n.*'seen': holds Int32, a sequence must be",
        ),
    ],
)
def test_rows_that_cannot_be_searched(tmp_path, frame, message):
    frame.write_parquet(tmp_path / "rows.parquet")
    with pytest.raises(DataError, match=message):
        open_data(make_spec(DATA, TASKS, tmp_path))


def test_the_same_rows_as_text_give_the_same_arrays(spec, tmp_path):
    text = rows().with_columns(pl.col("seen").cast(pl.List(pl.String)).list.join("|"))
    text.write_csv(tmp_path / "rows.csv")
    from_text = open_data(make_spec({**DATA, "path": "rows.csv"}, TASKS, tmp_path))
    from_parquet = open_data(spec)
    for split in ("train", "valid", "test"):
        for name in ("ids_NC", "numeric_NF", "labels_NK"):
            np.testing.assert_array_equal(
                getattr(from_text.rows(split), name), getattr(from_parquet.rows(split), name)
            )
