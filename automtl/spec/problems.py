"""One problem of a spec, before it has a position, and its way through pydantic.

Everything that reads a value says what is wrong as a `Problem` in people's words. Pydantic only
carries problems upwards (it adds the path) and collects them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

__all__ = [
    "FILL",
    "NOTHING",
    "BadValueError",
    "Loc",
    "Problem",
    "closest",
    "invalid",
    "problems_of",
    "show",
]

NOTHING = "holds nothing"  # a key with nothing behind it
FILL = "fill it or leave it out"

Loc = tuple[str | int, ...]  # the way from the root to a value: keys and indices


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A broken rule. `on_key`: the key itself is wrong (unknown, out of place), not its value."""

    rule: str
    hint: str = ""
    loc: Loc = ()
    on_key: bool = False


class BadValueError(ValueError):
    """A value that breaks one rule or several; `loc` of each is relative to the value."""

    def __init__(self, rule: str, hint: str = "", *more: Problem) -> None:
        first = (Problem(rule=rule, hint=hint),) if rule else ()
        self.problems: tuple[Problem, ...] = (*first, *more)
        super().__init__("; ".join(filter(None, (rule, hint))))


def invalid(problems: Iterable[Problem]) -> ValidationError:
    """The error that carries `problems` up through pydantic, which prepends its own path."""
    return ValidationError.from_exception_data("spec", [_carrier(problem) for problem in problems])


def problems_of(error: ValidationError) -> list[Problem]:
    """What `error` carries, pydantic's own findings translated."""
    return [_problem(details) for details in error.errors(include_url=False)]


def closest(word: object, known: Iterable[str]) -> str:
    """`did you mean click?`, or an empty string where nothing is near."""
    text = str(word)
    cutoff = 0.6 if len(text) <= 3 else 0.7  # acu is auc, but like is not click
    near = difflib.get_close_matches(text, list(known), n=1, cutoff=cutoff)
    return f"did you mean {near[0]}?" if near else ""


def show(value: object) -> str:
    """A value as it would stand in YAML, on one line, shortened where it is long."""
    text = _flow(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _flow(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Mapping():
            return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(_flow(item) for item in value) + "]"
        case _:
            return str(value)


def _carrier(problem: Problem) -> InitErrorDetails:
    kind = PydanticCustomError(
        "problem",
        "{rule} {hint}",
        {"rule": problem.rule, "hint": problem.hint, "on_key": problem.on_key},
    )
    return InitErrorDetails(type=kind, loc=problem.loc, input=None)


def _problem(details: ErrorDetails) -> Problem:
    loc, given = tuple(details["loc"]), details["input"]
    context = details.get("ctx", {})
    match details["type"]:
        case "problem":
            return Problem(loc=loc, **context)
        case "tuple_type" | "list_type" | "dict_type" | "mapping_type" if given is None:
            return Problem(loc=loc, rule=NOTHING, hint=FILL)
        case "tuple_type" | "list_type":
            hint = f"write [{show(given)}]" if isinstance(given, str) else "start each item with -"
            return Problem(loc=loc, rule=f"must be a list, not {show(given)}", hint=hint)
        case "dict_type" | "mapping_type":
            return Problem(loc=loc, rule=f"must be a mapping, not {show(given)}")
        case "union_tag_not_found":
            key = context["discriminator"].strip("'")
            near = difflib.get_close_matches(key, [str(one) for one in given], n=1)
            hint = f"write {key} in place of {near[0]}" if near else f"write {key}: ..."
            return Problem(loc=(*loc, key), rule="is missing", hint=hint)
        case "union_tag_invalid":
            known = [tag.strip("' ") for tag in context["expected_tags"].split(",")]
            hint = closest(context["tag"], known)
            rule = f"must be one of {', '.join(known)}, not {context['tag']}"
            key = context["discriminator"].strip("'")
            return Problem(loc=(*loc, key), rule=rule, hint=hint)
        case "model_attributes_type":
            hint = f"write {{family: {given}}}" if isinstance(given, str) else ""
            return Problem(loc=loc, rule=f"must be a mapping, not {show(given)}", hint=hint)
        case _:
            return Problem(loc=loc, rule=details["msg"][:1].lower() + details["msg"][1:])
