"""The body of a request to columns, checked against the columns that the encoder reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from operator import itemgetter
from typing import Any

from pydantic_core import from_json

from automtl.data.columns import did_you_mean
from automtl.data.listed import Listed, ListedRows
from automtl.export.manifest import InputColumn
from automtl.serving.columns import column_of, kinds_of
from automtl.serving.problems import Problem, RequestError, shown

__all__ = ["RowReader"]

HINT = 'write {"rows": [{…}, …]}, or {"columns": {"NAME": […], …}}'
ABSENT: Any = object()


class RowReader:
    """Reads bodies of up to `max_rows` rows, each with all of `inputs`; other keys are ignored.

    With `missing_ok` a key that is not there is a missing value, else it is an error.
    """

    def __init__(
        self, inputs: Sequence[InputColumn], *, max_rows: int, missing_ok: bool = False
    ) -> None:
        self._max_rows, self._missing_ok = max_rows, missing_ok
        self._kinds = kinds_of(inputs)

    def read(self, body: bytes) -> ListedRows:
        """RequestError names the place in the body, or the row, the column, the value, the rule."""
        by_column = self._by_column(_parsed(body))
        columns: dict[str, Listed] = {}
        problems: list[Problem] = []
        for name, values in by_column.items():
            match column_of(name, self._kinds[name], values):
                case Problem() as problem:
                    problems.append(problem)
                case column:
                    columns[name] = column
        if problems:
            raise RequestError.of_values(problems)
        return ListedRows(by_name=columns, height=len(next(iter(by_column.values()))))

    def _by_column(self, document: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
        keys = list(document)
        if keys == ["rows"]:
            return self._of_rows(document["rows"])
        if keys == ["columns"]:
            return self._of_columns(document["columns"])
        raise RequestError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"the body has the keys {', '.join(shown(key) for key in keys[:5]) or 'none'}; {HINT}",
        )

    def _of_rows(self, rows: Any) -> dict[str, Sequence[Any]]:
        if not isinstance(rows, list):
            raise _unfit(f"rows is {shown(rows)}; a list of objects is needed")
        self._check_number(len(rows))
        rule = "is not an object with a value for each column"
        problems = [
            Problem(row=row, value=shown(one), rule=rule)
            for row, one in enumerate(rows)
            if not isinstance(one, dict)
        ]
        if problems:
            raise RequestError.of_values(problems)
        try:
            return _turned(rows, list(self._kinds))
        except KeyError:
            return self._turned_with_gaps(rows)

    def _turned_with_gaps(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Sequence[Any]]:
        """Where a row lacks a column."""
        problems: list[Problem] = []
        by_column: dict[str, Sequence[Any]] = {
            name: [row.get(name, ABSENT) for row in rows] for name in self._kinds
        }
        for name, values in by_column.items():
            if ABSENT not in values:
                continue
            first = values.index(ABSENT)
            if not self._missing_ok:
                problems.append(self._lacks(name, rows[first], row=first))
            by_column[name] = [None if one is ABSENT else one for one in values]
        if problems:
            raise RequestError.of_values(problems)
        return by_column

    def _of_columns(self, columns: Any) -> dict[str, Sequence[Any]]:
        if not isinstance(columns, dict):
            raise _unfit(f"columns is {shown(columns)}; an object of lists is needed")
        own = {name: columns[name] for name in self._kinds if name in columns}
        problems = [
            Problem(column=name, value=shown(values), rule="is not a list of values")
            for name, values in own.items()
            if not isinstance(values, list)
        ]
        if not self._missing_ok:
            problems += [self._lacks(name, columns) for name in self._kinds if name not in own]
        if problems:
            raise RequestError.of_values(problems)
        counts = {name: len(values) for name, values in own.items()}
        if len(set(counts.values())) > 1:
            first, *others = counts.items()
            other = next(one for one in others if one[1] != first[1])
            rule = f"has {other[1]} values, {first[0]!r} has {first[1]}; all need as many"
            raise RequestError.of_values([Problem(column=other[0], rule=rule)])
        if not counts:
            raise _unfit("none of the columns is one of the model's, see /schema")
        num_rows = next(iter(counts.values()))
        self._check_number(num_rows)
        return {name: own.get(name, [None] * num_rows) for name in self._kinds}

    def _lacks(self, name: str, present: Mapping[str, Any], *, row: int | None = None) -> Problem:
        near = did_you_mean(name, [key for key in present if key not in self._kinds][:100])
        return Problem(row=row, column=name, rule=f"is not there{near}; null is a missing value")

    def _check_number(self, num_rows: int) -> None:
        if num_rows > self._max_rows:
            raise RequestError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"{num_rows:,} rows, at most {self._max_rows:,} in a request (--max-rows); "
                "send several",
            )


def _turned(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Sequence[Any]]:
    """Rows by column, all at once; KeyError where a row lacks one."""
    if len(names) == 1:  # of one name `itemgetter` gives no tuple
        return {names[0]: [row[names[0]] for row in rows]}
    by_column = zip(*map(itemgetter(*names), rows), strict=True) if rows else [()] * len(names)
    return dict(zip(names, by_column, strict=True))


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        document = from_json(body, allow_inf_nan=False, cache_strings="keys")
    except (ValueError, RecursionError) as error:
        raise RequestError(
            HTTPStatus.BAD_REQUEST, f"the body is no JSON in UTF-8: {error}; {HINT}"
        ) from error
    if not isinstance(document, dict):
        raise _unfit(f"the body is {shown(document)}; {HINT}")
    return document


def _unfit(message: str) -> RequestError:
    return RequestError(HTTPStatus.UNPROCESSABLE_ENTITY, message)
