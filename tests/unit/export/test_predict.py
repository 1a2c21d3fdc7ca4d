"""Files in, a file out: the same rows in the same order, all of it or nothing."""

import resource
import subprocess
import sys
from dataclasses import replace

import polars as pl
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

from automtl.data import source as files
from automtl.errors import BundleError, DataError, ScoreError
from automtl.export.predict import predict_file
from automtl.fusion.stream import fused_as


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def as_text(rows):
    """As a CSV file can hold it: lists joined by bars."""
    items = pl.col("history").list.eval(pl.element().cast(pl.String)).list.join("|")
    return rows.with_columns(history=items)


def test_parquet_in_parquet_out(bundle_dir, bundle, run_dir, rows, tmp_path):
    summary = predict_file(bundle_dir, run_dir.parent / "rows.parquet", tmp_path / "out.parquet")
    assert_frame_equal(pl.read_parquet(summary.out), bundle.predict(rows))
    assert summary.num_rows == rows.height
    assert summary.columns == ("p_click", "p_buy", "p_buy_and_click", "predicted_spend")
    assert names(tmp_path) == ["out.parquet"]


def test_text_files_give_the_same_scores(bundle_dir, bundle, rows, tmp_path):
    as_text(rows).write_csv(tmp_path / "rows.csv")
    predict_file(bundle_dir, tmp_path / "rows.csv", tmp_path / "out.csv")
    from_text = pl.read_csv(tmp_path / "out.csv").cast(pl.Float32)
    assert_frame_equal(from_text, bundle.predict(rows), abs_tol=1e-6)


def test_several_files_are_scored_one_after_the_other(bundle_dir, bundle, rows, tmp_path):
    rows[100:].write_parquet(tmp_path / "b.parquet")
    rows[:100].write_parquet(tmp_path / "a.parquet")
    out = tmp_path / "out.parquet"
    predict_file(bundle_dir, tmp_path / "[ab].parquet", out)
    assert_frame_equal(pl.read_parquet(out), bundle.predict(rows), abs_tol=1e-6)
    predict_file(bundle_dir, [tmp_path / "b.parquet", tmp_path / "a.parquet"], out)
    expected = bundle.predict(pl.concat([rows[100:], rows[:100]]))
    assert_frame_equal(pl.read_parquet(out), expected, abs_tol=1e-6)


def test_kept_columns_come_first_and_as_they_were(bundle_dir, rows, tmp_path):
    rows.write_parquet(tmp_path / "rows.parquet")
    out = tmp_path / "out.parquet"
    summary = predict_file(bundle_dir, tmp_path / "rows.parquet", out, keep=["note", "user_id"])
    frame = pl.read_parquet(out)
    assert frame.columns[:3] == ["note", "user_id", "p_click"]
    assert summary.columns == tuple(frame.columns)
    assert_frame_equal(frame.select("note", "user_id"), rows.select("note", "user_id"))


def test_the_summary_counts_what_train_never_had(bundle_dir, bundle, rows, tmp_path):
    strange = rows.head(3).with_columns(
        user_id=pl.Series([None, 10**9, 10**9]),
        context=pl.lit("a"),
        history=pl.Series([[], [999, 999], None], dtype=pl.List(pl.Int32)),
        x0=pl.Series([0.5, float("nan"), 1.0]),
    )
    strange.write_parquet(tmp_path / "rows.parquet")
    summary = predict_file(bundle_dir, tmp_path / "rows.parquet", tmp_path / "out.parquet")
    assert summary.unseen == {"user_id": 2, "item_id": 0, "context": 0, "history": 2}
    counts = {"user_id": 1, "item_id": 0, "context": 0, "x0": 1, "x1": 0, "history": 2}
    assert summary.missing == counts
    assert not summary.absent


