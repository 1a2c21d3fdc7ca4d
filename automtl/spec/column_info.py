"""The columns of an unknown file, as far as a glance goes, and the words in their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = [
    "AMOUNTS",
    "CLICK",
    "EVENTS",
    "FUNNEL",
    "IDS",
    "MEASURED",
    "OUTCOMES",
    "QUANTITIES",
    "TIMES",
    "USERS",
    "ColumnInfo",
    "has_word",
    "is_binary",
    "is_event",
    "is_id_name",
    "is_number",
    "is_time_name",
    "words_of",
    "yes_of",
]

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
AMOUNTS = (
    "rating", "ratings", "stars", "score", "spend", "revenue", "amount", "target", "label", "y",
)  # fmt: skip
YES_AND_NO = (("yes", "no"), ("y", "n"), ("true", "false"), ("t", "f"))
MEASURED = (
    "play_time", "watch_time", "watch_ratio", "play_ratio", "dwell", "stay", "finish", "complete",
    "completion", "revenue", "spend",
)  # fmt: skip
OUTCOMES = (*MEASURED, "weight")  # known only afterwards
TIMES = ("date", "time", "datetime", "timestamp", "ts", "day", "dt")
USERS = ("user", "uid", "member", "customer")  # a history holds items
IDS = (
    "id", "ids", "code", "zip", "uid", "iid", "gid", "pid", "brand", "category", "cate", "city",
    "campaign", "adgroup", "seller", "shop", "onehot",
)  # fmt: skip
QUANTITIES = (
    "count", "counts", "cnt", "num", "number", "total", "price", "amount", "age", "duration", "ms",
    "sec", "secs", "seconds", "len", "length", "size", "ratio", "rate", "score", "days", "hours",
    "minutes", "weeks", "height", "width", "distance", "salary", "wage", "gains", "losses",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnInfo:
    """A column as `data.read.describe_columns` sees it.

    `minimum`, `median` and `maximum` are of the items for lists, None for text without an order.
    `examples` are different values, all of them where there are at most five. `width`: of lists of
    fractions, how many each has, if all have as many. `has_commas`: of text that is numbers with a
    decimal comma or separators of thousands.
    """

    name: str
    kind: Literal["int", "float", "string", "bool", "list", "date"]
    num_unique: int
    num_null: int
    num_rows: int
    minimum: Any = None
    median: Any = None
    maximum: Any = None
    examples: tuple[Any, ...] = ()
    width: int | None = None
    has_commas: bool = False


# ---- names ---------------------------------------------------------------------------------


def words_of(column: ColumnInfo) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column.name)
    return re.findall(r"[a-z]+", spaced.lower())


def has_word(column: ColumnInfo, known: Sequence[str]) -> bool:
    text = f"_{'_'.join(words_of(column))}_"
    return any(f"_{word}_" in text for word in known)


def is_id_name(column: ColumnInfo) -> bool:
    return has_word(column, IDS)


def is_time_name(name: str) -> bool:
    """Whether a column of this name may say when a row happened."""
    column = ColumnInfo(name=name, kind="int", num_unique=0, num_null=0, num_rows=0)
    return has_word(column, TIMES) and not has_word(column, OUTCOMES) and not is_id_name(column)


# ---- values --------------------------------------------------------------------------------


def is_binary(column: ColumnInfo) -> bool:
    """Whether it holds 0 and 1, both of them, and nothing else but missing values."""
    if column.kind == "bool":
        return column.num_unique >= 2
    is_numeric = column.kind in ("int", "float")
    values = {value for value in column.examples if value is not None}
    return is_numeric and column.minimum == 0 and column.maximum == 1 and values <= {0, 1}


def yes_of(column: ColumnInfo) -> str | int | None:
    """Of a column of two values that stand for yes and no (`Y` and `N`, 1 and -1), the one for
    yes as it is written; None of another."""
    if column.num_unique != 2 or len(column.examples) != 2:
        return None
    if column.kind in ("int", "float"):
        return 1 if set(column.examples) == {-1, 1} else None
    if column.kind != "string":
        return None
    written = {str(value).lower(): str(value) for value in column.examples}
    yes = (yes for yes, no in YES_AND_NO if written.keys() == {yes, no})
    return next((written[one] for one in yes), None)


def is_event(column: ColumnInfo) -> bool:
    """Whether each of its values says that something did happen, or did not."""
    return is_binary(column) or yes_of(column) is not None


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
