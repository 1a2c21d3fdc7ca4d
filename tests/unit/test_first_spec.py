"""`automtl init`: a spec that runs is written once, and never over another."""

import numpy as np
import polars as pl
import pytest

from automtl.cli.app import main
from automtl.data.synthetic import impressions
from automtl.errors import DataError, RunError, SpecError, UserError
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


def test_times_vectors_and_ratings_become_what_they_can_be(tmp_path):
    number = np.arange(3000)
    rng = np.random.default_rng(0)
    stamps = 1_650_000_000 + number * 900
    frame = pl.DataFrame(
        {
            "user_id": rng.integers(0, 50, 3000),
            "text": pl.Series(rng.normal(size=(3000, 3)).tolist(), dtype=pl.List(pl.Float32)),
            "shown_ts": stamps,
            "born_date": [20220101 + int(one) % 28 for one in number],
            "stars": rng.integers(1, 6, 3000),
            "click_time": stamps + 5,
        }
    )
    for name, write in (("rows.parquet", frame.write_parquet), ("rows.csv", None)):
        if write is None:
            joined = pl.col("text").list.eval(pl.element().cast(pl.String)).list.join("|")
            frame.with_columns(joined).write_csv(tmp_path / name)
        else:
            write(tmp_path / name)
        path = tmp_path / f"{name}.yaml"
        write_spec(path, data=tmp_path / name, named=None)
        spec, text = load_spec(path), path.read_text()
        assert list(spec.data.dense) == ["text"]
        assert list(spec.data.time) == ["shown_ts"], "what happens at a click is known afterwards"
        assert spec.data.time["shown_ts"].parts == ("hour", "weekday")
        age = "born_date: {parts: [], age_at: shown_ts, age_in: days, unit: ymd}"
        assert age in text.replace("\n  # ", " ")
        assert {name: task.label for name, task in spec.tasks.items()} == {"liked": "stars >= 4"}


TIMES_AND_IDS = "user_id,item_id,shown_ts,seen_ts\n" + "".join(
    f"{row % 7},{row % 5},{1_650_000_000 + 900 * row},{1_650_000_060 + 900 * row}\n"
    for row in range(100)
)


def test_without_a_label_the_spec_says_what_to_write_and_then_it_is_valid(tmp_path):
    (tmp_path / "rows.csv").write_text(TIMES_AND_IDS)
    path = tmp_path / "spec.yaml"
    assert write_spec(path, data=tmp_path / "rows.csv", named=None) is False
    text = path.read_text()
    assert "# no column looks like a label" in text
    with pytest.raises(SpecError) as error:
        load_spec(path)
    assert [(one.key, one.rule) for one in error.value.diagnostics] == [
        ("tasks", "names no task"),
        ("objectives", "names no objective"),
    ]
    (task,) = (line for line in text.splitlines() if "type: regression" in line)
    task = (
        task.strip("# ")
        .replace("NAME", "wait")
        .replace("label: COLUMN", 'label: "seen_ts - shown_ts"')
    )
    written = text.replace("tasks: {}", f"tasks:\n  {task}")
    path.write_text(written.replace("objectives: []", "objectives: [wait.rmse, params]"))
    spec = load_spec(path)
    assert spec.tasks["wait"].label == "seen_ts - shown_ts"
    assert spec.data.categorical.keys() == {"user_id", "item_id"}


@pytest.mark.parametrize(
    ("column", "task"),
    [(["0", "1", "1"], ("bought_it", "bought_it")), (["1", "4", "5"], ("liked", "rating >= 4"))],
)
def test_a_label_between_times_and_ids_is_found(tmp_path, column, task):
    name = task[1].split()[0]
    lines = TIMES_AND_IDS.splitlines()
    values = [name, *(column[row % 3] for row in range(len(lines) - 1))]
    rows = [f"{value},{line}\n" for value, line in zip(values, lines, strict=True)]
    (tmp_path / "rows.csv").write_text("".join(rows))
    assert write_spec(tmp_path / "spec.yaml", data=tmp_path / "rows.csv", named=None)
    spec = load_spec(tmp_path / "spec.yaml")
    assert [(name, one.label) for name, one in spec.tasks.items()] == [task]


