"""What the first pass gathers of the rows to learn from, and the encoder that follows from it.

A `Gathered` adds batch after batch; those of different parts of the rows merge, so the pass can
run over parts at once.

Shapes: N rows of a batch, J of them on a side, K tasks.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.config import CategoricalFeature, FeatureSchema, SequenceFeature, Table, TrainedOn
from automtl.data.batch import Batch
from automtl.data.columns import check_columns
from automtl.data.compact import Uses
from automtl.data.encode import Encoder
from automtl.data.expression import is_column, label_columns
from automtl.data.key_counts import KeyCounts, build_vocabulary
from automtl.data.kinds.buckets import BucketsFit
from automtl.data.kinds.categorical import CategoricalFit
from automtl.data.kinds.dense import DenseFit
from automtl.data.kinds.numeric import NumericFit, numeric_features
from automtl.data.kinds.sequence import SequenceFit
from automtl.data.kinds.time import AgeFit, CalendarFit, TimeColumn
from automtl.data.labels import LabelStats, label_matrix
from automtl.data.sample import RowSample
from automtl.data.split import SPLITS, TRAIN, rows_on, sides_of, split_column
from automtl.data.vocabulary import FIRST_ID
from automtl.data.weights import WeightFit, weight_columns
from automtl.errors import DataError

if TYPE_CHECKING:
    from automtl.spec.schema import Spec

__all__ = ["Gathered", "fit_encoder", "fitted_columns", "text_uses"]

NUM_THREADS = 2  # that sort keys
Sides = npt.NDArray[np.int8]


class _Fit(Protocol):
    """What each kind of feature gathers."""

    def add(self, batch: Batch, rows: npt.NDArray[np.int64] | None) -> None: ...

    def merge(self, other: Any) -> None: ...


class Gathered:
    """Counts of rows and labels by side; of the rows that are `trained_on` also what each feature
    asks for."""

    def __init__(self, spec: Spec, *, trained_on: TrainedOn = "train") -> None:
        data = spec.data
        self._learned = sides_of(trained_on)
        self._spec, self._tasks = spec, spec.task_schemas()
        self._label_columns = {name: task.label for name, task in spec.tasks.items()}
        self._hashed = {
            name: one.hash for name, one in data.categorical.items() if one.hash is not None
        }
        self._categorical = [
            CategoricalFit(name, is_hashed=name in self._hashed) for name in data.categorical
        ]
        self._numeric = [
            NumericFit(name, one.scale)
            for name, one in data.numeric.items()
            if one.scale != "buckets"
        ]
        self._buckets = [
            BucketsFit(name, num_buckets=one.num_buckets)
            for name, one in data.numeric.items()
            if one.scale == "buckets"
        ]
        self._sequence = [
            SequenceFit(
                SequenceFeature(name=name, table=one.shares or name, max_len=one.max_len),
                is_hashed=one.shares in self._hashed,
            )
            for name, one in data.sequence.items()
        ]
        units = {name: one.unit for name, one in data.time.items()}
        columns = {
            name: TimeColumn(name=name, unit=units.get(name))
            for name in [*data.time, *(one.age_at for one in data.time.values() if one.age_at)]
        }
        self._calendar = [
            CalendarFit(columns[name], zone=one.zone, parts=one.parts)
            for name, one in data.time.items()
            if one.parts
        ]
        ages = {name: one for name, one in data.time.items() if one.age_at is not None}
        self._age = [
            AgeFit(columns[name], at=columns[str(one.age_at)], unit=one.age_in)
            for name, one in ages.items()
        ]
        self._dense = [DenseFit(name) for name in data.dense]
        self._weights = WeightFit(weight_columns(spec))
        aged = [column for name, one in ages.items() for column in (name, str(one.age_at))]
        self._sample = RowSample(list(dict.fromkeys([*data.numeric, *aged])))
        self._labels = {split: LabelStats(self._tasks) for split in SPLITS}
        self._num_rows = np.zeros(len(SPLITS), dtype=np.int64)
        self._num_read = 0

    @property
    def _features(self) -> list[_Fit]:
        """What is gathered for each feature, and of weights, in one order."""
        plain: list[_Fit] = [*self._categorical, *self._numeric, *self._buckets, *self._sequence]
        return [*plain, *self._calendar, *self._age, *self._dense, self._weights]

    def add(self, batch: Batch, side_N: Sides) -> None:
        """Adds the rows of a batch; `side_N` says of each which side it is on.

        Raises DataError with all columns that do not fit what the spec says of them.
        """
        rows = rows_on(side_N, *self._learned)
        steps: list[Callable[[], Any]] = [partial(one.add, batch, rows) for one in self._features]
        steps.append(partial(label_matrix, batch, self._label_columns, self._tasks))
        labels_NK: npt.NDArray[np.float32] = batch.checked(steps)[-1]
        self._sample.add(batch, rows)
        for side, split in enumerate(SPLITS):
            here = rows_on(side_N, side)
            labels_JK = labels_NK if here is None else labels_NK[here]
            self._num_rows[side] += len(labels_JK)
            self._labels[split].add(labels_JK)
        self._num_read += batch.height

    def merge(self, other: Gathered) -> None:
        """Adds what was gathered of other rows."""
        for mine, theirs in zip(self._features, other._features, strict=True):
            mine.merge(theirs)
        self._sample.merge(other._sample)
        for split in SPLITS:
            self._labels[split].merge(other._labels[split])
        self._num_rows += other._num_rows
        self._num_read += other._num_read

    @property
    def num_rows(self) -> dict[str, int]:
        """By split; what no split has was left out."""
        return dict(zip(SPLITS, self._num_rows.tolist(), strict=True))

    @property
    def num_read(self) -> int:
        return self._num_read

    def check_labels(self) -> None:
        """Raises DataError for every task whose labels are all the same in train or in valid."""
        for split in ("train", "valid"):
            if problems := self._labels[split].problems(self._label_columns, split=split):
                raise DataError("\n".join(problems))

    def encoder(self) -> Encoder:
        """Vocabularies, scalings and label statistics of the rows that are trained on."""
        vocabularies = self._vocabularies()
        sample = self._sample.frame()
        scalings = tuple(one.scaling(sample[one.name]) for one in self._numeric)
        buckets = tuple(one.buckets(sample[one.name]) for one in self._buckets)
        calendars = tuple(one.calendar() for one in self._calendar)
        ages = tuple(one.age() for one in self._age)
        dense = tuple(one.scaling() for one in self._dense)
        labels = LabelStats(self._tasks)
        for side in self._learned:
            labels.merge(self._labels[SPLITS[side]])
        return Encoder(
            features=FeatureSchema(
                tables=(
                    *(
                        Table(
                            name=table,
                            num_rows=FIRST_ID
                            + (self._hashed.get(table) or len(vocabularies.get(table, ()))),
                        )
                        for table in self._counts()
                    ),
                    *(table for one in calendars for table in one.tables()),
                    *(one.table() for one in buckets),
                ),
                categorical=(
                    *(
                        CategoricalFeature(name=one.name, table=one.name)
                        for one in self._categorical
                    ),
                    *(feature for one in calendars for feature in one.features()),
                    *(one.feature() for one in buckets),
                ),
                numeric=(
                    *(
                        feature
                        for one, scaling in zip(self._numeric, scalings, strict=True)
                        for feature in numeric_features(
                            scaling, one.edges(scaling, sample[one.name])
                        )
                    ),
                    *(
                        feature
                        for fit, age in zip(self._age, ages, strict=True)
                        for feature in fit.features(age, sample)
                    ),
                ),
                sequence=tuple(one.feature for one in self._sequence),
                dense=tuple(one.feature() for one in dense),
            ),
            tasks=labels.fitted(),
            label_columns=self._label_columns,
            vocabularies=vocabularies,
            hashed=self._hashed,
            scalings=scalings,
            calendars=calendars,
            buckets=buckets,
            ages=ages,
            dense=dense,
            weight_columns=self._weights.columns(),
            missing_texts=self._spec.data.missing or (),
        )

    def _vocabularies(self) -> dict[str, pl.Series]:
        """Of each table of keys; sorting leaves the interpreter to other threads."""
        counts = {name: one for name, one in self._counts().items() if name not in self._hashed}

        def of(table: str) -> pl.Series:
            said = self._spec.data.categorical.get(table)
            return build_vocabulary(
                counts[table],
                min_count=1 if said is None else said.min_count,
                max_vocab=None if said is None else said.max_vocab,
            )

        with ThreadPoolExecutor(max_workers=NUM_THREADS) as threads:
            return dict(zip(counts, threads.map(of, counts), strict=True))

    def _counts(self) -> dict[str, list[KeyCounts]]:
        """Of each table: the counts of the categorical column of its name and all its sequences."""
        counts = {one.name: [one.counts] for one in self._categorical}
        for sequence in self._sequence:
            counts.setdefault(sequence.feature.table, []).append(sequence.counts)
        return counts


def fitted_columns(spec: Spec) -> list[str]:
    """The columns that are read for features, labels and weights, each once."""
    return list(dict.fromkeys([*spec.data.feature_columns, *_target_columns(spec)]))


def text_uses(spec: Spec) -> Uses:
    """What the columns are taken for where they are text."""
    data, split = spec.data, split_column(spec.data.split)
    others = {*_target_columns(spec), split, *data.sequence, *data.time, *data.dense}
    others |= {one.age_at for one in data.time.values()}
    keys, numbers = set(data.categorical), set(data.numeric)
    labels = [task.label for task in spec.tasks.values() if is_column(task.label)]
    whole = {name for label in labels for name in label_columns(label)}
    whole |= set() if split is None else {split}
    return Uses(
        keys=keys - numbers - others,
        numbers=numbers - keys - others,
        repeated=whole | (keys & (numbers | others)),
        listed={name for name in keys - numbers - others if data.categorical[name].hash is None},
    )


def _target_columns(spec: Spec) -> list[str]:
    """Those of labels and weights."""
    names = [name for task in spec.tasks.values() for name in label_columns(task.label)]
    return names + [name for name in weight_columns(spec) if name is not None]


def fit_encoder(frame: pl.DataFrame, spec: Spec) -> Encoder:
    """The encoder of `frame`, which holds TRAIN rows only.

    Raises DataError on a missing column, and on values that fit no number, category or label.
    """
    gathered = Gathered(spec)
    check_columns(fitted_columns(spec), frame.columns, source="train rows")
    gathered.add(Batch(frame), np.full(frame.height, TRAIN, dtype=np.int8))
    return gathered.encoder()