def test_text_counts_as_other_files_do(bundle_dir, rows, tmp_path):
    strange = as_text(rows.head(4)).with_columns(x0=pl.Series(["1", "NA", None, "nan"]))
    strange.write_csv(tmp_path / "rows.csv")
    summary = predict_file(bundle_dir, tmp_path / "rows.csv", tmp_path / "out.parquet")
    assert summary.missing["x0"] == 3


def test_text_files_may_have_another_encoding(bundle_dir, rows, tmp_path):
    named = as_text(rows.head(4)).with_columns(name=pl.lit("Zoë"))
    (tmp_path / "rows.csv").write_bytes(named.write_csv().encode("latin1"))
    files = (bundle_dir, tmp_path / "rows.csv", tmp_path / "out.parquet")
    with pytest.raises(DataError, match=r"is not UTF-8 text.*\(init, predict: --encoding latin1\)"):
        predict_file(*files, keep=["name"])
    predict_file(*files, keep=["name"], encoding="latin1")
    assert pl.read_parquet(tmp_path / "out.parquet")["name"].unique().to_list() == ["Zoë"]


def test_texts_for_a_missing_value_are_those_of_the_training_files(
    bundle_dir, bundle, rows, tmp_path, monkeypatch
):
    marked = as_text(rows.head(4)).with_columns(user_id=pl.Series(["1", r"\N", "NA", None]))
    marked.write_csv(tmp_path / "rows.csv")
    files = (bundle_dir, tmp_path / "rows.csv", tmp_path / "out.parquet")
    assert predict_file(*files).missing["user_id"] == 1
    knows = replace(bundle, encoder=replace(bundle.encoder, missing_texts=(r"\N", "NA")))
    monkeypatch.setattr("automtl.export.bundle.Bundle.load", lambda *_, **__: knows)
    assert predict_file(*files).missing["user_id"] == 3


def test_an_existing_file_is_replaced_only_by_a_whole_one(bundle_dir, rows, tmp_path, monkeypatch):
    rows.write_parquet(tmp_path / "rows.parquet")
    out = tmp_path / "out.parquet"
    out.write_text("old")

    def full(writer, table):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(BundleError, match=r"cannot be written .*No space left"):
        predict_file(bundle_dir, tmp_path / "rows.parquet", out)
    assert out.read_text() == "old"
    monkeypatch.undo()
    predict_file(bundle_dir, tmp_path / "rows.parquet", out)
    assert pl.read_parquet(out).height == rows.height
    assert names(tmp_path) == ["out.parquet", "rows.parquet"]


@pytest.mark.parametrize("name", ["out.parquet", "out.csv"])
@pytest.mark.parametrize("largest", [0, 2000])  # bytes: nothing fits, some rows do
def test_a_file_that_really_cannot_grow_leaves_nothing_behind(
    bundle_dir, rows, tmp_path, monkeypatch, name, largest
):
    monkeypatch.setattr(files, "BATCH_ROWS", 100)
    rows.write_parquet(tmp_path / "rows.parquet")
    (tmp_path / name).write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, limits[1]))
        with pytest.raises(BundleError, match=rf"{name}: cannot be written .*another --out"):
            predict_file(bundle_dir, tmp_path / "rows.parquet", tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / name).read_text() == "old"
    assert names(tmp_path) == [name, "rows.parquet"]


def test_no_rows_give_an_empty_file(bundle_dir, rows, tmp_path):
    rows.clear().write_parquet(tmp_path / "rows.parquet")
    summary = predict_file(bundle_dir, tmp_path / "rows.parquet", tmp_path / "out.csv")
    assert summary.num_rows == 0
    assert (tmp_path / "out.csv").read_text() == "p_click,p_buy,p_buy_and_click,predicted_spend\n"


