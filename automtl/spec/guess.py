"""What the columns of a file may be, from their names, types and values; every guess can be wrong.

What looks like an outcome but is no label (watch time, revenue) is left out: as a feature it would
tell the answer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from automtl.errors import UserError
from automtl.spec.by_values import MAX_CATEGORIES, MAX_COUNTED, id_by_values, time_by_values
from automtl.spec.column_info import (
    IDS,
    OUTCOMES,
    QUANTITIES,
    USERS,
    ColumnInfo,
    has_word,
    is_binary,
    is_id_name,
    is_number,
    is_time_name,
    words_of,
)
from automtl.spec.guess_labels import TaskGuess, Together, guess_tasks, label_columns
from automtl.spec.guess_times import TimeGuess, guess_times

__all__ = ["ColumnInfo", "Guess", "guess", "without"]

WITH_COMMAS = (
    "numbers with a decimal comma or separators of thousands, which are not read as numbers; write"
    " them with a point and without separators, and they can be numeric"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What each column was taken for; `left_out` says why. `split` is as in a spec.

    `more_labels` are no tasks at first, by name with the reason ("": too many); `maybe_labels` are
    features of 0 and 1. `by_values` says what the values told of times and ids. Without `tasks` no
    column looks like a label.
    """

    split: dict[str, Any]
    tasks: tuple[TaskGuess, ...]
    more_labels: dict[str, str]
    maybe_labels: tuple[str, ...]
    categorical: tuple[str, ...]
    numeric: tuple[str, ...]
    sequence: dict[str, str | None]
    left_out: dict[str, str]
    by_values: dict[str, str] = field(default_factory=dict)
    dense: tuple[str, ...] = ()
    times: TimeGuess = field(default_factory=lambda: TimeGuess(features={}, ages={}))


def guess(columns: Sequence[ColumnInfo], together: Together | None = None) -> Guess:
    """The guess for a file of these columns, without a task if none looks like a label; UserError
    if none can be a feature.

    `together` says which labels happen together (see `guess_labels.py`).
    """
    split, split_column = _split(columns)
    free = [column for column in columns if column.name != split_column]
    labels = label_columns(free)
    tasks, more_labels = guess_tasks(labels, together or {})
    taken = {column.name for column in labels}
    roles: dict[str, list[ColumnInfo]] = {
        kind: [] for kind in ("categorical", "numeric", "sequence", "dense")
    }
    left_out = {}
    for column in free:
        if column.name in taken:
            continue
        role, why = _role(column)
        if role in roles:
            roles[role].append(column)
        else:
            left_out[column.name] = why
    if not any(roles.values()):
        raise UserError("no column is left that can be a feature; write the features by hand")
    by_values = {
        column.name: why
        for column in columns
        if (why := _by_values(column)) and column.name not in taken
    }
    return Guess(
        split=split,
        tasks=tasks,
        more_labels=more_labels,
        maybe_labels=tuple(c.name for c in roles["categorical"] if is_binary(c)),
        categorical=tuple(column.name for column in roles["categorical"]),
        numeric=tuple(column.name for column in roles["numeric"]),
        sequence={
            column.name: _shared_with(column, roles["categorical"]) for column in roles["sequence"]
        },
        left_out=left_out,
        by_values=by_values,
        dense=tuple(column.name for column in roles["dense"]),
        times=guess_times([column for column in columns if column.name not in taken], split),
    )


def without(found: Guess, leaks: Mapping[str, str]) -> Guess:
    """The guess with some features left out, by name with the reason.

    As they are where none would remain: then the reader must decide.
    """
    features = [*found.categorical, *found.numeric, *found.sequence, *found.dense]
    if all(name in leaks for name in features):
        return found
    shared = {name: shares for name, shares in found.sequence.items() if name not in leaks}
    return dataclasses.replace(
        found,
        categorical=tuple(name for name in found.categorical if name not in leaks),
        numeric=tuple(name for name in found.numeric if name not in leaks),
        maybe_labels=tuple(name for name in found.maybe_labels if name not in leaks),
        sequence={name: None if to in leaks else to for name, to in shared.items()},
        left_out={**found.left_out, **leaks},
    )


