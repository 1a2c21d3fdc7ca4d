"""Public sets: from small files in the published formats to Parquet that the specs search."""

import gzip
import json
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal
from support.raw_sets import (
    WRITERS,
    census_line,
    common_line,
    features,
    write_ali_ccp,
    write_aliexpress,
    write_census,
    write_kuairand,
)

from automtl.cli.app import main
from automtl.data.cache import open_data
from automtl.data.sets import ali_ccp
from automtl.data.sets.kuairand import schema
from automtl.data.sets.prepare import prepare
from automtl.data.sets.registry import SETS
from automtl.errors import DataError, RunError
from automtl.spec.load import load_spec

SPECS = Path(__file__).parents[3] / "search_spaces"


def rows_of(name, raw, out, **options):
    """The rows of the first file that is written."""
    first, *_ = list(prepare(name, raw, out, **options))
    return pl.read_parquet(first.path)


# ---- the whole way -------------------------------------------------------------------------


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_prepared_is_searched_by_its_spec_as_it_stands(name, tmp_path, monkeypatch, capsys):
    """A folder with the specs and the raw files; the command; and the spec finds its rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTOMTL_CACHE", str(tmp_path / "cache"))
    shutil.copytree(SPECS, "search_spaces", ignore=shutil.ignore_patterns("data"))
    raw = WRITERS[name](tmp_path / "raw")
    with pytest.raises(SystemExit):
        main(["data", "prepare", name, str(raw), "--json"])
    found = json.loads(capsys.readouterr().out)
    for one in found["files"]:
        Path(one["path"]).unlink()
    with pytest.raises(SystemExit) as ended:
        main(["data", "prepare", name, str(raw)])
    assert ended.value.code == 0
    told = capsys.readouterr()
    assert (found["licence"], found["citation"]) == (SETS[name].licence, SETS[name].citation)
    assert told.out.endswith(f"next: {found['next']}\n")
    for one in found["files"]:
        assert f"wrote {one['path']}: " in told.out
        assert pl.scan_parquet(one["path"]).select(pl.len()).collect().item() == sum(
            one["num_rows"].values()
        )
    assert SETS[name].licence in told.out
    assert " rows in " in told.err
    where = f"search_spaces/data/{SETS[name].writes[0]}"
    *_, last = told.out.strip().splitlines()
    overrides = [] if SETS[name].is_in_spec else [f"data.path={Path(where).absolute()}"]
    assert last == " --set ".join(
        [f"next: automtl validate search_spaces/{SETS[name].spec}", *overrides]
    )
    spec = load_spec(Path("search_spaces") / SETS[name].spec, overrides=overrides)
    data = open_data(spec)
    assert sum(data.num_rows.values()) == len(pl.read_parquet(where))
    assert all(data.num_rows.values())


@pytest.mark.parametrize("name", WRITERS)
def test_the_rows_do_not_depend_on_the_size_of_the_pieces(name, tmp_path):
    raw = WRITERS[name](tmp_path / "raw")
    whole = rows_of(name, raw, tmp_path / "whole")
    pieces = rows_of(name, raw, tmp_path / "pieces", block_bytes=9973)
    assert len(whole) > 300
    assert_frame_equal(whole, pieces)


@pytest.mark.parametrize(("name", "file"), [("census_income",) * 2, ("kuairand_pure",) * 2])
def test_the_columns_are_those_of_the_files_that_come_along(name, file, tmp_path):
    rows = rows_of(name, WRITERS[name](tmp_path / "raw"), tmp_path / "out")
    assert rows.schema == pl.read_parquet_schema(SPECS / "data" / f"{file}.parquet")


# ---- where the files are -------------------------------------------------------------------


def pack(folder, archive):
    """The folder's files in one archive, as a publisher would make it."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
            for path in files:
                opened.write(path, path.relative_to(folder))
    else:
        with tarfile.open(archive, "w:gz") as opened:
            for path in files:
                opened.add(path, path.relative_to(folder))


@pytest.mark.parametrize("archive", ["sample.tar.gz", "sample.tgz", "sample.zip"])
def test_archives_are_read_without_unpacking(archive, tmp_path):
    raw = write_ali_ccp(tmp_path / "raw")
    loose = rows_of("ali_ccp", raw, tmp_path / "loose")
    (tmp_path / "packed").mkdir()
    pack(raw, tmp_path / "packed" / archive)
    for number, place in enumerate([tmp_path / "packed", tmp_path / "packed" / archive]):
        assert_frame_equal(loose, rows_of("ali_ccp", place, tmp_path / str(number)))
    assert [path.name for path in (tmp_path / "packed").iterdir()] == [archive]


