"""From a file to a Spec: YAML as people write it, with the place of every problem."""

import subprocess
import sys
import time

import pytest
from support.spec_dict import VALID

from automtl.errors import SpecError
from automtl.spec.load import dump_yaml, load_spec, parse_document

TEXT = """\
version: 1
name: test
data:
  path: rows.csv
  split: {column: split}
  categorical: [user, item]
tasks:
  click: {label: is_click}
  buy: {label: is_buy, given: click}
objectives: [click.auc, params]
space:
  lr: {float: [1e-4, 1e-2], log: true}
  sharing:
    - {family: shared_bottom}
    - {family: mmoe, num_shared_experts: 4}
"""


@pytest.fixture
def load(tmp_path):
    """Loads `TEXT` with replacements; the data file exists."""
    (tmp_path / "rows.csv").write_text("user,item,is_click,is_buy,split\n")

    def load_changed(*changes, overrides=(), text=TEXT, **options):
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        (tmp_path / "spec.yaml").write_text(text)
        return load_spec(tmp_path / "spec.yaml", overrides=overrides, **options)

    return load_changed


@pytest.fixture
def places(load):
    """(key, line, column) of every problem of the changed text."""

    def places_of(*changes, **options):
        with pytest.raises(SpecError) as error:
            load(*changes, **options)
        return [(one.key, one.line, one.column) for one in error.value.diagnostics]

    return places_of


def test_a_good_file_loads_with_its_directory_as_base(load, tmp_path):
    spec = load()
    assert spec.base_dir == tmp_path
    assert spec.data_files() == (tmp_path / "rows.csv",)
    assert spec.space.lr.low == 1e-4


def test_yaml_is_that_of_2009(load):
    """`NO` is text, `1e-3` a number, `0o17` and `1_000` whole numbers."""
    assert parse_document("[NO, 1e-3, yes, 1_000, 'x', ~]", "").raw == [
        "NO", 1e-3, "yes", 1000, "x", None,
    ]  # fmt: skip


def test_anchors_and_merges_work(load):
    text = TEXT.replace("click: {label", "click: &base {type: binary, label").replace(
        "buy: {label: is_buy", "buy: {<<: *base, label: is_buy"
    )
    spec = load(text=text)
    assert (spec.tasks["buy"].label, spec.tasks["buy"].type) == ("is_buy", "binary")


def test_places_of_keys_values_and_items(places):
    assert places(
        ("name: test", "nam: test"),
        ("[user, item]", "[user, is_click]"),
        ("given: click", "given: clik"),
        ("[click.auc, params]", "[click.auc, parms]"),
        ("[1e-4, 1e-2]", "[1e-2, 1e-4]"),
        ("num_shared_experts: 4", "num_shared_experts: 0, num_levels: 2"),
    ) == [
        ("name", 1, 1),
        ("nam", 2, 1),
        ("data.categorical[1]", 6, 23),
        ("tasks.buy.given", 9, 31),
        ("objectives[1]", 10, 25),
        ("space.lr", 12, 7),
        ("space.sharing[1].num_shared_experts", 15, 42),
        ("space.sharing[1].num_levels", 15, 45),
    ]


def test_a_missing_key_is_placed_at_its_block(places):
    assert places(("  split: {column: split}\n", "")) == [("data.split", 3, 1)]
    assert places(("label: is_click", "type: binary")) == [("tasks.click.label", 8, 3)]
    assert places((", num_shared_experts: 4", "")) == [
        ("space.sharing[1].num_shared_experts", 15, 7)
    ]


def test_an_empty_value_is_placed_at_its_key(places):
    assert places(("{column: split}", "")) == [("data.split", 5, 3)]


def test_a_missing_data_file_has_its_place(places, load):
    assert places(("rows.csv", "row.csv")) == [("data.path", 4, 9)]
    assert places(("rows.csv", "[rows.csv, row.csv]")) == [("data.path[1]", 4, 20)]
    load(("rows.csv", "row.csv"), check_files=False)


