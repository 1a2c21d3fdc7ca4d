"""Problems become diagnostics: a dotted key, a line and a column, and a picture of the place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from automtl.errors import Diagnostic, SpecError
from automtl.spec.problems import Loc, Problem

__all__ = ["Place", "diagnose", "dotted", "render"]

BOLD, RED, DIM, PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[2m", "\x1b[0m"
MAX_WIDTH = 110  # of a source line in a picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a key (or list item) and its value start: (line, column), counted from 1."""

    key: tuple[int, int]
    value: tuple[int, int]


def diagnose(
    problems: Iterable[Problem],
    raw: Any,
    *,
    places: Mapping[Loc, Place] | None = None,
    overrides: Mapping[Loc, str] | None = None,
) -> list[Diagnostic]:
    """The problems of the document `raw` in the order of their places, each once.

    What an override (location -> its key on the command line) set or made is placed there.
    """
    found = {_diagnose(problem, raw, places or {}, overrides or {}): None for problem in problems}
    return sorted(found, key=lambda one: (not one.line, one.line, one.column))


def dotted(loc: Loc) -> str:
    """`("space", "sharing", 1, "family")` as `space.sharing[1].family`."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in loc)
    return text.removeprefix(".") or "spec"


def render(error: SpecError, text: str = "", *, color: bool = False) -> str:
    """Every problem with its source line (from `text`, the file's content) and a caret."""
    blocks = [_picture(error.source, problem, text, color) for problem in error.diagnostics]
    return "\n".join(blocks)


def _diagnose(
    problem: Problem, raw: Any, places: Mapping[Loc, Place], overrides: Mapping[Loc, str]
) -> Diagnostic:
    loc, exists = _in_document(problem.loc, raw)
    for place, name in overrides.items():
        if loc[: len(place)] == place or (place[: len(loc)] == loc and loc not in places):
            inner = dotted(loc[len(place) :]) if len(loc) > len(place) else ""
            key = f"--set {name}" + (inner if inner.startswith("[") else f".{inner}" * bool(inner))
            return Diagnostic(key=key, rule=problem.rule, hint=problem.hint)
    nearest = loc
    while nearest not in places and nearest:
        nearest = nearest[:-1]
    if nearest in places:
        on_key = problem.on_key or not exists or nearest != loc
        line, column = places[nearest].key if on_key else places[nearest].value
    else:
        line, column = 0, 0
    return Diagnostic(
        key=dotted(loc), rule=problem.rule, hint=problem.hint, line=line, column=column
    )


def _in_document(loc: Loc, raw: Any) -> tuple[Loc, bool]:
    """The way through the document, without pydantic's tags; whether it ends at a value."""
    way: list[str | int] = []
    for index, key in enumerate(loc):
        is_key = isinstance(raw, Mapping) and key in raw
        is_item = isinstance(raw, list) and isinstance(key, int) and key < len(raw)
        if is_key or is_item:
            raw = raw[key]
            way.append(key)
        elif index == len(loc) - 1:
            return (*way, key), False
    return tuple(way), raw is not None


def _picture(source: str, problem: Diagnostic, text: str, color: bool) -> str:
    bold, red, dim, plain = (BOLD, RED, DIM, PLAIN) if color else ("", "", "", "")
    lines = text.splitlines()
    place = f"{source}:{problem.line}:{problem.column} " if problem.line else f"{source} "
    hint = f"; {problem.hint}" if problem.hint else ""
    head = f"{bold}{place}{problem.key}{plain}: {red}{problem.rule}{plain}{hint}"
    if not 0 < problem.line <= len(lines):
        return head
    line, column = lines[problem.line - 1].expandtabs(1), problem.column - 1
    if column > MAX_WIDTH - 20:  # keep the place in sight
        cut = column - 40
        line, column = "..." + line[cut:], column - cut + 3
    number = f"{problem.line:>5} | "
    margin = " " * (len(number) - 2) + "| "
    source_line = f"{dim}{number}{plain}{line[:MAX_WIDTH]}"
    return f"{head}\n{source_line}\n{dim}{margin}{plain}{' ' * column}{red}^{plain}"
