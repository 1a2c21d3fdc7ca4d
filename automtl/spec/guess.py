"""What the columns of a file may be, from their names, types and ranges; every guess can be wrong.

A label is a column of 0 and 1 named after an event. What looks like an outcome but is no label
(watch time, revenue) is left out: as a feature it would tell the answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from automtl.errors import UserError

__all__ = ["ColumnInfo", "Guess", "TaskGuess", "guess", "is_time_name"]

CLICK = ("click", "clicks", "clicked", "clk", "ctr")
FUNNEL = (  # seen only after a click, if there is one
    "conversion", "conv", "converted", "cvr", "buy", "bought", "purchase", "purchased", "order",
    "ordered", "pay", "paid", "install", "installed", "checkout", "long_view",
)  # fmt: skip
EVENTS = (
    "like", "liked", "follow", "followed", "share", "shared", "forward", "comment", "favorite",
    "save", "saved", "cart", "subscribe", "subscribed", "hate", "dislike", "report", "enter",
    "label", "target", "response", "income", "churn",
)  # fmt: skip
AMOUNTS = ("rating", "score", "spend", "revenue", "amount", "target", "label", "y")
OUTCOMES = (
    "play_time", "watch_time", "watch_ratio", "play_ratio", "dwell", "stay", "finish", "complete",
    "completion", "revenue", "spend", "weight",
)  # fmt: skip
TIMES = ("date", "time", "datetime", "timestamp", "ts", "day", "dt")
USERS = ("user", "uid", "member", "customer")  # a history holds items
IDS = ("id", "ids", "code", "zip", "uid", "iid")
MAX_TASKS = 3
MAX_CATEGORIES = 200  # whole numbers with more values than this are quantities, if no ids


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnInfo:
    """A column as `data.read.describe_columns` sees it.

    `minimum` and `maximum` are of the items for lists, None for text without an order. `examples`
    are different values, all of them where there are at most five.
    """

    name: str
    kind: Literal["int", "float", "string", "bool", "list", "date"]
    num_unique: int
    num_null: int
    num_rows: int
    minimum: Any = None
    maximum: Any = None
    examples: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskGuess:
    """A label under a name that a spec accepts; `given` is another task's name."""

    name: str
    label: str
    is_binary: bool = True
    given: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What each column was taken for; `left_out` says why. `split` is as in a spec.

    `more_labels` were too many to be tasks at first; `maybe_labels` are features of 0 and 1.
    """

    split: dict[str, Any]
    tasks: tuple[TaskGuess, ...]
    more_labels: tuple[str, ...]
    maybe_labels: tuple[str, ...]
    categorical: tuple[str, ...]
    numeric: tuple[str, ...]
    sequence: dict[str, str | None]
    left_out: dict[str, str]


def guess(columns: Sequence[ColumnInfo]) -> Guess:
    """The guess for a file of these columns; UserError if there is no label or no feature."""
    split, split_column = _split(columns)
    free = [column for column in columns if column.name != split_column]
    labels = _labels(free)
    if not labels:
        raise UserError(
            "no column looks like a label: none holds 0 and 1, none is a number; write the tasks"
            " of the spec by hand"
        )
    chosen, more = labels[:MAX_TASKS], labels[MAX_TASKS:]
    taken = {column.name for column in labels}
    roles: dict[str, list[ColumnInfo]] = {"categorical": [], "numeric": [], "sequence": []}
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
    return Guess(
        split=split,
        tasks=_tasks(chosen),
        more_labels=tuple(column.name for column in more),
        maybe_labels=tuple(c.name for c in roles["categorical"] if _is_binary(c)),
        categorical=tuple(column.name for column in roles["categorical"]),
        numeric=tuple(column.name for column in roles["numeric"]),
        sequence={
            column.name: _shared_with(column, roles["categorical"]) for column in roles["sequence"]
        },
        left_out=left_out,
    )


# ---- labels --------------------------------------------------------------------------------


def _labels(columns: Sequence[ColumnInfo]) -> list[ColumnInfo]:
    """Clicks first, then what follows a click, then other events, each in the file's order."""
    binary = [column for column in columns if _is_binary(column)]
    named = [
        column
        for words in (CLICK, FUNNEL, EVENTS)
        for column in binary
        if _has(column, words) and not _has(column, OUTCOMES)
    ]
    if named:
        return list(dict.fromkeys(named))
    if prefixed := [column for column in binary if column.name.lower().startswith("is_")]:
        return prefixed
    amounts = [column for column in columns if column.kind in ("int", "float")]
    if rated := [column for column in amounts if _has(column, AMOUNTS) and not _is_id(column)]:
        return rated[:1]
    return binary[-1:] or [column for column in amounts if not _is_id(column)][-1:]


