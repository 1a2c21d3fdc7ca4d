"""A spec's YAML as plain data with the place of every value, and how `--set` changes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from automtl.errors import Diagnostic, SpecError
from automtl.spec.diagnostics import Place
from automtl.spec.problems import Loc, show

__all__ = ["Document", "set_value"]


@dataclass(frozen=True, kw_only=True)
class Document:
    """Plain data, the place of every key and item, and the problems seen on the way.

    `overrides` names what was set from outside: location -> its key as written there.
    """

    raw: Any
    places: Mapping[Loc, Place]
    problems: tuple[Diagnostic, ...] = ()
    overrides: Mapping[Loc, str] = field(default_factory=dict)


def set_value(document: Document, text: str, *, parse: Callable[[str, str], Document]) -> Document:
    """The document with `text`, such as `search.trials=3`, done; `parse` reads the value.

    What cannot be done leaves the data as it is and becomes a problem.
    """
    name, equals, value = text.partition("=")
    name = name.strip()

    def refuse(rule: str, hint: str) -> Document:
        problem = Diagnostic(key=f"--set {name}", rule=rule, hint=hint)
        return replace(document, problems=(*document.problems, problem))

    keys = re.sub(r"\[(\d+)\]", r".\1", name).split(".")  # space.sharing[1] is space.sharing.1
    if not equals or "" in keys:
        return refuse("must be KEY=VALUE", "write --set search.trials=3")
    try:
        parsed = parse(value, "--set") if value.strip() else None
    except SpecError as error:
        problem = error.diagnostics[0]
        return refuse(f"{value} is no YAML: {problem.rule}", problem.hint)
    if parsed is not None and parsed.problems:
        return refuse(parsed.problems[0].rule, parsed.problems[0].hint)
    try:
        loc = _location(document.raw, keys)
    except LookupError as error:
        return refuse(str(error.args[0]), "name a key of the spec, such as search.trials")

    def untouched(other: Loc) -> bool:
        return other[: len(loc)] != loc

    return replace(
        document,
        raw=_with(document.raw, loc, None if parsed is None else parsed.raw),
        places={other: at for other, at in document.places.items() if untouched(other)},
        overrides={**{k: v for k, v in document.overrides.items() if untouched(k)}, loc: name},
    )


def _location(raw: Any, keys: list[str]) -> Loc:
    """The keys as a location in `raw`: numbers index lists, missing mappings are allowed."""
    loc: list[str | int] = []
    for key in keys:
        match raw:
            case list():
                if not key.isdigit() or int(key) >= len(raw):
                    raise LookupError(f"{key} is no item of a list of {len(raw)}")
                loc.append(int(key))
                raw = raw[int(key)]
            case dict() | None:
                loc.append(key)
                raw = (raw or {}).get(key)
            case _:
                raise LookupError(f"{key} cannot be set inside {show(raw)}")
    return tuple(loc)


def _with(raw: Any, loc: Loc, value: Any) -> Any:
    """A copy of `raw` with `value` at `loc`; missing mappings on the way are made."""
    if not loc:
        return value
    key, rest = loc[0], loc[1:]
    if isinstance(raw, list):
        assert isinstance(key, int)
        return [*raw[:key], _with(raw[key], rest, value), *raw[key + 1 :]]
    mapping = raw or {}
    return {**mapping, key: _with(mapping.get(key), rest, value)}
