"""What one plain value may be: each rule reads a value or says in people's words what is wrong.

A rule stands in an annotation (`Annotated[int, Whole(low=1)]`), so that pydantic calls it, and
in a `Knob` (`domains.py`), which adds ranges and choices.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from automtl.spec.problems import BadValueError, Problem, closest, invalid, show

__all__ = ["Columns", "Dims", "Flag", "Maybe", "OneOf", "Paths", "Real", "Rule", "Text", "Whole"]


class Rule(ABC):
    """Reads a raw value (`BadValueError` if it cannot) and describes itself to editors."""

    __slots__ = ()

    @abstractmethod
    def read(self, value: object) -> Any:
        """The value as the program uses it; raises BadValueError."""

    @abstractmethod
    def json_schema(self) -> dict[str, Any]:
        """The same rule as JSON schema."""

    def write(self, value: Any) -> Any:
        """The value as plain JSON or YAML data: tuples become lists."""
        return list(value) if isinstance(value, tuple) else value

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(self.write),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return self.json_schema()

    def _validate(self, value: object) -> Any:
        try:
            return self.read(value)
        except BadValueError as error:
            raise invalid(error.problems) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole(Rule):
    """A whole number from `low` to `high`; `1e6` counts as one."""

    low: int | None = None
    high: int | None = None

    def read(self, value: object) -> int:
        number = _number(value, "a whole number")
        if number != int(number):
            raise BadValueError(f"must be a whole number, not {show(value)}")
        if (self.low is not None and number < self.low) or (
            self.high is not None and number > self.high
        ):
            raise BadValueError(f"must be {self._bounds()}, not {show(value)}")
        return int(number)

    def json_schema(self) -> dict[str, Any]:
        return _present({"type": "integer", "minimum": self.low, "maximum": self.high})

    def _bounds(self) -> str:
        if self.high is None:
            return f"at least {self.low}"
        return f"at most {self.high}" if self.low is None else f"from {self.low} to {self.high}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Real(Rule):
    """A finite number; `above` and `below` are excluded, `low` and `high` are included."""

    above: float | None = None
    low: float | None = None
    below: float | None = None
    high: float | None = None

    def read(self, value: object) -> float:
        number = _number(value, "a number")
        broken = (
            (self.above is not None and number <= self.above)
            or (self.low is not None and number < self.low)
            or (self.below is not None and number >= self.below)
            or (self.high is not None and number > self.high)
        )
        if broken:
            ends = (
                ("above", self.above),
                ("at least", self.low),
                ("below", self.below),
                ("at most", self.high),
            )
            rule = " and ".join(f"{word} {end:g}" for word, end in ends if end is not None)
            raise BadValueError(f"must be {rule}, not {show(value)}")
        return float(number)

    def json_schema(self) -> dict[str, Any]:
        return _present(
            {
                "type": "number",
                "exclusiveMinimum": self.above,
                "minimum": self.low,
                "exclusiveMaximum": self.below,
                "maximum": self.high,
            }
        )


@dataclass(frozen=True, slots=True)
class OneOf(Rule):
    """One of a few words or numbers, by value and type (`true` is not 1).

    `meant` has what people write for an option.
    """

    options: tuple[str | int, ...]
    meant: Mapping[str, str] = field(default_factory=dict)

    def read(self, value: object) -> str | int:
        for option in self.options:
            if type(value) is type(option) and value == option:
                return option
        words = [str(option) for option in self.options]
        listed = words[0] if len(words) == 1 else f"one of {', '.join(words)}"
        known = self.meant.get(str(value))
        hint = f"write {known}" if known else closest(value, words)
        raise BadValueError(f"must be {listed}, not {show(value)}", hint)

    def json_schema(self) -> dict[str, Any]:
        return {"enum": list(self.options)}


@dataclass(frozen=True, slots=True)
class Flag(Rule):
    """true or false; with `only`, just that one."""

    only: bool | None = None

    def read(self, value: object) -> bool:
        if not isinstance(value, bool) or self.only not in (None, value):
            words = "true or false" if self.only is None else show(self.only)
            raise BadValueError(f"must be {words}, not {show(value)}")
        return value

    def json_schema(self) -> dict[str, Any]:
        return {"type": "boolean"} if self.only is None else {"const": self.only}


@dataclass(frozen=True, slots=True)
class Dims(Rule):
    """The widths of the layers of an MLP, from the input on: `[128, 64]`."""

    min_layers: int = 0

    def read(self, value: object) -> tuple[int, ...]:
        if not isinstance(value, (list, tuple)):
            hint = f"write [{value}]" if type(value) is int else "write [128, 64]"
            raise BadValueError(f"must be a list of layer widths, not {show(value)}", hint)
        if len(value) < self.min_layers:
            raise BadValueError(f"must have at least {self.min_layers} layer", "write [64]")
        return tuple(_each(Whole(low=1), value))

    def json_schema(self) -> dict[str, Any]:
        items = {"type": "integer", "minimum": 1}
        return {"type": "array", "items": items, "minItems": self.min_layers}


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Rule):
    """A non-empty text that matches `pattern` in whole; `what` says so in words."""

    pattern: str = r".+"
    what: str = "text"

    def read(self, value: object) -> str:
        if not isinstance(value, str):
            hint = "" if value is None or isinstance(value, (list, Mapping)) else f'write "{value}"'
            raise BadValueError(f"must be {self.what}, not {show(value)}", hint)
        if not re.fullmatch(self.pattern, value, flags=re.DOTALL):
            raise BadValueError(f"must be {self.what}, not {show(value) or 'empty'}")
        return value

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1}


@dataclass(frozen=True, slots=True)
class Maybe(Rule):
    """null, or what the other rule reads."""

    rule: Rule

    def read(self, value: object) -> Any:
        return None if value is None else self.rule.read(value)

    def json_schema(self) -> dict[str, Any]:
        return {"anyOf": [self.rule.json_schema(), {"type": "null"}]}


@dataclass(frozen=True, slots=True)
class Columns(Rule):
    """A list of column names."""

    def read(self, value: object) -> tuple[str, ...]:
        if not isinstance(value, (list, tuple)):
            hint = f"write [{value}]" if isinstance(value, str) else ""
            raise BadValueError(f"must be a list of column names, not {show(value)}", hint)
        return tuple(_each(Text(what="a column name"), value))

    def json_schema(self) -> dict[str, Any]:
        return {"type": "array", "items": Text().json_schema(), "uniqueItems": True}


@dataclass(frozen=True, slots=True)
class Paths(Rule):
    """A path, a glob, or a list of them, kept as written."""

    def read(self, value: object) -> str | tuple[str, ...]:
        path = Text(what="a path")
        if not isinstance(value, (list, tuple)):
            return path.read(value)
        if not value:
            raise BadValueError("must name at least one file, not []")
        return tuple(_each(path, value))

    def json_schema(self) -> dict[str, Any]:
        one = Text().json_schema()
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}


def _number(value: object, what: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        hint = ""
        if isinstance(value, str) and re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", value, re.I):
            hint = "take the quotes away"
        raise BadValueError(f"must be {what}, not {show(value)}", hint)
    if not math.isfinite(value):
        raise BadValueError(f"must be {what}, not {show(value)}")
    return value


def _each(rule: Rule, values: list[Any] | tuple[Any, ...]) -> list[Any]:
    """Every item read by `rule`; the problems of all items at once, each with its index."""
    read, problems = [], []
    for index, value in enumerate(values):
        try:
            read.append(rule.read(value))
        except BadValueError as error:
            problems += [
                Problem(rule=p.rule, hint=p.hint, loc=(index, *p.loc)) for p in error.problems
            ]
    if problems:
        raise BadValueError("", "", *problems)
    return read


def _present(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if value is not None}
