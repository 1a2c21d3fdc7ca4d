"""All that the doctor looks at, over the encoded rows of a spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from automtl.data.cache import EncodedData
from automtl.doctor.duplicates import Duplicates, check_duplicates, count_duplicates
from automtl.doctor.features import ColumnFacts, check_column, column_facts
from automtl.doctor.finding import Finding, by_severity
from automtl.doctor.labels import LabelCounts, check_labels, check_outside, count_labels
from automtl.doctor.leakage import Strength, check_leaks, strength
from automtl.doctor.markers import check_markers
from automtl.doctor.sample import columns_of, labels_of, samples_of
from automtl.doctor.splits import check_split
from automtl.doctor.vectors import check_vectors, vector_facts
from automtl.errors import DataError
from automtl.search.fidelity import count_positives, make_ladder
from automtl.spec.schema import Spec

__all__ = ["Checkup", "check_before_search", "examine"]

MAX_ROWS = 1 << 20  # of a split, for what is told of features
MAX_ROWS_QUICK = 1 << 16  # before a search


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """What the rows hold, and what is wrong with them, the worst first.

    Of `num_all` rows `data.where` kept `num_read`. `looked_at` is how many rows of each split the
    features were judged by; labels are counted in all rows. `duplicates` is None where it was not
    asked for.
    """

    name: str
    num_rows: Mapping[str, int]
    num_read: int
    num_all: int
    looked_at: Mapping[str, int]
    labels: tuple[LabelCounts, ...]
    columns: tuple[ColumnFacts, ...]
    strengths: tuple[Strength, ...]
    duplicates: Duplicates | None
    findings: tuple[Finding, ...]

    @property
    def is_usable(self) -> bool:
        """Whether nothing is worse than a warning."""
        return not any(one.severity == "error" for one in self.findings)

    def strongest(self, task: str, count: int) -> list[Strength]:
        """The features that tell most of a task alone."""
        ranked = sorted(self.strengths, key=lambda one: -one.auc)
        return [one for one in ranked if one.task == task][:count]

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON data; what is not a number is None."""
        document: dict[str, Any] = _finite(asdict(self) | {"usable": self.is_usable})
        return document


def examine(spec: Spec, data: EncodedData) -> Checkup:
    """All checks, over `data`, the encoded rows of `spec`; reads labels in the source again where
    a task has a condition.

    Memory: the numbers of 8 million rows, and what one column holds in a million.
    """
    checkup = _examine(spec, data, max_rows=MAX_ROWS)
    duplicates = count_duplicates(data)
    given = {name: task.given for name, task in spec.tasks.items() if task.given is not None}
    ladder = make_ladder(spec, count_positives(data.rows("train"), data.tasks))
    more = [
        *check_outside(_outside(spec, given), given),
        *check_duplicates(duplicates),
        *(
            [Finding(severity="note", check="rungs", place="search.rungs", says=ladder.why)]
            if ladder.why
            else []
        ),
    ]
    return _with(checkup, more, duplicates)


def check_before_search(spec: Spec, data: EncodedData) -> list[str]:
    """The warnings of the checks that take no second, as sentences.

    Raises DataError with all errors: rows over which a search says nothing.
    """
    findings = _examine(spec, data, max_rows=MAX_ROWS_QUICK).findings
    if errors := [str(one) for one in findings if one.severity == "error"]:
        raise DataError("\n".join(errors))
    return [str(one) for one in findings if one.severity == "warning"]


def _examine(spec: Spec, data: EncodedData, *, max_rows: int) -> Checkup:
    samples = samples_of(data, max_rows=max_rows)
    labels = count_labels(data)
    features = columns_of(data, numbers=spec.data.numeric)
    columns: list[ColumnFacts] = []
    strengths: list[Strength] = []
    by_task = [labels_of(samples, index) for index in range(len(data.tasks))]
    for column in features:
        codes = {split: sample.codes(column) for split, sample in samples.items()}
        values_J = samples["valid"].values(column) if column.kind == "numeric" else None
        columns.append(column_facts(column, samples, codes))
        strengths += [
            one
            for task, task_labels in zip(data.tasks, by_task, strict=True)
            if (one := strength(column, codes, task_labels, task, values_J=values_J)) is not None
        ]
    vectors = vector_facts(data, max_rows=max_rows)
    strengths += [told for one in vectors for told in one.strengths]
    places = {column.name: column.place for column in features}
    places |= {one.column.name: f"data.dense: {one.column.name}" for one in vectors}
    findings = [
        *check_leaks(strengths, places),
        *check_vectors(vectors),
        *check_labels(labels),
        *check_split(spec),
        *check_markers(spec, data, features, samples),
        *(
            finding
            for column, facts in zip(features, columns, strict=True)
            for finding in check_column(column, facts, spec.data.split)
        ),
    ]
    return Checkup(
        name=spec.name,
        num_rows=dict(data.num_rows),
        num_read=data.num_read,
        num_all=data.num_all,
        looked_at={split: len(sample) for split, sample in samples.items()},
        labels=labels,
        columns=(*columns, *(one.column for one in vectors)),
        strengths=tuple(strengths),
        duplicates=None,
        findings=by_severity(findings),
    )


def _with(checkup: Checkup, more: list[Finding], duplicates: Duplicates) -> Checkup:
    findings = by_severity([*checkup.findings, *more])
    return replace(checkup, findings=findings, duplicates=duplicates)


def _outside(spec: Spec, given: Mapping[str, str]) -> dict[str, tuple[int, int]]:
    """By task with a condition: (positives where the condition's label is not 1, positives)."""
    from automtl.data.build import open_source  # polars: only who reads the source pays for it
    from automtl.data.columns import as_keys
    from automtl.data.evaluate import label_values
    from automtl.data.expression import label_columns

    labels = {name: task.label for name, task in spec.tasks.items() if task.type == "binary"}
    asked = {name: condition for name, condition in given.items() if name in labels}
    needed = list(dict.fromkeys(labels[name] for pair in asked.items() for name in pair))
    found = dict.fromkeys(asked, (0, 0))
    if not asked:
        return found
    columns = list(dict.fromkeys(name for label in needed for name in label_columns(label)))
    for batch in open_source(spec).batches(columns):
        is_one = {
            label: as_keys(label_values(batch, label)).is_in(["1", "true"]).fill_null(value=False)
            for label in needed
        }
        for name, condition in asked.items():
            positive_N = is_one[labels[name]].to_numpy()
            without = np.count_nonzero(positive_N & ~is_one[labels[condition]].to_numpy())
            before = found[name]
            found[name] = (before[0] + int(without), before[1] + int(positive_N.sum()))
    return found


def _finite(value: Any) -> Any:
    match value:
        case dict():
            return {key: _finite(one) for key, one in value.items()}
        case list() | tuple():
            return [_finite(one) for one in value]
        case float() if value != value:
            return None
    return value
