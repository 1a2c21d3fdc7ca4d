"""The committed specs and the committed JSON schema."""

import json
import re
from pathlib import Path

import pytest

from automtl.config import FAMILIES
from automtl.data.sets.registry import SETS
from automtl.spec.data_rules import TRUTH_COLUMNS
from automtl.spec.load import load_spec, parse_document
from automtl.spec.schema import json_schema
from automtl.spec.template import template

FOLDER = Path(__file__).parents[3] / "search_spaces"
SPECS = sorted(FOLDER.glob("*.yaml"))
LEAKS = {
    "kuairand": {"play_time_ms", "finish", "is_like", "is_follow", "is_comment", "is_forward",
                 "is_hate", "is_profile_enter", "long_view", "is_click"},
    "census_income": {"marital_stat", "income_50k", "college", "never_married", "instance_weight"},
    "synthetic": {*TRUTH_COLUMNS, "click", "conversion"},
    "ali_ccp": {"click", "purchase"},
    "aliexpress": {"click", "conversion", "search_id"},
}  # fmt: skip


def load(path):
    """A spec over a public set is valid but for its rows, which `automtl data prepare` writes:
    `tests/unit/data/test_public_sets.py` prepares some."""
    rows = {one.writes[0] for one in SETS.values()} - {
        file.name for file in (FOLDER / "data").iterdir()
    }
    return load_spec(path, check_files=not any(name in path.read_text() for name in rows))


def test_the_committed_schema_is_that_of_the_code():
    """To renew it: `automtl schema > search_spaces/automtl.schema.json`."""
    assert json.loads((FOLDER / "automtl.schema.json").read_text()) == json.loads(
        json.dumps(json_schema())
    )


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_spec_is_valid_and_has_the_whole_ladder(path):
    spec = load(path)
    assert spec.name == path.stem
    assert spec.space.families == FAMILIES
    assert "params" in spec.objectives


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_no_spec_uses_a_leak(path):
    data = load(path).data
    features = {*data.categorical, *data.numeric, *data.sequence}
    assert not features & LEAKS[path.stem.removesuffix("_like").removesuffix("_1k")]


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_knob_has_a_comment(path):
    text = path.read_text()
    space = text[text.index("\nspace:") :].replace(",  #", "  #")
    lines = [line for line in space.splitlines() if re.match(r"  +(- |[a-z_]+:)", line)]
    # a family's own knobs may go on in a second line
    bare = [line for line in lines if "#" not in line and not line.startswith("       ")]
    assert bare == []


def test_the_template_is_the_committed_example():
    text = (FOLDER / "synthetic.yaml").read_text()
    assert text.endswith(template("synthetic"))


def schema_errors(schema, value):
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    return [error.json_path for error in validator(schema).iter_errors(value)]


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_an_editor_with_the_schema_accepts_every_spec(path):
    raw = parse_document(path.read_text(), str(path)).raw
    assert schema_errors(json_schema(), raw) == []
    assert schema_errors(json_schema(), load(path).to_dict()) == []


@pytest.mark.parametrize(
    ("block", "place"),
    [
        ({"lr": "fast"}, "$.space.lr"),
        ({"lr": {"float": [1]}}, "$.space.lr"),
        ({"embedding_dim": {"float": [1, 2]}}, "$.space.embedding_dim"),
        ({"dependency": "esm"}, "$.space.dependency"),
        ({"learning_rate": 1}, "$.space"),
    ],
)
def test_an_editor_with_the_schema_marks_what_is_wrong(block, place):
    raw = parse_document((FOLDER / "synthetic.yaml").read_text(), "").raw
    raw["space"] |= block
    assert place in schema_errors(json_schema(), raw)