def test_labels_of_yes_and_no_are_read_as_such_and_no_features(tmp_path):
    rng = np.random.default_rng(0)
    click = rng.random(3000) < 0.3
    buy = click & (rng.random(3000) < 0.3)
    frame = pl.DataFrame(
        {
            "user_id": rng.integers(0, 50, 3000),
            "price": rng.random(3000),
            "click": np.where(click, "Y", "N"),
            "buy": np.where(buy, 1, -1),
        }
    )
    frame.write_csv(tmp_path / "rows.csv")
    assert write_spec(tmp_path / "spec.yaml", data=tmp_path / "rows.csv", named=None)
    spec = load_spec(tmp_path / "spec.yaml")
    labels = {name: (task.label, task.given) for name, task in spec.tasks.items()}
    assert labels == {"click": ("click == 'Y'", None), "buy": ("buy == 1", "click")}
    assert spec.data.feature_columns == ("user_id", "price")
    assert "positives have click == 'Y'" in (tmp_path / "spec.yaml").read_text()


@pytest.mark.parametrize(("marker", "suffix"), [(r"\N", "tsv"), ("NULL", "csv")])
def test_texts_for_no_value_are_written_down_and_no_category(tmp_path, marker, suffix):
    values = np.random.default_rng(0).choice(["a", "b", None], 1000)
    frame = pl.DataFrame(
        {
            "user_id": np.arange(1000) % 9,
            "tag": pl.Series(values.tolist()),
            "click": [0, 1, None, 1] * 250,
        }
    )
    path = tmp_path / f"rows.{suffix}"
    frame.write_csv(path, separator="\t" if suffix == "tsv" else ",", null_value=marker)
    write_spec(tmp_path / "spec.yaml", data=path, named=None)
    spec = load_spec(tmp_path / "spec.yaml")
    assert spec.data.missing == (marker,)
    assert (*spec.tasks, *spec.data.categorical) == ("click", "user_id", "tag")
    text = (tmp_path / "spec.yaml").read_text()
    assert "# texts that stand for no value, as in tag, click\n" in text


def test_a_parquet_file_has_values_that_are_none(tmp_path):
    rows = pl.DataFrame({"tag": ["a", "NULL"] * 50, "click": [0, 1] * 50})
    rows.write_parquet(tmp_path / "rows.parquet")
    write_spec(tmp_path / "spec.yaml", data=tmp_path / "rows.parquet", named=None)
    assert load_spec(tmp_path / "spec.yaml").data.missing is None


def test_a_file_of_names_only_is_refused(tmp_path):
    (tmp_path / "rows.csv").write_text("user_id,click\n")
    with pytest.raises(UserError, match=r"rows\.csv: has no rows, and what columns are is guessed"):
        write_spec(tmp_path / "spec.yaml", data=tmp_path / "rows.csv", named=None)


def test_the_command_says_what_is_missing(tmp_path, capsys):
    (tmp_path / "rows.csv").write_text(TIMES_AND_IDS)
    path = tmp_path / "spec.yaml"
    with pytest.raises(SystemExit) as end:
        main(["init", str(path), "--data", str(tmp_path / "rows.csv")])
    assert end.value.code in (None, 0)
    wrote, missing, next_ = capsys.readouterr().out.splitlines()
    assert (wrote, next_) == (f"wrote {path}", f"next: automtl validate {path}")
    assert missing.startswith("no column looks like a label: write its tasks and objectives")


def test_rows_at_a_url_in_another_encoding(tmp_path, rows):
    fsspec = pytest.importorskip("fsspec")
    named = rows.rename({"user_id": "größe"})
    with fsspec.open("memory://init/rows.csv", "wb") as file:
        file.write(named.write_csv().encode("latin1"))
    path = tmp_path / "spec.yaml"
    write_spec(path, data="memory://init/rows.csv", named=None, encoding="latin1")
    spec = load_spec(path)
    assert (spec.data.path, spec.data.encoding) == ("memory://init/rows.csv", "latin1")
    assert "größe" in {*spec.data.categorical, *spec.data.numeric}
    with pytest.raises(UserError, match="--encoding: there is no encoding 'klingon'; write utf8"):
        write_spec(tmp_path / "b.yaml", data="rows.csv", named=None, encoding="klingon")