def test_gzipped_files_are_read_also_inside_an_archive(tmp_path):
    raw = write_census(tmp_path / "raw")
    loose = rows_of("census_income", raw, tmp_path / "loose")
    for path in list(raw.iterdir()):
        Path(f"{path}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert_frame_equal(loose, rows_of("census_income", raw, tmp_path / "gz"))
    for archive in ("census.tar.gz", "census.zip"):
        pack(raw, tmp_path / archive)
        assert_frame_equal(
            loose, rows_of("census_income", tmp_path / archive, tmp_path / archive[7:])
        )


def test_one_country_may_be_given_by_its_own_folder(tmp_path):
    raw = write_aliexpress(tmp_path / "raw")
    by_parent = rows_of("aliexpress_nl", raw, tmp_path / "1")
    own = shutil.move(raw / "AliExpress_NL", tmp_path / "netherlands")
    assert_frame_equal(by_parent, rows_of("aliexpress_nl", Path(own), tmp_path / "2"))
    other = shutil.move(own, tmp_path / "AliExpress_ES")
    with pytest.raises(DataError, match=r"has no AliExpress_NL/train\.csv"):
        prepare("aliexpress_nl", Path(other), tmp_path / "3")


def test_a_missing_file_says_what_is_expected_and_where_to_get_it(tmp_path):
    raw = write_kuairand(tmp_path / "raw")
    next(raw.rglob("user_features_pure.csv")).unlink()
    with pytest.raises(DataError) as error:
        prepare("kuairand_pure", raw, tmp_path / "out")
    for part in ("has no user_features_pure.csv", ".tar.gz", "kuairand.com", str(raw)):
        assert part in str(error.value)
    with pytest.raises(DataError, match="no such folder; ali_ccp is read from common_features_tr"):
        prepare("ali_ccp", tmp_path / "nowhere", tmp_path / "out")


def test_the_random_log_may_be_missing(tmp_path):
    raw = write_kuairand(tmp_path / "raw")
    both = list(prepare("kuairand_pure", raw, tmp_path / "both"))
    assert [one.path.name for one in both] == list(SETS["kuairand_pure"].writes)
    next(raw.rglob("log_random*")).unlink()
    (one,) = prepare("kuairand_pure", raw, tmp_path / "one")
    assert one.path.name == SETS["kuairand_pure"].writes[0]


def test_a_file_that_is_there_twice_is_not_guessed(tmp_path):
    raw = write_census(tmp_path / "raw")
    (raw / "old").mkdir()
    shutil.copy(raw / "census-income.data", raw / "old")
    with pytest.raises(DataError, match=r"census-income\.data is there twice: .* and .*; keep one"):
        prepare("census_income", raw, tmp_path / "out")


def test_an_unknown_set_names_those_that_there_are(tmp_path):
    with pytest.raises(
        DataError, match=r"kuairand_2k: no such set; did you mean kuairand_.*ali_ccp"
    ):
        prepare("kuairand_2k", tmp_path, tmp_path)


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_a_damaged_archive_is_named(suffix, tmp_path):
    raw = write_ali_ccp(tmp_path / "raw")
    archive = tmp_path / f"half{suffix}"
    pack(raw, archive)
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    with pytest.raises(DataError, match=f"half{suffix}.*(cut short or damaged|has no)"):
        rows_of("ali_ccp", archive, tmp_path / "out")


# ---- what is written -----------------------------------------------------------------------


def test_a_file_that_exists_is_left_alone(tmp_path):
    raw = write_census(tmp_path / "raw")
    rows_of("census_income", raw, tmp_path / "out")
    written = (tmp_path / "out" / "census_income.parquet").read_bytes()
    with pytest.raises(RunError, match=r"census_income\.parquet: exists already.*--out"):
        rows_of("census_income", raw, tmp_path / "out")
    assert (tmp_path / "out" / "census_income.parquet").read_bytes() == written


def test_a_bad_line_leaves_nothing_behind(tmp_path):
    raw = write_census(tmp_path / "raw")
    with (raw / "census-income.test").open("a") as file:
        file.write("cut, short\n")
    with pytest.raises(DataError, match=r"census-income\.test:401: has 2 fields, 42 are needed"):
        rows_of("census_income", raw, tmp_path / "out", block_bytes=5000)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_bad_line_is_told_where_the_disk_is_full_as_well(tmp_path, monkeypatch):
    close = pq.ParquetWriter.close

    def full(writer):
        close(writer)  # or it is tried again when the writer goes
        raise OSError(28, "No space left on device")

    raw = write_census(tmp_path / "raw")
    with (raw / "census-income.test").open("a") as file:
        file.write("cut, short\n")
    monkeypatch.setattr(pq.ParquetWriter, "close", full)
    with pytest.raises(DataError, match="has 2 fields, 42 are needed"):
        rows_of("census_income", raw, tmp_path / "out", block_bytes=5000)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    raw = write_census(tmp_path / "raw")
    (tmp_path / "out").write_text("a file")
    with pytest.raises(RunError, match=r"cannot be written.*--out DIR"):
        rows_of("census_income", raw, tmp_path / "out")


# ---- bad lines -----------------------------------------------------------------------------


def replace_line(path, number, line):
    """Line `number`, counted from 1."""
    lines = path.read_bytes().split(b"\n")
    lines[number - 1] = line if isinstance(line, bytes) else line.encode()
    path.write_bytes(b"\n".join(lines))


SKELETON, LOG = "sample_skeleton_test.csv", "log_standard_4_22_to_5_08_pure.csv"
GOOD = features(("205", 1, "1.0"))
RICH = census_line(1).replace(" - 50000.", " 60000.").strip()
BAD_LINES = [
    ("ali_ccp", SKELETON, f"7,1,0,test0000,2,{GOOD}", "has 1 features, the line says 2"),
    ("ali_ccp", SKELETON, f"7,1,0,other,1,{GOOD}", "common_feature_index other is not"),
    ("ali_ccp", SKELETON, f"7,2,0,test0000,1,{GOOD}", "click is 2, it must be 0 or 1"),
    ("ali_ccp", SKELETON, "7,1,0,test0000,1,205\x021.0", "feature '205.x021.0' is not"),
    (
        "ali_ccp",
        SKELETON,
        f"7,1,0,test0000,2,{GOOD}\x01205\x02a\x031.0",
        "feature '205.x02a.x031.0' is",
    ),
    ("ali_ccp", SKELETON, f"7,1,0,test0000,1,{GOOD}\x034", "feature '205.x021.x031.0.x034' is"),
    ("ali_ccp", "common_features_train.csv", ",1," + GOOD, "'common_feature_index' is empty"),
    ("aliexpress_nl", "train.csv", "1,2,3", "has 3 fields, 82 are needed"),
    (
        "aliexpress_nl",
        "train.csv",
        ",".join(["1"] * 16 + ["x"] + ["1"] * 65),
        "'categorical_16': 'x' is no whole",
    ),
    (
        "aliexpress_nl",
        "test.csv",
        ",".join(["1"] * 80 + ["0", "0.5"]),
        "'conversion': '0.5' is no whole",
    ),
    ("census_income", "census-income.data", RICH, "the income is '60000.'"),
    (
        "census_income",
        "census-income.data",
        b"\xff" + census_line(1).encode().strip(),
        "is not UTF-8",
    ),
    ("census_income", "census-income.data", "", "has 1 fields, 42 are needed"),
    (
        "kuairand_pure",
        LOG,
        ",".join(["999999"] * 19),
        "'user_id': '999999' is no whole number that fits Int16",
    ),
    ("kuairand_pure", LOG, "," + ",".join(["1"] * 18), "'user_id' is empty"),
    (
        "kuairand_pure",
        "user_features_pure.csv",
        '1,full_active,0,0,1,5,"(0,10]' + ",0" * 24,
        "a quote does not end",
    ),
    (
        "kuairand_pure",
        "video_features_basic_pure.csv",
        "3,1,NORMAL,yesterday,Web,1,1.0,1,1,1,4.0,3",
        "upload_dt 'yesterday' is no date",
    ),
]


@pytest.mark.parametrize(
    ("name", "file", "line", "problem"), BAD_LINES, ids=lambda value: str(value)[:24]
)
def test_a_bad_line_is_named_wherever_the_pieces_end(name, file, line, problem, tmp_path):
    path = next((WRITERS[name](tmp_path / "raw")).rglob(file))
    replace_line(path, 23, line)
    for block_bytes in (1 << 20, 2999):
        with pytest.raises(DataError) as error:
            rows_of(name, tmp_path / "raw", tmp_path / "out", block_bytes=block_bytes)
        assert f"{file}:23: " in str(error.value)
        assert problem in str(error.value).replace("\\", ".")


def test_a_header_without_a_column_is_named(tmp_path):
    path = next(write_aliexpress(tmp_path / "raw").rglob("test.csv"))
    path.write_text(path.read_text().replace("conversion", "purchase", 1))
    with pytest.raises(
        DataError, match=r"test\.csv:1: the header lacks conversion; it has search_"
    ):
        rows_of("aliexpress_nl", tmp_path / "raw", tmp_path / "out")


def test_an_empty_file_is_named(tmp_path):
    next(write_aliexpress(tmp_path / "raw").rglob("test.csv")).write_text("")
    with pytest.raises(DataError, match=r"test\.csv: has no rows"):
        rows_of("aliexpress_nl", tmp_path / "raw", tmp_path / "out")


def test_lines_may_end_as_on_windows_and_with_empty_lines(tmp_path):
    raw = write_census(tmp_path / "raw")
    unix = rows_of("census_income", raw, tmp_path / "unix")
    for path in raw.iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n\r\n")
    for block_bytes in (1 << 20, 9973):
        out = tmp_path / str(block_bytes)
        assert_frame_equal(unix, rows_of("census_income", raw, out, block_bytes=block_bytes))


# ---- Ali-CCP -------------------------------------------------------------------------------


def ali_ccp_rows(tmp_path, common, skeleton):
    """The test half, over these lines."""
    raw = write_ali_ccp(tmp_path / "raw")
    (raw / "sample_test" / "common_features_test.csv").write_text(common)
    (raw / "sample_test" / "sample_skeleton_test.csv").write_text(skeleton)
    (written,) = prepare("ali_ccp", raw, tmp_path / "out")
    return pl.read_parquet(written.path).filter(split="test"), written.notes


def test_a_row_has_its_own_features_and_the_common_ones(tmp_path):
    common = features(("101", 77, "1.0"), ("129", 3, "1.0"), ("109_14", 5, "0.7"))
    own = features(("205", 9, "1.0"), ("508", 5, "2.5"), ("210", 4, "1.0"), ("210", 6, "1.0"))
    rows, _ = ali_ccp_rows(
        tmp_path, f"k,3,{common}\nother,0,\n", f"0,1,0,k,4,{own}\n1,0,0,other,0,\n"
    )
    first, second = rows.rows(named=True)
    assert {name: value for name, value in first.items() if value is not None} == {
        "click": 1, "purchase": 0, "user_id": 77, "user_geography": 3, "item_id": 9,
        "user_item_category": 5, "user_item_category_value": 2.5, "user_categories": [5],
        "item_intentions": [4, 6], "split": "test",
    }  # fmt: skip
    assert set(second.values()) == {0, None, "test"}


def test_of_a_long_list_the_strongest_stay_and_the_strongest_is_last(tmp_path):
    listed = [("110_14", number, f"{number * 7 % 20}.0") for number in range(20)]
    rows, _ = ali_ccp_rows(tmp_path, f"k,20,{features(*listed)}\n", "0,0,0,k,0,\n")
    strongest = sorted(range(20), key=lambda number: number * 7 % 20)[-ali_ccp.NUM_ITEMS :]
    assert rows["user_shops"].to_list() == [strongest]


def test_what_is_odd_is_told(tmp_path):
    own = features(("999", 1, "1.0"), ("205", 9, "1.0"), ("205", 8, "1.0"))
    rows, notes = ali_ccp_rows(tmp_path, common_line("k", 1), f"0,0,1,k,3,{own}\n")
    assert rows["item_id"].to_list() == [9]  # of two values of a field the first
    assert any("1 features of field 999, which is not published" in note for note in notes)
    assert any("purchases without a click" in note for note in notes)


def test_rows_with_common_features_are_on_one_side(tmp_path):
    rows = rows_of("ali_ccp", write_ali_ccp(tmp_path / "raw", num_common=200), tmp_path / "out")
    train = rows.filter(pl.col("split") != "test").with_columns(key=pl.int_range(pl.len()) // 2)
    assert train.group_by("key").agg(pl.col("split").n_unique())["split"].max() == 1
    assert 0.03 < (train["split"] == "valid").mean() < 0.2


# ---- the others ----------------------------------------------------------------------------


def test_a_search_of_aliexpress_is_on_one_side(tmp_path):
    rows = rows_of("aliexpress_nl", write_aliexpress(tmp_path / "raw"), tmp_path / "out")
    assert rows.group_by("search_id").agg(pl.col("split").n_unique())["split"].max() == 1
    assert rows.filter(pl.col("search_id") >= 100_000)["split"].unique().to_list() == ["test"]


def test_census_keeps_the_publishers_train_half(tmp_path):
    rows = rows_of("census_income", write_census(tmp_path / "raw"), tmp_path / "out")
    assert rows["split"][:400].unique().to_list() == ["train"]
    other = rows["split"][400:]
    assert set(other) == {"valid", "test"}
    assert 150 < (other == "valid").sum() < 250
    first = rows.row(0, named=True)
    assert (first["income_50k"], first["never_married"], first["college"]) == (1, 1, 0)
    assert first["citizenship"] == "Foreign born- Not a citizen of U S"  # no blanks around
    assert first["mig_chg_msa"] == "?"  # not missing: an answer of the form


def test_kuairand_joins_users_videos_and_what_was_watched_before(tmp_path):
    rows = rows_of("kuairand_pure", write_kuairand(tmp_path / "raw"), tmp_path / "out")
    assert rows.schema == schema("pure")
    assert rows["date"].min() == 20220425
    sides = rows.group_by("split").agg(first=pl.col("date").min(), last=pl.col("date").max())
    assert sorted(sides.rows()) == [
        ("test", 20220507, 20220508),
        ("train", 20220425, 20220504),
        ("valid", 20220505, 20220506),
    ]
    for row in rows.head(60).rows(named=True):
        assert row["author_id"] == 10 * row["video_id"]
        assert row["tag"] == ("39", "12", None)[row["video_id"] % 3]  # the first of several
        played, length = row["play_time_ms"], row["duration_ms"]
        assert row["finish"] == int(length > 0 and played >= 0.95 * length)
        day = row["date"] - 20220400 if row["date"] < 20220500 else row["date"] - 20220470
        assert row["upload_age_days"] == day - (1 + row["video_id"] % 20)


def test_kuairand_remembers_the_last_videos_that_were_played(tmp_path):
    raw = write_kuairand(tmp_path / "raw")
    logs = [pl.read_csv(path) for path in raw.rglob("log_standard*")]
    before = pl.concat(logs).filter(pl.col("date") < 20220425, pl.col("play_time_ms") > 0)
    expected = {
        user: frame.sort("time_ms", "video_id")["video_id"].to_list()[-10:]
        for (user,), frame in before.group_by("user_id")
    }
    rows = rows_of("kuairand_pure", raw, tmp_path / "out")
    assert {row["user_id"]: row["watch_seq"] for row in rows.rows(named=True)} == expected


def test_an_impression_of_an_unknown_video_stays_and_is_told(tmp_path):
    raw = write_kuairand(tmp_path / "raw")
    table = next(raw.rglob("video_features*"))
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))
    written, *_ = list(prepare("kuairand_pure", raw, tmp_path / "out"))
    lost = pl.read_parquet(written.path).filter(video_id=46)
    assert len(lost)
    assert lost["author_id"].null_count() == len(lost)
    assert written.notes == (
        f"{len(lost)} impressions lack features: the table of videos does not have theirs",
    )


def test_the_larger_kuairand_sets_have_room_for_millions_of_videos():
    assert schema("27k")["video_id"] == schema("1k")["video_id"] == pl.Int32
    assert [name for name in schema("27k") if schema("27k")[name] != schema("pure")[name]] == [
        "video_id",
        "upload_age_days",
    ]


def test_what_is_prepared_is_not_offered_to_git():
    ignored = (SPECS.parent / ".gitignore").read_text().splitlines()
    assert "search_spaces/data/*.parquet" in ignored
    assert os.path.commonpath([SPECS, SPECS / "data"]) == str(SPECS)
