"""`automtl init` on files that it never saw, in the shapes of public sets: what it writes is valid,
and no leak is among the features."""

import gzip

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import public_sets

from automtl.cli.app import main
from automtl.data.preview import preview
from automtl.errors import SpecError, UserError
from automtl.first_spec import has_header, write_spec
from automtl.spec.load import load_spec


@pytest.fixture
def spec_of(tmp_path):
    """Writes the rows, guesses a spec over them -> (the spec, its text)."""

    def call(frame, name="rows.parquet"):
        match name.partition(".")[2]:
            case "parquet":
                frame.write_parquet(tmp_path / name)
            case "tsv":
                frame.write_csv(tmp_path / name, separator="\t")
            case "csv":
                frame.write_csv(tmp_path / name)
        path = tmp_path / "spec.yaml"
        path.unlink(missing_ok=True)
        write_spec(path, data=tmp_path / name, named=None)
        return load_spec(path), path.read_text()

    return call


def tasks(spec):
    return {name: (task.label, task.given) for name, task in spec.tasks.items()}


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv"])
def test_kuairand(spec_of, name):
    spec, text = spec_of(public_sets.kuairand(), name)
    assert tasks(spec) == {
        "click": ("is_click", None),
        "long_view": ("long_view", "click"),
        "like": ("is_like", None),
    }
    assert spec.data.split.time == "time_ms"
    assert set(spec.data.categorical) == {"user_id", "video_id", "tab", "hourmin"}
    assert tuple(spec.data.numeric) == ("duration_ms",)
    assert "positives have is_click = 1" in text
    assert "milliseconds since 1970, 2022-04-2" in text
    assert "known only afterwards): play_time_ms" in text


def test_an_outcome_by_any_name_is_found_by_what_it_tells(spec_of):
    frame = public_sets.kuairand().rename({"play_time_ms": "watched", "tab": "surface"})
    watched = pl.when(pl.col("is_click") == 0).then(pl.lit(0)).otherwise(pl.col("watched") + 1)
    spec, text = spec_of(frame.with_columns(watched=watched))
    assert "watched" not in spec.data.numeric
    assert "watched" not in spec.data.categorical
    assert "left out (tells click without an exception, by" in text
    assert "# " in text.split("watched")[0].splitlines()[-1]


def test_census_income(spec_of):
    spec, text = spec_of(public_sets.census())
    assert list(spec.tasks) == ["income_50k"]
    assert {"class_worker", "marital_stat", "det_occ_code"} <= set(spec.data.categorical)
    assert {"age", "capital_gains", "stock_dividends", "weeks_worked"} <= set(spec.data.numeric)
    assert "is one a label? then it belongs here: never_married" in text


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv"])
def test_ali_ccp_whose_fields_are_called_by_numbers(spec_of, name):
    spec, text = spec_of(public_sets.ali_ccp(), name)
    assert tasks(spec) == {"click": ("click", None), "purchase": ("purchase", "click")}
    assert set(spec.data.categorical) == {"101", "121", "122", "205", "206"}
    assert tuple(spec.data.numeric) == ("D508",)
    assert "ids by their values" in text


def test_ali_express(spec_of):
    spec, _ = spec_of(public_sets.ali_express())
    assert tasks(spec) == {"click": ("click", None), "conversion": ("conversion", "click")}
    assert {f"categorical_{n}" for n in range(1, 5)} <= set(spec.data.categorical)
    assert set(spec.data.numeric) == {f"numerical_{n}" for n in range(1, 5)}


def test_movie_lens(spec_of):
    spec, text = spec_of(public_sets.movie_lens(), "rows.csv")
    assert tasks(spec) == {"liked": ("rating >= 4", None)}
    assert "to predict the number itself: rating: {label: rating, type: regression}" in text
    assert "rating" not in {*spec.data.numeric, *spec.data.categorical}
    assert spec.data.split.time == "timestamp"
    assert set(spec.data.categorical) == {"userId", "movieId"}
    assert "(seconds since 1970, 2019-" in text


def test_criteo_without_good_names(spec_of):
    spec, _ = spec_of(public_sets.criteo(), "rows.tsv")
    assert [task.label for task in spec.tasks.values()] == ["_c0"]
    assert set(spec.data.numeric) == {f"_c{n}" for n in range(1, 5)}
    assert set(spec.data.categorical) == {f"_c{n}" for n in range(5, 8)}


def test_a_file_without_a_line_of_names_says_so(tmp_path):
    public_sets.criteo().write_csv(tmp_path / "day_0.tsv", separator="\t", include_header=False)
    with pytest.raises(UserError, match="first line holds values, not names"):
        write_spec(tmp_path / "spec.yaml", data=tmp_path / "day_0.tsv", named=None)


@pytest.mark.parametrize(
    ("names", "is_header"),
    [
        (["0", "1", "1_duplicated_0", "5", "68fd1e64"], False),
        (["click", "purchase", "101", "121", "122"], True),
        (["label", "I1", "C1"], True),
        (["_c0", "_c1"], True),
        (["101", "121"], False),
    ],
)
def test_what_is_a_line_of_names(names, is_header):
    assert has_header(names) is is_header


def test_the_nearest_of_several_conditions(spec_of):
    rng = np.random.default_rng(0)
    click = (rng.random(6000) < 0.5).astype(int)
    cart = public_sets.after(rng, click, 0.5)
    frame = pl.DataFrame(
        {"item": zip_ids(rng), "purchase": public_sets.after(rng, cart, 0.3),
         "cart": cart, "click": click}
    )  # fmt: skip
    spec, text = spec_of(frame)
    assert tasks(spec) == {
        "click": ("click", None),
        "cart": ("cart", "click"),
        "purchase": ("purchase", "cart"),
    }
    assert text.count("positives have") == 2


