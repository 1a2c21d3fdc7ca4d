"""Which columns are labels, and which label implies which.

A label is a column of 0 and 1, or of yes and no in other words, named after an event. A number is
one only by its name: without it, a quantity, an id or a time looks the same. Which of two labels
can only follow the other is told by the rows: of those with the second nearly all have the first,
which is more frequent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from automtl.config import MODEL_COSTS
from automtl.data.expression import column_text
from automtl.spec.by_values import time_by_values
from automtl.spec.column_info import (
    AMOUNTS,
    CLICK,
    EVENTS,
    FUNNEL,
    MEASURED,
    OUTCOMES,
    ColumnInfo,
    has_word,
    is_binary,
    is_event,
    is_id_name,
    is_number,
    is_time_name,
    yes_of,
)

__all__ = ["TaskGuess", "Together", "guess_tasks", "label_columns", "label_of"]

Together = Mapping[tuple[str, str], int]  # rows in which both labels are 1; (a, a): in which a is
MAX_TASKS = 3
MIN_POSITIVES = 20  # in the rows that were looked at: to learn a label, to say what it implies
IMPLIES = 0.99
RATINGS = ("rating", "ratings", "stars")
MAX_STARS, MAX_STEPS = 10, 20
LIKED = 0.8  # of the highest rating: 4 of 5, 8 of 10


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskGuess:
    """A label, a column or an expression, under a name that a spec accepts; `given` is another
    task's name, `rate` the share of rows in which it is 1, `why` says what the rows tell of its
    condition, or what else the column may be."""

    name: str
    label: str
    is_binary: bool = True
    given: str | None = None
    rate: float | None = None
    why: str = ""


def label_columns(columns: Sequence[ColumnInfo]) -> list[ColumnInfo]:
    """Clicks first, then what follows a click, then other events, each in the file's order; where
    there is none, one column that may be meant; none where no column may."""
    binary = [column for column in columns if is_event(column) and label_of(column) is not None]
    named = [
        column
        for words in (CLICK, FUNNEL, EVENTS)
        for column in binary
        if has_word(column, words) and not has_word(column, OUTCOMES)
    ]
    if named:
        return list(dict.fromkeys(named))
    if prefixed := [column for column in binary if column.name.lower().startswith("is_")]:
        return prefixed
    others = [column for column in columns if column.num_unique > 1 and not _is_id_or_time(column)]
    amounts = [column for column in others if column.kind in ("int", "float")]
    if rated := [column for column in amounts if has_word(column, AMOUNTS)]:
        return rated[:1]
    events = [column for column in others if is_event(column) and label_of(column) is not None]
    if flags := [column for column in others if is_binary(column)] or events:
        # without names a label stands at one of the ends
        return flags[:1] if flags[0] is columns[0] else flags[-1:]
    return [column for column in amounts if has_word(column, MEASURED)][:1]


def label_of(column: ColumnInfo) -> str | None:
    """The `label` of a task that is to predict the column: of words or -1 and 1, whether it holds
    the one for yes. None for a name that no expression can have."""
    yes = yes_of(column)
    if yes is None:
        return column.name
    text = column_text(column.name)
    value = yes if isinstance(yes, int) else f"'{yes}'"
    return None if text is None else f"{text} == {value}"


def _is_id_or_time(column: ColumnInfo) -> bool:
    return is_id_name(column) or is_time_name(column.name) or bool(time_by_values(column))


def guess_tasks(
    labels: Sequence[ColumnInfo], together: Together
) -> tuple[tuple[TaskGuess, ...], dict[str, str]]:
    """The tasks, a condition before what depends on it; and why the other labels are none yet.
    Both are empty where `labels` are.

    Where `together` does not tell of a label, its name does: what is named after a later step
    (FUNNEL) follows a click.
    """
    left_out: dict[str, str] = {}
    chosen: list[ColumnInfo] = []
    for column in labels:
        count = together.get((column.name, column.name), MIN_POSITIVES)
        if is_event(column) and count < MIN_POSITIVES and len(labels) > 1:
            left_out[column.name] = f"{count} positives"
        elif len(chosen) == MAX_TASKS:
            left_out[column.name] = ""
        else:
            chosen.append(column)
    if labels and not chosen:  # all are rare: the first is better than none
        chosen = [labels[0]]
        del left_out[labels[0].name]
    names = _names(chosen)
    given = {column.name: _condition(column, chosen, together) for column in chosen}
    tasks = [
        _liked(column, names[column.name])
        or TaskGuess(
            name=names[column.name],
            label=label_of(column) or column.name,
            is_binary=is_event(column),
            given=names.get(given[column.name][0]),
            rate=_rate(column, together),
            why=given[column.name][1],
        )
        for column in chosen
    ]
    ordered: dict[str, TaskGuess] = {}
    for task in tasks:
        for one in reversed(_chain(task, tasks)):
            ordered[one.name] = one
    return tuple(ordered.values()), left_out


def _liked(column: ColumnInfo, name: str) -> TaskGuess | None:
    """Whether a rating is a high one: easier to learn, and what a list is ranked by."""
    ends, text = (column.minimum, column.maximum), column_text(column.name)
    is_scale = has_word(column, RATINGS) and column.num_unique <= MAX_STEPS
    if not is_scale or text is None or not all(is_number(end) for end in ends):
        return None
    if not (column.minimum >= 0 and 3 <= column.maximum <= MAX_STARS):
        return None
    number = f"to predict the number itself: {name}: {{label: {column.name}, type: regression}}"
    label = f"{text} >= {int(LIKED * column.maximum)}"
    return TaskGuess(name="liked", label=label, why=number)


def _rate(column: ColumnInfo, together: Together) -> float | None:
    positives = together.get((column.name, column.name))
    return None if positives is None else positives / max(1, column.num_rows)


def _names(columns: Sequence[ColumnInfo]) -> dict[str, str]:
    """By column, a name that a spec accepts."""
    costs = {cost.partition(".")[0] for cost in MODEL_COSTS}
    names: dict[str, str] = {}
    for column in columns:
        name = re.sub(r"\W+", "_", column.name).strip("_").lower()
        name = re.sub(r"^(is|label)_(?=[a-z])", "", name)
        name = name if re.match(r"[a-z_]", name) and name not in costs else "label"
        while name in names.values():
            name += "_"
        names[column.name] = name
    return names


def _condition(
    column: ColumnInfo, chosen: Sequence[ColumnInfo], together: Together
) -> tuple[str, str]:
    """(The label that this one implies, the nearest of several, or ""; what the rows say)."""
    if not is_event(column):
        return "", ""
    positives = together.get((column.name, column.name))
    if positives is None:
        click = chosen[0]
        follows = has_word(click, CLICK) and is_event(click) and has_word(column, FUNNEL)
        return (click.name, "") if follows and column is not click else ("", "")
    implied: dict[str, int] = {}
    nearly: dict[str, int] = {}
    for other in chosen:
        both = together.get((column.name, other.name), 0)
        size = together.get((other.name, other.name), 0)
        if other is column or size <= positives:
            continue
        (implied if both > IMPLIES * positives else nearly)[other.name] = size
    if not implied:
        return "", _not_implied(column, nearly, together)
    nearest = min(implied, key=lambda name: implied[name])
    both = together[column.name, nearest]
    label = next(label_of(one) for one in chosen if one.name == nearest)
    happened = f"{nearest} = 1" if label == nearest else label
    return nearest, f"{both:,} of its {positives:,} positives have {happened}"


def _not_implied(column: ColumnInfo, others: Mapping[str, int], together: Together) -> str:
    """What stands against a condition that the name suggests, for the label that comes nearest."""
    if not others:
        return ""
    positives = together[column.name, column.name]
    nearest = max(others, key=lambda name: together.get((column.name, name), 0))
    both = together.get((column.name, nearest), 0)
    if both < 0.5 * positives:
        return ""
    return f"no `given`: {positives - both:,} of its {positives:,} positives have no {nearest}"


def _chain(task: TaskGuess, tasks: Sequence[TaskGuess]) -> list[TaskGuess]:
    """The task, its condition, that one's condition and so on. It ends: each is more frequent than
    the last (or, by names alone, the click)."""
    chain = [task]
    while (given := chain[-1].given) is not None:
        chain.append(next(one for one in tasks if one.name == given))
    return chain
