"""Reading the repository's Markdown: its blocks, its headings as GitHub's anchors, its links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

__all__ = ["DOCUMENTS", "ROOT", "Block", "anchors", "blocks", "commands", "links"]

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "*/*.md", "search_spaces/*/*.md", "reports/example/*.md")
    for path in ROOT.glob(pattern)
    if path.parent.name[0] != "."
)
ENDS = (">", ">>", "2>", "&", ";")  # of a command's words
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A fenced block, its language and the line on which its content begins."""

    language: str
    content: str
    line: int


def blocks(text: str, *languages: str) -> list[Block]:
    """The fenced blocks in their order; of these languages, if any are given."""
    return [
        Block(found[1], found[2], text.count("\n", 0, found.start(2)) + 1)
        for found in FENCE.finditer(text)
        if not languages or found[1] in languages
    ]


def anchors(text: str) -> set[str]:
    """What `#…` may name in a document: its headings, as GitHub writes them."""
    plain = FENCE.sub("", text)
    found: dict[str, int] = {}
    every = set()
    for heading in re.findall(r"^#+ +(.*?) *$", plain, re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        every.add(f"{slug}-{found[slug]}" if slug in found else slug)
        found[slug] = found.get(slug, 0) + 1
    return every


def links(text: str) -> list[str]:
    """The targets of links and images, code left out."""
    plain = re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))
    return re.findall(r"\]\(([^)\s]+)\)", plain)


def commands(text: str) -> Iterator[tuple[list[str], int]]:
    """The words of every `automtl` command, and its line: those of sh blocks, of lines that begin
    with `$`, and of lines that are indented as code."""
    for block in blocks(text, "sh"):
        whole = block.content.replace("\\\n", " ")
        for part in re.split(r"\n|&&|\|", whole):
            yield from _command(part, block.line)
    for number, line in enumerate(text.splitlines(), start=1):
        if found := re.match(r"(?:\$| {4}) *(automtl .*)", line):
            yield from _command(found[1], number)


def _command(line: str, number: int) -> Iterator[tuple[list[str], int]]:
    every = shlex.split(line, comments=True)
    words = list(takewhile(lambda word: word not in ENDS, every))
    if words and Path(words[0]).name == "automtl":
        yield words[1:], number