def test_every_duplicate_key_is_reported_and_the_rest_still_checked(load):
    with pytest.raises(SpecError) as error:
        load(
            ("objectives:", "  click: {label: x}\nobjectives:"),
            ("space:", "name: again\nspace:"),
            ("[1e-4, 1e-2]", "[1, 0.1]"),
        )
    assert [(one.key, one.line, one.rule) for one in error.value.diagnostics] == [
        ("tasks.click", 10, "the key stands twice"),
        ("name", 12, "the key stands twice"),
        ("space.lr", 14, "low 1.0 is not below high 0.1"),
    ]
    assert error.value.diagnostics[0].hint == "it stands at line 8 already; keep one"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2\nb: 3\n", "syntax: .*is a bracket or comma missing"),
        ("a:\n\t- 1\n", "2:1 syntax: a tab cannot indent; indent with spaces"),
        ("a: b: c\n", "1:5 syntax: mapping values are not allowed"),
        ("a: 'x\n", "close the quote"),
        ("a: 1\n  b: 2\n", "syntax: "),
        ("a:\n  - 1\n b: 2\n", "syntax: the indentation does not fit"),
        ("a: *x\n", "name the anchor first"),
        ("a: 1\n---\nb: 2\n", "a second document begins"),
        ("", "file: is empty; automtl init writes"),
        ("# nothing\n", "file: is empty"),
        ("[" * 500, "nested too deeply"),
    ],
)
def test_no_yaml_at_all(text, message):
    with pytest.raises(SpecError, match=message) as error:
        parse_document(text, "spec.yaml")
    assert str(error.value).startswith("spec.yaml")


def test_a_document_that_is_no_mapping(places):
    assert places(text="just words\n") == [("spec", 1, 1)]
    assert places(text="- a\n- b\n") == [("spec", 1, 1)]


@pytest.mark.parametrize(
    ("text", "key", "rule"),
    [
        ("a: !thing x", "a", "could not determine a constructor for the tag"),
        ("a: 2022-13-45", "a", "cannot be read"),
        ("1: x", "1", "a key must be text, not 1"),
        ("[a, b]: x", "a list or mapping", "a key must be text"),
        ("a: &x [*x]", "a[0]", "an alias inside its own anchor"),
        ("a: {<<: 5}", "a", "<< needs another mapping"),
    ],
)
def test_yaml_that_a_spec_does_not_take(text, key, rule):
    (problem,) = parse_document(text, "").problems
    assert problem.key == key
    assert problem.rule.startswith(rule)
    assert problem.line == 1


def test_a_small_file_cannot_blow_up():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(SpecError, match="holds more than 100,000 values"):
        parse_document("\n".join(lines), "")


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "spec.yaml").write_bytes(b"name: \xff")
    with pytest.raises(SpecError, match=r"is not UTF-8 text \(byte 6\)"):
        load_spec(tmp_path / "spec.yaml")
    (tmp_path / "wide.yaml").write_bytes("name: é".encode("utf-16"))
    with pytest.raises(SpecError, match=r"is UTF-16 text by its first bytes.*iconv -f utf-16 -t"):
        load_spec(tmp_path / "wide.yaml")
    with pytest.raises(SpecError, match=r"there is no such file; did you mean spec.yaml\?"):
        load_spec(tmp_path / "spec.yml")
    with pytest.raises(SpecError, match="there is no such file; automtl init"):
        load_spec(tmp_path / "none" / "other.yaml")
    with pytest.raises(SpecError, match="is a directory"):
        load_spec(tmp_path)


# ---- overrides -----------------------------------------------------------------------------


def test_overrides_are_yaml_and_the_last_wins(load):
    spec = load(
        overrides=(
            "search.trials=3",
            "search.trials=4",
            "space.lr={float: [1e-3, 1e-2]}",
            "space.sharing[1].num_shared_experts=2",
            "space.sharing.0.family=single_task",
            "objectives=[buy.auc]",
            "trial.device=cpu",
        )
    )
    assert spec.search.trials == 4
    assert spec.space.lr.low == 1e-3
    assert spec.space.families == ("single_task", "mmoe")
    assert spec.space.sharing[1].num_shared_experts.value == 2
    assert (spec.objectives, spec.trial.device) == (("buy.auc",), "cpu")


