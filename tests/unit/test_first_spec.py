"""`automtl init`: a spec that runs is written once, and never over another."""

import polars as pl
import pytest

from automtl.data.synthetic import impressions
from automtl.errors import DataError, RunError, UserError
from automtl.first_spec import write_spec
from automtl.spec.load import load_spec


@pytest.fixture
def rows():
    frame = impressions(2000, 0)
    return frame.select(pl.exclude("p_click", "p_conversion"))


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".tsv"])
def test_the_spec_of_a_file_is_valid_where_it_stands(tmp_path, rows, suffix):
    data = tmp_path / "day 1" / f"my rows{suffix}"
    data.parent.mkdir()
    match suffix:
        case ".parquet":
            rows.write_parquet(data)
        case ".csv":
            rows.write_csv(data)
        case ".tsv":
            rows.write_csv(data, separator="\t")
    write_spec(tmp_path / "specs" / "spec.yaml", data=data, named=None)
    spec = load_spec(tmp_path / "specs" / "spec.yaml")
    assert spec.name == "my_rows"
    assert spec.data.path == f"../day 1/my rows{suffix}"
    assert spec.tasks["conversion"].given == "click"
    assert {"user_id", "item_id"} <= set(spec.data.categorical)


def test_data_far_away_is_named_by_its_absolute_path(tmp_path, rows):
    rows.write_parquet(tmp_path / "rows.parquet")
    write_spec(tmp_path / "a/b/c/spec.yaml", data=tmp_path / "rows.parquet", named=None)
    assert load_spec(tmp_path / "a/b/c/spec.yaml").data.path == str(tmp_path / "rows.parquet")


def test_without_data_the_rows_are_made_up(tmp_path):
    write_spec(tmp_path / "spec.yaml", data=None, named=None)
    spec = load_spec(tmp_path / "spec.yaml")
    assert {*spec.data.categorical, *spec.data.numeric} <= set(impressions(50, 0).columns)


def test_a_file_is_never_overwritten(tmp_path):
    (tmp_path / "spec.yaml").write_text("mine")
    with pytest.raises(RunError, match="never overwritten"):
        write_spec(tmp_path / "spec.yaml", data=None, named=None)
    assert (tmp_path / "spec.yaml").read_text() == "mine"


def test_bad_input_is_named_and_leaves_nothing(tmp_path):
    (tmp_path / "rows.parquet").write_bytes(b"no parquet")
    path = tmp_path / "out" / "spec.yaml"
    for name, message in [("row.parquet", "no such file"), ("rows.parquet", r"rows\.parquet")]:
        with pytest.raises(DataError, match=message):
            write_spec(path, data=tmp_path / name, named=None)
    with pytest.raises(UserError, match="did you mean synthetic"):
        write_spec(path, data=None, named="syntetic")
    with pytest.raises(UserError, match="give one"):
        write_spec(path, data=tmp_path / "rows.parquet", named="synthetic")
    assert not path.parent.exists()
