"""What the sections of the page are made of: figures that are drawn when they come into view, and
tables of the same numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from automtl.analysis import text
from automtl.config import Objective
from automtl.report.figures import Figure, to_plain

__all__ = ["Plot", "Table", "heading", "plot", "plots_in", "signed", "table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A figure of the page, as plotly.js takes it; of several `variants` the page's choice `group`
    shows one, and `of` says of each what it is of. `label` says to a reader who cannot see it what
    it is."""

    id: str
    label: str
    title: str
    height: int
    variants: tuple[dict[str, Any], ...]
    group: str
    of: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Texts in columns; the first `num_words` columns hold words, the others numbers."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    num_words: int


def plot(
    name: str,
    figures: Sequence[Figure],
    *,
    label: str,
    title: str = "",
    group: str = "",
    of: Sequence[str] = ("",),
) -> Plot:
    """`name` must be an id of HTML, so no text of a spec or of data."""
    assert re.fullmatch(r"[a-z][a-z0-9-]*", name), name
    assert len(of) == len(figures), "each is of something"
    return Plot(
        id=name,
        label=label,
        title=title,
        height=max(int(one.layout.height) for one in figures),
        variants=tuple(to_plain(one) for one in figures),
        group=group,
        of=tuple(of),
    )


def plots_in(part: Any) -> Iterator[Plot]:
    """Every plot of a section, wherever it is."""
    if isinstance(part, Plot):
        yield part
    elif isinstance(part, dict):
        for inner in part.values():
            yield from plots_in(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from plots_in(inner)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, num_words: int = 1) -> Table:
    return Table(columns=tuple(columns), rows=tuple(map(tuple, rows)), num_words=num_words)


def heading(objective: Objective) -> str:
    """As in `text.heading`, but the arrow stays with its name."""
    return text.heading(objective).replace(" ", chr(0xA0))


def signed(name: str, difference: float) -> str:
    """A gain as in `text.gain`, with a minus sign of the width of a plus."""
    return text.gain(name, difference).replace("-", "−")