def test_what_cannot_be_scored_or_written_is_said(bundle_dir, rows, tmp_path):
    source = tmp_path / "rows.parquet"
    rows.drop("x0").with_columns(p_click=1, y=pl.lit(1)).write_parquet(source)

    def refuse(error, match, out="out.parquet", data=source, **options):
        with pytest.raises(error, match=match):
            predict_file(bundle_dir, data, tmp_path / out, **options)

    refuse(BundleError, r"must end in .parquet, .csv, .tsv", out="out.xlsx")
    refuse(BundleError, "there is no directory", out="nowhere/out.csv")
    refuse(BundleError, "is a directory", out=".")
    refuse(BundleError, "a column of predictions has this name", keep=["p_click"])
    refuse(DataError, "no column 'x0'")
    refuse(DataError, "no columns 'z', 'x0'", keep=["z"])
    refuse(DataError, "no such file", data=tmp_path / "lost.parquet")
    rows.with_columns(x0=pl.lit("tall")).write_parquet(source)
    refuse(DataError, "'tall' is not a number")
    rows.write_parquet(source)
    refuse(BundleError, "cannot be written", out="out.csv", keep=["history"])
    assert names(tmp_path) == ["rows.parquet"]


# ---- batches -------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_rows", [1, 50, 129, 1000])
def test_scores_are_the_same_bits_whatever_the_batches_are(
    bundle_dir, rows, tmp_path, monkeypatch, batch_rows
):
    some = rows.head(40 if batch_rows == 1 else 700)
    some.write_parquet(tmp_path / "rows.parquet")
    predict_file(bundle_dir, tmp_path / "rows.parquet", tmp_path / "whole.parquet")
    monkeypatch.setattr(files, "BATCH_ROWS", batch_rows)
    told = []
    predict_file(
        bundle_dir,
        tmp_path / "rows.parquet",
        tmp_path / "parts.parquet",
        progress=lambda share, num_rows: told.append((share, num_rows)),
    )
    frames = [pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("whole", "parts")]
    assert_frame_equal(*frames, check_exact=True)
    assert len(told) == -(-some.height // batch_rows)
    assert told[-1] == (1.0, some.height)


def test_an_interrupt_leaves_the_old_file_and_nothing_else(bundle_dir, rows, tmp_path, monkeypatch):
    rows.write_parquet(tmp_path / "rows.parquet")
    monkeypatch.setattr(files, "BATCH_ROWS", 1000)

    def interrupt(share, num_rows):
        raise KeyboardInterrupt

    for out in ("out.parquet", "out.csv"):
        (tmp_path / out).write_text("old")
        with pytest.raises(KeyboardInterrupt):
            predict_file(bundle_dir, tmp_path / "rows.parquet", tmp_path / out, progress=interrupt)
        assert (tmp_path / out).read_text() == "old"
    assert names(tmp_path) == ["out.csv", "out.parquet", "rows.parquet"]


def test_an_error_names_the_file_and_its_row(bundle_dir, rows, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "BATCH_ROWS", 100)
    rows.head(500).write_parquet(tmp_path / "a.parquet")
    numbers = pl.Series([*["0.5"] * 250, "tall", *["1"] * 49])
    rows.head(300).with_columns(x0=numbers).write_parquet(tmp_path / "b.parquet")
    rule = r"b\.parquet: column 'x0', row 250 .*'tall' is not a number"
    with pytest.raises(DataError, match=rule):
        predict_file(bundle_dir, tmp_path / "?.parquet", tmp_path / "out.parquet")
    assert names(tmp_path) == ["a.parquet", "b.parquet"]


MEMORY = """
import resource, sys
from automtl.data import source
from automtl.export.predict import predict_file
source.BATCH_ROWS = 512
for files in (sys.argv[2:3], sys.argv[2:-1]):
    summary = predict_file(sys.argv[1], files, sys.argv[-1], keep=["note"])
    print(summary.num_rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_four_times_the_rows_need_no_more_memory(bundle_dir, rows, tmp_path):
    """Few rows, of 10 kB each: if they were held, they would outweigh all that is around them."""
    many = pl.concat([rows] * 2).with_row_index("place")
    note = pl.col("place").cast(pl.String).str.pad_start(10_000, "-")
    wide = many.select(pl.exclude("place", "note"), note=note)
    wide.write_parquet(tmp_path / "rows.parquet", row_group_size=512)
    for place in range(3):
        (tmp_path / f"again_{place}.parquet").symlink_to(tmp_path / "rows.parquet")
    files = sorted(tmp_path.glob("*.parquet"))
    arguments = [str(bundle_dir), *map(str, files), str(tmp_path / "out.parquet")]
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (once, before), (all_rows, after) = (
        map(int, line.split()) for line in done.stdout.splitlines()
    )
    assert (once, all_rows) == (wide.height, 4 * wide.height)
    further_mib = 3 * wide.height * 10_000 / 2**20
    assert (after - before) / 2**10 < further_mib / 2, (before, after)


# ---- columns that are not there, and one number to rank by ----------------------------------


def test_a_column_that_a_file_lacks(bundle_dir, bundle, rows, tmp_path):
    rows.head(100).write_parquet(tmp_path / "a.parquet")
    rows.head(60).drop("x0", "history", "item_id").write_parquet(tmp_path / "b.parquet")
    data, out = tmp_path / "?.parquet", tmp_path / "out.parquet"
    with pytest.raises(DataError, match=r"b.parquet: no columns 'item_id', .* --missing-ok takes"):
        predict_file(bundle_dir, data, out)
    summary = predict_file(bundle_dir, data, out, missing_ok=True)
    assert summary.absent == {"x0": 60, "history": 60, "item_id": 60}
    assert summary.missing["x0"] == summary.missing["item_id"] == 60
    nothing = rows.head(60).with_columns(x0=None, history=None, item_id=None)
    expected = pl.concat([bundle.predict(rows.head(100)), bundle.predict(nothing)])
    assert_frame_equal(pl.read_parquet(out), expected, abs_tol=1e-6)
    with pytest.raises(DataError, match="no column 'lost'"):
        predict_file(bundle_dir, data, out, keep=["lost"], missing_ok=True)


def test_a_score_is_written_beside_what_it_is_made_of(bundle_dir, rows, tmp_path):
    priced = rows.head(300).with_columns(price=pl.Series([None, *[2.0] * 299]))
    priced.write_parquet(tmp_path / "rows.parquet")
    source, out = tmp_path / "rows.parquet", tmp_path / "out.parquet"
    product = fused_as("click * p_buy^0.5 * price")
    summary = predict_file(bundle_dir, source, out, keep=["price"], fused=product)
    frame = pl.read_parquet(out)
    assert (frame.columns[0], frame.columns[-1]) == ("price", "score")
    click, buy = (pl.col(name).cast(pl.Float64) for name in ("p_click", "p_buy"))
    assert_frame_equal(
        frame.select("score"), frame.select(score=click * buy.sqrt() * pl.col("price"))
    )
    assert (summary.unscored, frame["score"].null_count()) == (1, 1)
    predict_file(bundle_dir, source, out, fused=fused_as("2*click + 0.1*x0"))
    frame = pl.read_parquet(out).with_columns(x0=priced["x0"])
    assert_frame_equal(frame.select("score"), frame.select(score=2 * click + 0.1 * pl.col("x0")))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("click^a", "a is free; write a number"),
        ("clik", "did you mean 'click'"),
        ("click * conversion", "is the label of buy"),
    ],
)
def test_a_score_that_cannot_be_had(bundle_dir, rows, tmp_path, text, rule):
    rows.write_parquet(tmp_path / "rows.parquet")
    with pytest.raises(ScoreError, match=rule):
        predict_file(
            bundle_dir, tmp_path / "rows.parquet", tmp_path / "out.csv", fused=fused_as(text)
        )
    assert names(tmp_path) == ["rows.parquet"]
