"""docs/spec.md and the JSON schema that it is written from."""

from pathlib import Path

import jsonschema
import pytest

from automtl.spec.reference import reference
from automtl.spec.schema import json_schema

DOCUMENT = Path(__file__).parents[3] / "docs" / "spec.md"
SCHEMA = json_schema()
BLOCKS = {"the spec": SCHEMA} | {
    name: block for name, block in SCHEMA["$defs"].items() if "properties" in block
}
KEYS = [(block, key) for block, of in BLOCKS.items() for key in of["properties"]]


def test_the_reference_is_that_of_the_schema():
    """To renew it: `python -m automtl.spec.reference > docs/spec.md`."""
    assert DOCUMENT.read_text() == reference(), test_the_reference_is_that_of_the_schema.__doc__


@pytest.mark.parametrize(("block", "name"), KEYS, ids=".".join)
def test_every_key_is_explained_and_its_default_is_a_value_of_it(block, name):
    key = BLOCKS[block]["properties"][name]
    target = SCHEMA["$defs"].get(key.get("$ref", "").rpartition("/")[2], {})
    assert "const" in key or key.get("description") or target.get("description")
    assert "default" in key or name in BLOCKS[block]["required"]
    if "default" in key:
        jsonschema.validate(key["default"], {"$defs": SCHEMA["$defs"], **key})


def test_every_key_has_a_row():
    rows = [line.split("|")[1].strip() for line in reference().splitlines() if line[:3] == "| `"]
    assert {f"`{name}`" for _, name in KEYS if not name[0].isupper()} <= set(rows)
