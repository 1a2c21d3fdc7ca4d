"""Text files whose lines are separated by something else than their names say."""

from __future__ import annotations

__all__ = ["how_to_separate", "separated_by"]

LOOKED_AT = 10  # lines, empty ones included
OTHERS = ("\t", ";", ",", "|")
SUFFIXES = {"\t": ".tsv", ",": ".csv"}
SAID = {"\t": "by tabs", ",": "by commas"}


def separated_by(name: str, text: str, separator: str) -> str:
    """What separates the lines of a `text` that seems to have one column of this name: the name
    holds it, and the second line as often; "" where nothing does."""
    second = [line for line in text.splitlines()[:LOOKED_AT] if line.strip()][1:2]
    for other in OTHERS:
        count = name.count(other)
        if other != separator and count and all(line.count(other) >= count for line in second):
            return other
    return ""


def how_to_separate(other: str, *, packed: str) -> str:
    """What is wrong with a file of this separator, and the way out; `packed`: .gz or so."""
    said = f"its lines look separated {SAID.get(other, f'by {other!r}')}"
    if other in SUFFIXES:
        return f"{said}; give it a name that ends in {SUFFIXES[other]}{packed}"
    return (
        f"{said}, those of .csv are by commas; write it anew:"
        f" polars.read_csv(FILE, separator={other!r}, infer_schema=False).write_csv(NEW_FILE)"
    )
