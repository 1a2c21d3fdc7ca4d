"""Reading a knob: a scalar under a rule, or a domain all of whose values obey it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automtl.spec.domains import Choice, Domain, Fixed, FloatRange, IntRange, to_plain
from automtl.spec.problems import BadValueError, Problem, closest, show
from automtl.spec.scalars import Columns, Dims, Flag, Real, Rule, Whole

__all__ = ["KnobRule"]


class KnobRule(Rule):
    """A scalar, or a domain of it, for `Annotated[Domain, KnobRule(Whole(low=1))]`.

    Every value that the domain can give obeys the scalar's rule.
    """

    __slots__ = ("kinds", "scalar")

    def __init__(self, scalar: Rule) -> None:
        self.scalar = scalar
        self.kinds: tuple[str, ...] = ("choice",)
        if isinstance(scalar, Whole):
            self.kinds = ("int", "choice")
        elif isinstance(scalar, Real):
            self.kinds = ("float", "int", "choice")

    def read(self, value: object) -> Domain:
        if isinstance(value, Fixed | IntRange | FloatRange | Choice):
            value = to_plain(value)
        if isinstance(value, Mapping):
            return self._read_mapping(value)
        try:
            return Fixed(self.scalar.read(value))
        except BadValueError:
            if isinstance(value, list | tuple) and not isinstance(self.scalar, Dims | Columns):
                rule = f"a list is neither a value nor a range: {show(value)}"
                raise BadValueError(rule, f"write {self._example(value)}") from None
            if isinstance(value, list) and value and all(isinstance(v, list) for v in value):
                rule = f"must be one list of layer widths, not {show(value)}"
                raise BadValueError(rule, f"write {{choice: {show(value)}}}") from None
            raise

    def write(self, value: Any) -> Any:
        return to_plain(value)

    def json_schema(self) -> dict[str, Any]:
        scalar = self.scalar.json_schema()
        whole = {"type": "integer"} if isinstance(self.scalar, Real) else scalar
        pairs = {"int": whole, "float": scalar}
        domains = [
            {
                "type": "object",
                "properties": {
                    kind: {"type": "array", "items": pairs[kind], "minItems": 2, "maxItems": 2},
                    "log": {"type": "boolean"},
                },
                "required": [kind],
                "additionalProperties": False,
            }
            for kind in self.kinds
            if kind != "choice"
        ]
        options = {"type": "array", "items": scalar, "minItems": 1, "uniqueItems": True}
        choice = {
            "type": "object",
            "properties": {"choice": options},
            "required": ["choice"],
            "additionalProperties": False,
        }
        return {"anyOf": [scalar, *domains, choice]}

    def _read_mapping(self, raw: Mapping[Any, Any]) -> Domain:
        kinds = [kind for kind in ("int", "float", "choice") if kind in raw]
        if len(kinds) != 1:
            rule = f"has both {' and '.join(kinds)}" if kinds else f"is no domain: {show(raw)}"
            raise BadValueError(rule, f"write {self._example(None)}")
        kind = kinds[0]
        if kind not in self.kinds:
            what = "whole numbers" if isinstance(self.scalar, Whole) else "a choice"
            example = self._example(raw[kind])
            raise BadValueError(f"takes {what}, not {{{kind}: ...}}", f"write {example}")
        allowed = (kind,) if kind == "choice" else (kind, "log")
        problems = [
            Problem(
                loc=(key,),
                rule=f"unknown key beside {kind}",
                hint=closest(key, allowed) or f"known: {', '.join(allowed)}",
                on_key=True,
            )
            for key in raw
            if key not in allowed
        ]
        try:
            domain = self._choice(raw) if kind == "choice" else self._range(kind, raw)
        except BadValueError as error:
            raise BadValueError("", "", *error.problems, *problems) from None
        if problems:
            raise BadValueError("", "", *problems)
        return domain

    def _choice(self, raw: Mapping[Any, Any]) -> Domain:
        options = raw["choice"]
        if not isinstance(options, list | tuple) or not options:
            hint = f"write {self._example(None)}"
            if options and not isinstance(options, list | tuple):
                hint = f"write {{choice: [{show(options)}]}}"
            raise BadValueError("choice must be a list of at least one option", hint)
        read: list[Any] = []
        problems: list[Problem] = []
        for index, option in enumerate(options):
            try:
                value = self.scalar.read(option)
            except BadValueError as error:
                problems += _below(("choice", index), error)
                continue
            if value in read:
                rule = f"{show(option)} stands twice"
                problems.append(Problem(loc=("choice", index), rule=rule, hint="take one away"))
            read.append(value)
        if problems:
            raise BadValueError("", "", *problems)
        return Fixed(read[0]) if len(read) == 1 else Choice(tuple(read))

    def _range(self, kind: str, raw: Mapping[Any, Any]) -> Domain:
        ends, log = raw[kind], raw.get("log", False)
        if not isinstance(ends, list | tuple) or len(ends) != 2:
            rule = f"{kind} must be [low, high], not {show(ends)}"
            raise BadValueError(rule, f"write {self._example(None)}")
        read: list[Any] = []
        problems: list[Problem] = []
        for index, end in enumerate(ends):
            try:
                value = self.scalar.read(end)
                read.append(Whole().read(end) if kind == "int" else value)
            except BadValueError as error:
                problems += _below((kind, index), error)
        try:
            log = Flag().read(log)
        except BadValueError as error:
            problems += _below(("log",), error)
        if len(read) == 2:
            low, high = read
            if low == high:
                rule = f"low {show(low)} is not below high {show(high)}"
                problems.append(Problem(rule=rule, hint=f"write {show(low)}, which is fixed"))
            elif low > high:
                rule = f"low {show(low)} is not below high {show(high)}"
                tail = ", log: true" if log is True else ""
                hint = f"write {{{kind}: [{show(high)}, {show(low)}]{tail}}}"
                problems.append(Problem(rule=rule, hint=hint))
            if log is True and min(low, high) <= 0:
                rule = f"a log range needs low above 0, not {show(low)}"
                hint = "take `log: true` away or raise low"
                problems.append(Problem(loc=(kind, 0), rule=rule, hint=hint))
        if problems:
            raise BadValueError("", "", *problems)
        low, high = read
        return IntRange(low, high, log) if kind == "int" else FloatRange(low, high, log)

    def _example(self, given: object) -> str:
        """A domain that fits this knob, from the given pair or list where that works."""
        numbers = (
            sorted(given)
            if isinstance(given, list | tuple) and all(_is_number(item) for item in given)
            else []
        )
        if "choice" in self.kinds and len(self.kinds) == 1:
            options = self.scalar.json_schema().get("enum")
            if isinstance(given, list | tuple) and given:
                return f"{{choice: {show(given)}}}"
            lists = [[], ["user_id"]] if isinstance(self.scalar, Columns) else [[64], [128, 64]]
            return f"{{choice: {show(options or lists)}}}"
        kind = self.kinds[0]
        if len(numbers) == 2 and numbers[0] < numbers[1]:
            if kind == "float" or all(number == int(number) for number in numbers):
                return f"{{{kind}: {show(numbers)}}}"
        elif numbers and kind == "int":
            return f"{{choice: {show(given)}}}"
        return "{int: [2, 8]}" if kind == "int" else "{float: [0.1, 0.5]}"


def _below(loc: tuple[str | int, ...], error: BadValueError) -> list[Problem]:
    return [Problem(rule=p.rule, hint=p.hint, loc=(*loc, *p.loc)) for p in error.problems]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
