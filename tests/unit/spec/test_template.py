"""A first spec: what columns are taken for, and that the text runs as it stands."""

import datetime as dt
from dataclasses import replace

import pytest

from automtl.errors import UserError
from automtl.spec.guess import ColumnInfo, guess
from automtl.spec.load import load_spec
from automtl.spec.template import init_spec, template

NUM_ROWS = 10_000


def column(name, kind="int", num_unique=50, minimum=0, maximum=1000, examples=None, num_null=0):
    """A column of many whole numbers, unless it says otherwise."""
    if examples is None:
        examples = {"string": ("a", "b", "c"), "float": (0.5, 1.25), "bool": (True, False)}.get(
            kind, (3, 17, 5)
        )
    if kind in ("string", "bool"):
        minimum = maximum = None
    return ColumnInfo(
        name=name, kind=kind, num_unique=num_unique, num_null=num_null, num_rows=NUM_ROWS,
        minimum=minimum, maximum=maximum, examples=tuple(examples),
    )  # fmt: skip


def label(name):
    return column(name, num_unique=2, maximum=1, examples=(0, 1))


FEED = [
    column("user_id", num_unique=5000, maximum=27_000),
    column("video_id", num_unique=700, maximum=7_500),
    column("author_id", num_unique=600, maximum=8_000_000),
    column("tab", num_unique=15),
    column("tag", "string", num_unique=43),
    column("comment_text", "string", num_unique=9_900),
    column("row_id", num_unique=NUM_ROWS),
    column("duration_ms", num_unique=5000),
    column("price", "float", num_unique=900),
    column("level", "float", num_unique=5, examples=(0.0, 1.0, 2.0)),
    column("watch_seq", "list", num_unique=690, maximum=7_600),
    column("tag_list", "list", num_unique=40, minimum=None, maximum=None, examples=("x",)),
    column("constant", num_unique=1),
    column("play_time_ms", num_unique=6000),
    column("date", num_unique=14),
    label("is_click"),
    label("is_like"),
    label("purchase"),
    label("is_follow"),
    label("is_video_author"),
    column("split", "string", num_unique=3, examples=("train", "valid", "test")),
]


def test_what_the_columns_of_a_feed_are_taken_for():
    found = guess(FEED)
    assert found.split == {"column": "split"}
    assert [(task.name, task.label, task.given) for task in found.tasks] == [
        ("click", "is_click", None),
        ("purchase", "purchase", "click"),
        ("like", "is_like", None),
    ]
    assert found.more_labels == {"is_follow": ""}
    assert found.maybe_labels == ("is_video_author",)
    assert found.categorical == (
        "user_id", "video_id", "author_id", "tab", "tag", "level", "is_video_author",
    )  # fmt: skip
    assert found.numeric == ("duration_ms", "price")
    assert found.sequence == {"watch_seq": "video_id", "tag_list": None}
    assert set(found.left_out) == {"comment_text", "row_id", "constant", "play_time_ms", "date"}
    assert "outcome" in found.left_out["play_time_ms"]


def test_a_list_shares_with_the_id_of_its_name():
    columns = [column("item_id", maximum=9), column("video_id"), column("item_seq", "list")]
    assert guess([*columns, label("click")]).sequence == {"item_seq": "item_id"}


def test_the_split_is_a_column_else_a_time_else_random():
    day = column("day", "date", num_unique=30, minimum=dt.date(2022, 1, 1))
    stamp = column("timestamp", num_unique=9000)
    base = [label("click"), column("x")]
    assert guess([*base, stamp, day]).split == {"time": "day", "valid": 0.1, "test": 0.1}
    assert guess([*base, stamp]).split["time"] == "timestamp"
    assert guess(base).split == {"random": True, "valid": 0.1, "test": 0.1}
    words = column("split", "string", num_unique=3, examples=("train", "valid", "dev"))
    assert guess([*base, words]).split["random"] is True


