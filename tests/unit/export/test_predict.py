"""Files in, a file out: the same rows in the same order, all of it or nothing."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from automtl.errors import BundleError, DataError
from automtl.export.predict import WRITERS, predict_file


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
    )
    strange.write_parquet(tmp_path / "rows.parquet")
    summary = predict_file(bundle_dir, tmp_path / "rows.parquet", tmp_path / "out.parquet")
    assert summary.unseen == {"user_id": 2, "item_id": 0, "context": 0, "history": 2}
    assert summary.missing == {"user_id": 1, "item_id": 0, "context": 0, "history": 2}


def test_an_existing_file_is_replaced_only_by_a_whole_one(bundle_dir, rows, tmp_path, monkeypatch):
    rows.write_parquet(tmp_path / "rows.parquet")
    out = tmp_path / "out.parquet"
    out.write_text("old")

    def full(frame, path):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(WRITERS, ".parquet", full)
    with pytest.raises(BundleError, match=r"cannot be written .*No space left"):
        predict_file(bundle_dir, tmp_path / "rows.parquet", out)
    assert out.read_text() == "old"
    monkeypatch.undo()
    predict_file(bundle_dir, tmp_path / "rows.parquet", out)
    assert pl.read_parquet(out).height == rows.height
    assert names(tmp_path) == ["out.parquet", "rows.parquet"]


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
