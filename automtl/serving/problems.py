"""What may be wrong with a request, and how that is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from automtl.data.columns import ColumnError

__all__ = ["MOST_PROBLEMS", "Problem", "RequestError", "shown"]

MOST_PROBLEMS = 20  # of a request are told
LONGEST_VALUE = 60  # characters of a value that are told


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One value that does not fit; `row` counts from 0, None where it is not one row's."""

    rule: str
    row: int | None = None
    column: str | None = None
    value: str | None = None

    def to_dict(self) -> dict[str, Any]:
        named = {"row": self.row, "column": self.column, "value": self.value, "rule": self.rule}
        return {name: told for name, told in named.items() if told is not None}


class RequestError(Exception):
    """A request that is not answered with scores: its status, why, and the values at fault."""

    def __init__(self, status: HTTPStatus, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.status, self.message, self.problems = status, message, tuple(problems)

    @classmethod
    def of_values(cls, problems: Sequence[Problem]) -> RequestError:
        """Of rows that cannot be scored; the first problem is the message."""
        first = problems[0]
        place = [
            *([] if first.row is None else [f"row {first.row} (counted from 0)"]),
            *([] if first.column is None else [f"column {first.column!r}"]),
        ]
        value = "" if first.value is None else f"{first.value} "
        more = f"; {len(problems) - 1} more problems" if len(problems) > 1 else ""
        message = f"{', '.join(place)}: {value}{first.rule}{more}"
        return cls(HTTPStatus.UNPROCESSABLE_ENTITY, message, problems[:MOST_PROBLEMS])

    @classmethod
    def of_columns(cls, error: ColumnError, columns: Sequence[str]) -> RequestError:
        """Of what the encoder refuses."""
        places = {f"column {name!r}": name for name in columns}
        return cls.of_values(
            [
                Problem(row=one.row, column=places.get(one.place, one.place), rule=one.rule)
                for one in error.wrong
            ]
        )

    def body(self) -> bytes:
        """JSON: {"error": {"message": …, "problems": [{"row": …, "column": …, …}]}}."""
        told: dict[str, Any] = {"message": self.message}
        if self.problems:
            told["problems"] = [one.to_dict() for one in self.problems]
        # escaped, so that half a letter in a value cannot break the answer
        return json.dumps({"error": told}).encode("ascii")


def shown(value: object) -> str:
    """A value of a request as JSON, cut where it is long."""
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    if isinstance(value, int) and value.bit_length() > 4 * LONGEST_VALUE:
        return f"an integer of {value.bit_length()} bits"
    part = value[: LONGEST_VALUE + 1] if isinstance(value, str) else value
    text = json.dumps(part)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
