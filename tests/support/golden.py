"""Outputs that people see, kept as files: a change of one is a change of what they see.

`UPDATE_GOLDEN=1 pytest` writes them anew; the diff is then read like any other.
"""

import os
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "golden"


def check(name: str, content: str) -> None:
    """`content` is what `tests/golden/<name>` holds."""
    path = FOLDER / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(content, encoding="utf-8")
    assert content == path.read_text(encoding="utf-8")