def zip_ids(rng, num_rows=6000):
    return public_sets.zipf(rng, 50, num_rows)


def test_a_name_that_suggests_a_condition_gives_way_to_the_rows(spec_of):
    rng = np.random.default_rng(0)
    click = (rng.random(6000) < 0.5).astype(int)
    mostly = np.where(rng.random(6000) < 0.1, 1 - click, click) * (rng.random(6000) < 0.3)
    spec, text = spec_of(pl.DataFrame({"item": zip_ids(rng), "click": click, "purchase": mostly}))
    assert tasks(spec)["purchase"] == ("purchase", None)
    assert "no `given`: " in text


def test_a_label_of_few_positives_is_no_task_and_no_feature(spec_of):
    frame = public_sets.kuairand().with_columns(
        is_hate=(pl.int_range(pl.len()) % 1000 == 0).cast(pl.Int8)
    )
    spec, text = spec_of(frame)
    assert "hate" not in spec.tasks
    assert "is_hate" not in spec.data.categorical
    assert "labels too, so never features: is_hate (8 positives)" in text


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv"])
def test_of_a_large_file_rows_from_all_over_it_are_seen(tmp_path, name):
    frame = pl.DataFrame({"place": pl.int_range(300_000, eager=True), "x": 1.25})
    if name == "rows.csv":
        frame.write_csv(tmp_path / name)
    else:
        frame.write_parquet(tmp_path / name, row_group_size=10_000)
    found = preview(tmp_path / name, small_bytes=0)
    places = found.frame["place"].cast(pl.Int64)
    assert 100_000 < found.frame.height <= 200_000
    assert found.seen == f"{found.frame.height:,} rows"
    assert places.min() == 0
    assert places.max() > 280_000
    for start in range(0, 300_000, 30_000):
        assert places.is_between(start, start + 30_000).any()
    assert preview(tmp_path / name).seen == "all 300,000 rows"


def test_of_many_files_some_are_seen(tmp_path):
    for day in range(40):
        frame = pl.DataFrame({"day": [day] * 100})
        frame.write_parquet(tmp_path / f"{day:02}.parquet")
    found = preview(f"{tmp_path}/*.parquet", small_bytes=0)
    assert found.seen == "1,600 rows of 16 of 40 files"
    assert found.frame["day"].n_unique() == 16


def test_of_a_large_compressed_file_the_beginning_is_seen(tmp_path):
    text = pl.DataFrame({"place": pl.int_range(300_000, eager=True)}).write_csv()
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(text.encode()))
    found = preview(tmp_path / "rows.csv.gz", small_bytes=0)
    assert found.frame["place"].to_list() == [str(place) for place in range(200_000)]


def test_what_is_seen_stands_in_the_spec_and_the_command_line_validates_it(tmp_path, capsys):
    public_sets.ali_express().write_parquet(tmp_path / "rows.parquet")
    path = str(tmp_path / "spec.yaml")
    for arguments in (["init", path, "--data", str(tmp_path / "rows.parquet")], ["validate", path]):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code in (None, 0), capsys.readouterr().err
    assert "in all 8,000 rows: please check" in (tmp_path / "spec.yaml").read_text()


NAMES = st.sampled_from(
    ["click", "is_like", "purchase", "id", "time", "ts", "price", "label", "x", "params", "101",
     "latency_ms", "watch_ratio", "a b", "on", "tag"]
)  # fmt: skip
VALUES = st.sampled_from(
    ["binary", "ids", "numbers", "text", "seconds", "lists", "nulls", "constant", "bools"]
)


def column(kind, rng, num_rows=60):
    match kind:
        case "binary":
            return pl.Series((rng.random(num_rows) < 0.5).astype(int))
        case "ids":
            return pl.Series(rng.integers(0, 2**40, 20)[rng.integers(0, 20, num_rows)])
        case "numbers":
            return pl.Series(rng.normal(size=num_rows))
        case "text":
            return pl.Series(rng.choice(["a", "b,c", "ü"], num_rows))
        case "seconds":
            return pl.Series(public_sets.START + rng.integers(0, 10**6, num_rows))
        case "lists":
            return pl.Series([list(range(n % 4)) for n in range(num_rows)])
        case "nulls":
            return pl.Series([None] * num_rows, dtype=pl.Float64)
        case "constant":
            return pl.Series([7] * num_rows)
        case "bools":
            return pl.Series(rng.random(num_rows) < 0.5)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=8), st.integers(0, 99))
def test_whatever_the_columns_are_the_spec_is_valid_or_says_what_is_missing(
    tmp_path_factory, kinds, seed
):
    folder = tmp_path_factory.mktemp("any")
    rng = np.random.default_rng(seed)
    pl.DataFrame({name: column(kind, rng) for name, kind in kinds.items()}).write_parquet(
        folder / "rows.parquet"
    )
    try:
        has_tasks = write_spec(folder / "spec.yaml", data=folder / "rows.parquet", named=None)
    except UserError as error:
        assert "no column is left that can be a feature" in str(error)  # noqa: PT017
        return
    try:
        load_spec(folder / "spec.yaml")
    except SpecError as error:
        assert {one.key for one in error.diagnostics} == {"tasks", "objectives"}  # noqa: PT017
        assert not has_tasks
    else:
        assert has_tasks