def _tasks(labels: Sequence[ColumnInfo]) -> tuple[TaskGuess, ...]:
    names: list[str] = []
    for column in labels:
        name = re.sub(r"\W+", "_", column.name).strip("_").lower()
        name = re.sub(r"^(is|label)_(?=[a-z])", "", name)
        name = name if re.match(r"[a-z_]", name) and name not in ("params", "flops") else "label"
        while name in names:
            name += "_"
        names.append(name)
    click = names[0] if _has(labels[0], CLICK) and _is_binary(labels[0]) else None
    return tuple(
        TaskGuess(
            name=name,
            label=column.name,
            is_binary=_is_binary(column),
            given=click if name != click and _has(column, FUNNEL) else None,
        )
        for name, column in zip(names, labels, strict=True)
    )


def _is_binary(column: ColumnInfo) -> bool:
    if column.kind == "bool":
        return column.num_unique >= 2
    is_number = column.kind in ("int", "float")
    values = {value for value in column.examples if value is not None}
    return is_number and column.minimum == 0 and column.maximum == 1 and values <= {0, 1}


# ---- features ------------------------------------------------------------------------------


def _role(column: ColumnInfo) -> tuple[str, str]:
    """(role, "") of a feature, or ("", why it is left out)."""
    has_many = column.num_rows > 1000 and column.num_unique > 0.9 * column.num_rows
    is_key = has_many and (column.kind == "string" or _is_id(column))
    match column.kind:
        case "list":
            return "sequence", ""
        case _ if column.num_unique <= 1:
            return "", "never changes"
        case _ if _has(column, OUTCOMES):
            return "", "looks like an outcome, known only afterwards"
        case "date":
            return "", "a time"
        case _ if is_key:
            return "", "almost every row has a value of its own"
        case "string" | "bool":
            return "categorical", ""
        case _ if _has(column, TIMES) and not _is_id(column):
            return "", "a time"
        case _ if _is_id(column) or (_is_whole(column) and column.num_unique <= MAX_CATEGORIES):
            return "categorical", ""
        case _:
            return "numeric", ""


def _shared_with(column: ColumnInfo, categorical: Sequence[ColumnInfo]) -> str | None:
    """The id column whose ids the list holds: by a common word, else by the nearest range."""
    ids = [one for one in categorical if _is_id(one) and not _has(one, USERS)]
    words = set(_words(column)) - {"seq", "list", "history", "hist", *IDS}
    for one in ids:
        if words & (set(_words(one)) - set(IDS)):
            return one.name
    alike = {one.name: _overlap(one, column) for one in ids}
    best = max(alike, key=lambda name: alike[name], default=None)
    return best if best is not None and alike[best] > 0.5 else None


def _overlap(left: ColumnInfo, right: ColumnInfo) -> float:
    """The common part of two ranges of numbers, as a share of what they cover together."""
    ends = (left.minimum, left.maximum, right.minimum, right.maximum)
    if not all(_is_number(end) for end in ends):
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
            or (column.kind == "int" and _has(column, TIMES) and not _has(column, OUTCOMES))
        )
    ]
    for column in sorted(times, key=lambda one: one.kind != "date"):
        return {"time": column.name, **shares}, column.name
    return {"random": True, **shares}, None


def is_time_name(name: str) -> bool:
    """Whether a column of this name may say when a row happened."""
    column = ColumnInfo(name=name, kind="int", num_unique=0, num_null=0, num_rows=0)
    return _has(column, TIMES) and not _has(column, OUTCOMES) and not _is_id(column)


# ---- words ---------------------------------------------------------------------------------


def _words(column: ColumnInfo) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column.name)
    return re.findall(r"[a-z]+", spaced.lower())


def _has(column: ColumnInfo, known: Sequence[str]) -> bool:
    text = f"_{'_'.join(_words(column))}_"
    return any(f"_{word}_" in text for word in known)


def _is_id(column: ColumnInfo) -> bool:
    return _has(column, IDS)


def _is_whole(column: ColumnInfo) -> bool:
    numbers = [value for value in column.examples if isinstance(value, int | float)]
    return column.kind == "int" or all(value == value // 1 for value in numbers)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
