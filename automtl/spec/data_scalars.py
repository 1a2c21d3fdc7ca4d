"""Plain values that only the data block has."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from automtl.errors import UserError
from automtl.spec.problems import BadValueError, closest, show
from automtl.spec.scalars import Real, Rule

__all__ = ["UTF8", "Encoding", "Gap", "Texts", "Words", "Zone", "check_encoding"]

UTF8 = "utf8"
NEXT_LINE = "\x85"  # what "\N" is in YAML


@dataclass(frozen=True, slots=True)
class Encoding(Rule):
    """How a text file's bytes are letters, by a name that Python knows."""

    def read(self, value: object) -> str:
        hint = "write utf8, latin1, cp1252, gb18030, ..."
        return _name(value, "encoding", article="an", is_known=_is_encoding, hint=hint)

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1}


def check_encoding(name: str) -> None:
    """Raises UserError for what a command cannot take as `--encoding`."""
    try:
        Encoding().read(name)
    except BadValueError as error:
        raise UserError(f"--encoding: {error}") from None


@dataclass(frozen=True, slots=True)
class Gap(Rule):
    """A stretch of time: a number in the column's own unit, or a text such as `12h`."""

    def read(self, value: object) -> float | str:
        if isinstance(value, str) and not re.fullmatch(r"\d+(\.\d+)?[smhdw]", value):
            hint = "write 90s, 30m, 12h, 7d or 2w, or a number in the column's own unit"
            raise BadValueError(f"must be a stretch of time, not {show(value)}", hint)
        if isinstance(value, str):
            return value
        number = Real(low=0).read(value)
        return int(number) if number == int(number) else number

    def json_schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}]}


@dataclass(frozen=True, slots=True)
class Texts(Rule):
    """Texts as they stand in a file, such as `NA`: YAML takes some of them for something else."""

    def read(self, value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple):
            raise BadValueError(f"must be a list of texts, not {show(value)}", r"write ['\N', NA]")
        for one in value:
            if one is None:
                raise BadValueError("must be texts, null is none", "write 'NULL' in quotes")
            if not isinstance(one, str):
                raise BadValueError(f"must be texts, not {show(one)}", f"write '{show(one)}'")
            if one == NEXT_LINE:
                hint = r"write '\N' in single quotes, double ones make an end of line of it"
                raise BadValueError("must be texts, not an end of line", hint)
        return tuple(dict.fromkeys(value))

    def json_schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string"}}


@dataclass(frozen=True, slots=True)
class Words(Rule):
    """Some of a few words, each at most once, in the order of `options`."""

    options: tuple[str, ...]

    def read(self, value: object) -> tuple[str, ...]:
        listed = f"[{', '.join(self.options)}]"
        if not isinstance(value, list | tuple):
            hint = f"write [{value}]" if value in self.options else ""
            raise BadValueError(f"must be some of {listed}, not {show(value)}", hint)
        for word in value:
            if word not in self.options:
                hint = closest(word, self.options)
                raise BadValueError(f"must be some of {listed}, not {show(word)}", hint)
        return tuple(word for word in self.options if word in value)

    def json_schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"enum": list(self.options)}, "uniqueItems": True}


@dataclass(frozen=True, slots=True)
class Zone(Rule):
    """A time zone by its name in the IANA database."""

    def read(self, value: object) -> str:
        hint = "write UTC, Europe/Berlin, Asia/Shanghai, ..."
        return _name(value, "time zone", article="a", is_known=_is_zone, hint=hint)

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1}


def _name(
    value: object, what: str, *, article: str, is_known: Callable[[str], bool], hint: str
) -> str:
    """`value`, where it is the name of something that there is."""
    if not isinstance(value, str):
        raise BadValueError(f"must be the name of {article} {what}, not {show(value)}", hint)
    if not is_known(value):
        raise BadValueError(f"there is no {what} {value!r}", hint)
    return value


def _is_encoding(name: str) -> bool:
    try:
        return codecs.lookup(name)._is_text_encoding
    except (LookupError, ValueError):
        return False


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