def test_an_override_can_mend_the_file(load):
    assert load(("[1e-4, 1e-2]", "[1, 0.1]"), overrides=("space.lr=0.1",)).space.lr.value == 0.1


def test_a_problem_of_an_override_names_the_override(load):
    with pytest.raises(SpecError) as error:
        load(
            ("given: click", "given: clik"),
            overrides=("search.trials=0", "space.sharing[1].family=mmeo", "foo.bar=1", "trial="),
        )
    first, *others = [(one.key, one.line) for one in error.value.diagnostics]
    assert first == ("tasks.buy.given", 9)
    assert sorted(others) == [
        ("--set foo.bar", 0),
        ("--set search.trials", 0),
        ("--set space.sharing[1].family", 0),
        ("--set trial", 0),
    ]
    assert "spec.yaml --set search.trials: must be at least 1, not 0" in str(error.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("search.trials", "must be KEY=VALUE; write --set search.trials=3"),
        ("=3", "must be KEY=VALUE"),
        ("search..trials=3", "must be KEY=VALUE"),
        ("search.trials=[3", r"\[3 is no YAML: .*is a bracket or comma missing"),
        ("search.trials={a: 1, a: 2}", "the key stands twice"),
        ("space.sharing[5].family=ple", "5 is no item of a list of 2"),
        ("name.first=x", "first cannot be set inside test"),
    ],
)
def test_an_override_that_cannot_be_done(load, override, message):
    with pytest.raises(SpecError, match=f"--set .*{message}"):
        load(overrides=(override,))


# ---- writing, cost -------------------------------------------------------------------------


def test_dumped_yaml_reads_back_and_looks_written_by_hand(tmp_path):
    raw = VALID | {"space": VALID["space"] | {"expert_dims": [128, 64], "lr": 1e-05}}
    text = dump_yaml(raw)
    assert parse_document(text, "").raw == raw
    assert "  expert_dims: [128, 64]\n" in text
    assert "  click: {label: is_click}\n" in text
    assert "    - family: mmoe\n" in text or "    - {family: mmoe, " in text


def test_dumped_yaml_keeps_texts_that_look_like_something_else():
    raw = {"a": ["no", "1e-3", "null", "", "x: y", "# z", "ünïcode", "007", "2022-01-01"]}
    assert parse_document(dump_yaml(raw), "").raw == raw


def test_loading_imports_nothing_heavy():
    code = (
        "import sys, automtl.spec.load, automtl.space, automtl.spec.summary, automtl.spec.template;"
        "heavy = {'torch', 'ray', 'pandas', 'plotly', 'optuna', 'polars'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_spec_of_usual_length_loads_fast(load):
    load()
    started = time.process_time()
    load()
    assert time.process_time() - started < 0.2


ROWS = """\
version: 1
name: test
data:
  path: rows.csv
  where: price >
  split: {random: true}
  weight: 3
  categorical:
    user: {hash: 1}
  numeric:
    price: {scale: log}
    speed: {num_buckets: 8}
  time:
    shown_at: {parts: [hour, minute], zone: Mars}
    born_at: {parts: []}
  dense:
    text: {width: 3}
  cache: s3://bucket/rows
tasks:
  click: {label: rating >= , weight: [w]}
objectives: [click.auc, params]
space:
  sharing:
    - {family: shared_bottom}
"""


def test_each_mistake_about_rows_stands_at_its_place(load):
    with pytest.raises(SpecError) as caught:
        load(text=ROWS)
    lines = ROWS.splitlines()
    found = {
        one.key: lines[one.line - 1][one.column - 1 :].split("}")[0].split(":")[0]
        for one in caught.value.diagnostics
    }
    assert found == {
        "data.where": "price >",
        "data.weight": "3",
        "data.categorical.user.hash": "1",
        "data.numeric.price.scale": "log",
        "data.numeric.speed.num_buckets": "num_buckets",
        "data.time.shown_at.parts": "[hour, minute], zone",
        "data.time.shown_at.zone": "Mars",
        "data.time.born_at": "born_at",
        "data.dense.text.width": "width",
        "data.cache": "s3",
        "tasks.click.label": "rating >= , weight",
        "tasks.click.weight": "[w]",
    }