@pytest.mark.parametrize(
    ("columns", "task"),
    [
        ([column("user_id"), label("is_good"), label("other")], ("good", True)),
        ([column("user_id"), column("rating", "float"), column("x")], ("rating", False)),
        ([column("user_id"), column("x"), label("flag")], ("flag", True)),
        ([label("zip_code"), label("good"), label("day")], ("good", True)),
        ([label("good"), column("item_id"), label("other")], ("good", True)),
        ([column("rating_id"), column("score_date"), column("stars", num_unique=5)],
         ("stars", False)),
        ([column("user_id"), column("x"), column("play_time_ms")], ("play_time_ms", False)),
        ([column("user_id"), label("is_params")], ("label", True)),
        ([column("user_id"), column("buy", "bool", num_unique=2)], ("buy", True)),
    ],
)  # fmt: skip
def test_without_an_event_something_else_is_the_label(columns, task):
    (found,) = guess(columns).tasks
    assert (found.name, found.is_binary) == task


STAMPS = {"minimum": 1_650_000_000, "maximum": 1_651_000_000, "examples": (1_650_900_000,)}


@pytest.mark.parametrize(
    "other",
    [
        column("x", "float"),
        column("x"),
        column("price", "float"),
        column("end_ts"),
        column("label_seen", **STAMPS),
        column("target_id"),
        column("rating", num_unique=1),
        column("sample_weight", "float"),
        column("name", "string"),
        label("city_code"),
    ],
)
def test_what_is_no_label_by_its_name_is_none(other):
    found = guess([column("user_id"), other])
    assert (found.tasks, found.more_labels) == ((), {})


@pytest.mark.parametrize("event", ["click", "is-click"])
@pytest.mark.parametrize(
    ("kind", "values", "yes"),
    [
        ("string", ("N", "Y"), "'Y'"),
        ("string", ("yes", "no"), "'yes'"),
        ("string", ("FALSE", "TRUE"), "'TRUE'"),
        ("string", ("f", "t"), "'t'"),
        ("int", (-1, 1), "1"),
        ("float", (1.0, -1.0), "1"),
    ],
)
def test_an_event_of_yes_and_no_is_a_label_and_no_feature(event, kind, values, yes):
    two = column(event, kind, num_unique=2, minimum=-1, maximum=1, examples=values)
    found = guess([column("user_id"), two, label("buy")])
    written = event if event == "click" else f"[{event}]"
    labels = [(task.label, task.is_binary) for task in found.tasks]
    assert labels == [(f"{written} == {yes}", True), ("buy", True)]
    assert found.categorical == ("user_id",)


@pytest.mark.parametrize("values", [("Y", "no"), ("yes", "maybe"), ("a", "b")])
def test_two_other_words_are_not_taken_for_yes_and_no(values):
    found = guess([column("user_id"), column("x", "string", num_unique=2, examples=values)])
    assert found.tasks == ()


def test_numbers_with_commas_are_left_out_with_the_way_out():
    price = replace(column("price", "string", num_unique=900), has_commas=True)
    found = guess([column("user_id"), price, label("click")])
    assert found.categorical == ("user_id",)
    text = init_spec(found, "rows.csv", "rows").replace("\n  # ", " ")
    assert "write them with a point and without separators, and they can be numeric): price" in text


def test_no_feature_is_an_error():
    with pytest.raises(UserError, match="no column is left"):
        guess([label("click"), column("play_time")])


@pytest.mark.parametrize(
    "columns",
    [
        FEED,
        [column("user_id"), label("click"), label("like")],
        [column("user_id"), column("rating", "float")],
        [column("on"), column("a: b"), column('say "hi"'), column("näme"), column("007"),
         column("line\nbreak"), label("click"), label("is click")],
    ],
)  # fmt: skip
def test_the_text_is_a_valid_spec_with_comments(columns, tmp_path):
    (tmp_path / "rows 1.parquet").touch()
    text = init_spec(guess(columns), "rows 1.parquet", "my rows!")
    (tmp_path / "spec.yaml").write_text(text, encoding="utf-8")
    spec = load_spec(tmp_path / "spec.yaml")
    found = guess(columns)
    assert spec.name == "my_rows_"
    assert tuple(spec.data.categorical) == found.categorical
    assert list(spec.tasks) == [task.name for task in found.tasks]
    assert len(spec.space.sharing) == 7
    assert text.count("#") > 15
    assert max(map(len, text.splitlines())) < 130
    for left_out in set(found.left_out) & {"play_time_ms"}:
        assert left_out in text


def test_templates_run_as_they_stand(tmp_path):
    (tmp_path / "spec.yaml").write_text(template("synthetic"))
    assert load_spec(tmp_path / "spec.yaml").data.generate.name == "impressions"
    with pytest.raises(UserError, match="no such template; did you mean synthetic"):
        template("synthetik")
