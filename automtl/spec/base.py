"""What every block of a spec has in common: frozen, no unknown keys, all problems at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema

from automtl.spec.problems import FILL, NOTHING, Problem, closest, invalid, problems_of, show

__all__ = ["Block", "ByName", "plain"]


class Block(BaseModel):
    """A mapping of the spec. Its key names, types and defaults are its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @classmethod
    def hint_for_unknown(cls, key: str) -> str:
        """The way out when `key` is no key of this block."""
        return closest(key, cls.model_fields) or f"known keys: {', '.join(cls.model_fields)}"

    @model_validator(mode="wrap")
    @classmethod
    def _collect(cls, raw: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Adds unknown and missing keys, with a way out, to what the fields find."""
        if isinstance(raw, cls):
            return handler(raw)
        if not isinstance(raw, Mapping):
            keys = ", ".join(cls.model_fields)
            rule = NOTHING if raw is None else f"must be a mapping, not {show(raw)}"
            raise invalid([Problem(rule=rule, hint=f"its keys: {keys}")])
        problems = [*cls._unknown_keys(raw), *cls._missing_keys(raw)]
        try:
            known = {key: value for key, value in raw.items() if key in cls.model_fields}
            block = handler(known)
        except ValidationError as error:
            missing = {(name,) for name in cls.model_fields if name not in raw}
            found = [problem for problem in problems_of(error) if problem.loc not in missing]
            raise invalid([*problems, *map(cls._with_example, found)]) from None
        if problems:
            raise invalid(problems)
        return block

    @classmethod
    def _unknown_keys(cls, raw: Mapping[Any, Any]) -> Iterator[Problem]:
        for key in raw:
            if key not in cls.model_fields:
                hint = cls.hint_for_unknown(str(key))
                yield Problem(loc=(key,), rule="unknown key", hint=hint, on_key=True)

    @classmethod
    def _missing_keys(cls, raw: Mapping[Any, Any]) -> Iterator[Problem]:
        for name, field in cls.model_fields.items():
            if field.is_required() and name not in raw:
                hint = f"write {cls._example_of(name)}"
                yield Problem(loc=(name,), rule="is missing", hint=hint)

    @classmethod
    def _with_example(cls, problem: Problem) -> Problem:
        """Of a key that may not be left out what to write behind it."""
        if problem.hint != FILL or len(problem.loc) != 1:
            return problem
        name = str(problem.loc[0])
        if not cls.model_fields[name].is_required():
            return problem
        return replace(problem, hint=f"write {cls._example_of(name)}")

    @classmethod
    def _example_of(cls, key: str) -> str:
        return f"{key}: {show((cls.model_fields[key].examples or ['...'])[0])}"


class ByName:
    """For a mapping of column names to blocks that are all default: a plain list will do.

    `[user_id, tab]` is `{user_id: {}, tab: {}}`, and is written as a list again.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        from pydantic_core import core_schema

        serialize = core_schema.wrap_serializer_function_ser_schema(_short)
        return core_schema.no_info_before_validator_function(
            _named, handler(source), serialization=serialize
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        mapping = handler(schema)
        mapping["additionalProperties"] = {
            "anyOf": [mapping["additionalProperties"], {"type": "null"}]
        }
        names = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
        return {"anyOf": [names, mapping]}


def plain(value: Any) -> Any:
    """Blocks inside `value` as the dicts that they were read from."""
    match value:
        case BaseModel():
            return value.model_dump(mode="json", exclude_none=True)
        case Mapping():
            return {key: plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return value


def _named(raw: Any) -> Any:
    if isinstance(raw, Mapping):
        return {name: {} if block is None else block for name, block in raw.items()}
    if raw is None:
        raise invalid([Problem(rule=NOTHING, hint=FILL)])
    if not isinstance(raw, list | tuple):
        hint = f"write [{raw}]" if isinstance(raw, str) else ""
        rule = f"must be a list or a mapping of columns, not {show(raw)}"
        raise invalid([Problem(rule=rule, hint=hint)])
    problems = []
    for index, name in enumerate(raw):
        if not isinstance(name, str) or not name:
            hint = f'write "{name}"' if type(name) in (int, float, bool) else ""
            if isinstance(name, Mapping):
                hint = "write all columns as a mapping: `user_id: {min_count: 5}`, `tab: {}`"
            rule = f"must be a column name, not {show(name) or 'empty'}"
            problems.append(Problem(loc=(index,), rule=rule, hint=hint))
    if problems:
        raise invalid(problems)
    return {name: {} for name in raw}


def _short(value: Mapping[str, Block], handler: SerializerFunctionWrapHandler) -> Any:
    if all(block == type(block)() for block in value.values()):
        return list(value)
    return handler(value)
