"""What `automtl data clean` lists and removes: caches, whole or damaged, and nothing else."""

import json
import os
import time

import numpy as np
import polars as pl
import pytest
from support.data_spec import make_spec

from automtl.cli.app import main
from automtl.data.cache import find_cached, open_data
from automtl.data.tidy import cache_entries, remove_cache


@pytest.fixture
def spec(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOMTL_CACHE", str(tmp_path / "cache"))
    index = np.arange(40)
    sides = ["train", "valid", "train", "test"] * 10
    frame = pl.DataFrame({"x": index, "click": index // 4 % 2, "split": sides})
    frame.write_parquet(tmp_path / "rows.parquet")
    data = {"path": "rows.parquet", "numeric": ["x"]}
    return make_spec(data, {"click": {"label": "click"}}, tmp_path)


def clean(capsys, *options):
    with pytest.raises(SystemExit) as stopped:
        main(["data", "clean", *options])
    assert not stopped.value.code
    return capsys.readouterr().out


def test_caches_are_listed_with_size_and_rows_and_damaged_ones_too(spec, tmp_path):
    data = open_data(spec)
    (tmp_path / "cache" / ("f" * 64)).mkdir()
    os.utime(tmp_path / "cache" / ("f" * 64), (1, 1))
    (tmp_path / "cache" / "somebody").mkdir()
    damaged, whole = cache_entries(tmp_path / "cache")
    assert (whole.directory, whole.num_rows, damaged.num_rows) == (data.directory, 40, None)
    assert whole.num_bytes > 40 * 4 * 2
    assert cache_entries(tmp_path / "nowhere") == []


def test_who_has_a_removed_cache_open_keeps_its_rows(spec):
    data = open_data(spec)
    rows = data.rows("train").numeric_NF
    before = np.array(rows)
    remove_cache(cache_entries(data.directory.parent)[0])
    np.testing.assert_array_equal(rows, before)
    assert find_cached(spec) is None
    assert list(data.directory.parent.iterdir()) == []


def test_nothing_is_removed_unless_asked_for(spec, capsys):
    directory = open_data(spec).directory
    assert "1 caches in" in clean(capsys)
    assert directory.name[:16] in clean(capsys)
    assert "removed 0 caches" in clean(capsys, "--yes", "--days", "2")
    two_days_ago = time.time() - 2.1 * 86_400
    os.utime(directory, (two_days_ago, two_days_ago))
    assert "removed 1 caches" in clean(capsys, "--yes", "--days", "2")
    assert not directory.exists()


def test_caches_as_json(spec, capsys):
    directory = open_data(spec).directory
    listed = json.loads(clean(capsys, "--json"))
    (cache,) = listed["caches"]
    assert (listed["removed"], cache["directory"], cache["num_rows"]) == (False, str(directory), 40)
    assert cache["num_bytes"] > 0
    assert json.loads(clean(capsys, "--json", "--yes")) == listed | {"removed": True}
    assert json.loads(clean(capsys, "--json"))["caches"] == []