# ---- features ------------------------------------------------------------------------------


def _role(column: ColumnInfo) -> tuple[str, str]:
    """(role, "") of a feature, or ("", why it is left out)."""
    has_many = column.num_rows > 1000 and column.num_unique > 0.9 * column.num_rows
    is_key = has_many and (column.kind == "string" or is_id_name(column) or _counts_up(column))
    match column.kind:
        case "list":
            return ("dense" if column.width else "sequence"), ""
        case _ if column.num_unique <= 1:
            return "", "never changes"
        case _ if has_word(column, OUTCOMES):
            return "", "looks like an outcome, known only afterwards"
        case "date":
            return "", "a time"
        case _ if column.has_commas:
            return "", WITH_COMMAS
        case _ if is_key:
            return "", "almost every row has a value of its own"
        case "string" | "bool":
            return "categorical", ""
        case _ if is_time_name(column.name) or time_by_values(column):
            return "", "a time"
        case _ if is_id_name(column) or id_by_values(column):
            return "categorical", ""
        case _ if _is_whole(column) and column.num_unique <= _max_categories(column):
            return "categorical", ""
        case _:
            return "numeric", ""


def _max_categories(column: ColumnInfo) -> int:
    return MAX_COUNTED if has_word(column, QUANTITIES) else MAX_CATEGORIES


def _shared_with(column: ColumnInfo, categorical: Sequence[ColumnInfo]) -> str | None:
    """The id column whose ids the list holds: by a common word, else by the nearest range."""
    ids = [one for one in categorical if is_id_name(one) and not has_word(one, USERS)]
    words = set(words_of(column)) - {"seq", "list", "history", "hist", *IDS}
    for one in ids:
        if words & (set(words_of(one)) - set(IDS)):
            return one.name
    alike = {one.name: _overlap(one, column) for one in ids}
    best = max(alike, key=lambda name: alike[name], default=None)
    return best if best is not None and alike[best] > 0.5 else None


def _overlap(left: ColumnInfo, right: ColumnInfo) -> float:
    """The common part of two ranges of numbers, as a share of what they cover together."""
    ends = (left.minimum, left.maximum, right.minimum, right.maximum)
    if not all(is_number(end) for end in ends):
        return 0.0
    low, high, other_low, other_high = ends
    covered = max(high, other_high) - min(low, other_low)
    return (min(high, other_high) - max(low, other_low)) / covered if covered else 0.0


def _split(columns: Sequence[ColumnInfo]) -> tuple[dict[str, Any], str | None]:
    shares = {"valid": 0.1, "test": 0.1}
    for column in columns:
        values = {str(value) for value in column.examples}
        if column.kind == "string" and {"train", "valid"} <= values <= {"train", "valid", "test"}:
            return {"column": column.name}, column.name
    times = [
        column
        for column in columns
        if column.num_null == 0
        and column.num_unique >= 10
        and (
            column.kind == "date"
            or (column.kind == "int" and (is_time_name(column.name) or time_by_values(column)))
        )
    ]
    # first what is surely a time
    for column in sorted(times, key=lambda one: (one.kind != "date", not time_by_values(one))):
        return {"time": column.name, **shares}, column.name
    return {"random": True, **shares}, None


def _by_values(column: ColumnInfo) -> str:
    """What the values say of a time, and of ids whose name did not."""
    if time := time_by_values(column):
        return time
    return "" if is_id_name(column) or is_time_name(column.name) else id_by_values(column)


def _counts_up(column: ColumnInfo) -> bool:
    """Whether its numbers leave few gaps, as those of rows do."""
    return column.kind == "int" and 2 * column.num_unique > column.maximum - column.minimum


def _is_whole(column: ColumnInfo) -> bool:
    numbers = [value for value in column.examples if isinstance(value, int | float)]
    return column.kind == "int" or all(value == value // 1 for value in numbers)
