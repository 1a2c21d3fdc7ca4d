"""Raw rows to what models read, by tables and scalings that were fitted on train rows only.

Shapes: N rows, C id columns, F numeric columns, K tasks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.config import (
    CategoricalFeature,
    FeatureSchema,
    NumericFeature,
    SequenceFeature,
    Table,
    TaskSchema,
    from_jsonable,
    to_jsonable,
)
from automtl.data.columns import check_columns
from automtl.data.labels import fit_tasks, label_matrix
from automtl.data.scaling import Scaling, fit_edges, fit_scaling, scale
from automtl.data.sequences import items, last_items, pad
from automtl.data.vocabulary import FIRST_ID, build_vocabulary, count_keys, look_up
from automtl.errors import DataError

if TYPE_CHECKING:
    from automtl.spec.schema import CategoricalSpec, Spec

__all__ = ["ENCODER_VERSION", "Encoder", "Inputs"]

ENCODER_VERSION = 2  # goes up when the same rows would be encoded differently
JSON_FILE, VOCABULARY_FILE = "encoder.json", "vocabularies.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The features of N rows: ids_NC is int32 and local to each table, numeric_NF float32."""

    ids_NC: npt.NDArray[np.int32]
    numeric_NF: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoder:
    """Everything fitted: vocabularies (the keys of a table in the order of their ids), scalings
    of the numeric columns, and the tasks with their label columns."""

    features: FeatureSchema
    tasks: tuple[TaskSchema, ...]
    label_columns: Mapping[str, str]
    vocabularies: Mapping[str, pl.Series]
    scalings: tuple[Scaling, ...]

    @classmethod
    def fit(cls, frame: pl.DataFrame, spec: Spec) -> Encoder:
        """Vocabularies, scalings and label statistics of `frame`, which holds TRAIN rows only.

        Raises DataError on a missing column, and on values that fit no number, category or label.
        """
        data, tasks = spec.data, spec.task_schemas()
        label_columns = {name: task.label for name, task in spec.tasks.items()}
        sequences = tuple(
            SequenceFeature(name=name, table=feature.shares or name, max_len=feature.max_len)
            for name, feature in data.sequence.items()
        )
        wanted = [*data.categorical, *data.numeric, *data.sequence, *label_columns.values()]
        check_columns(wanted, frame.columns, source="train rows")
        vocabularies = _fit_vocabularies(frame, data.categorical, sequences)
        scalings = tuple(fit_scaling(frame[name]) for name in data.numeric)
        return cls(
            features=FeatureSchema(
                tables=tuple(
                    Table(name=table, num_rows=FIRST_ID + len(keys))
                    for table, keys in vocabularies.items()
                ),
                categorical=tuple(
                    CategoricalFeature(name=name, table=name) for name in data.categorical
                ),
                numeric=tuple(
                    feature
                    for name, scaling in zip(data.numeric, scalings, strict=True)
                    for feature in _numeric_features(frame[name], scaling)
                ),
                sequence=sequences,
            ),
            tasks=fit_tasks(tasks, label_matrix(frame, label_columns, tasks)),
            label_columns=label_columns,
            vocabularies=vocabularies,
            scalings=scalings,
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that `transform` reads."""
        names = [feature.name for feature in self.features.categorical]
        names += [scaling.name for scaling in self.scalings]
        names += [feature.name for feature in self.features.sequence]
        return tuple(dict.fromkeys(names))

    def transform(self, frame: pl.DataFrame) -> Inputs:
        """The features of any rows; labels are not needed, other columns are ignored.

        Raises DataError naming the columns that are missing, or a value that is no number.
        """
        check_columns(self.columns, frame.columns, source="rows to encode")
        ids_NC = np.zeros((frame.height, self.features.num_id_columns), dtype=np.int32)
        column = 0
        for feature in self.features.categorical:
            vocabulary = self.vocabularies[feature.table]
            ids_NC[:, column] = look_up(frame[feature.name], vocabulary).to_numpy()
            column += 1
        for sequence in self.features.sequence:
            kept = last_items(items(frame[sequence.name]), sequence.max_len)
            ids = look_up(kept.values, self.vocabularies[sequence.table]).to_numpy()
            pad(kept, ids, out=ids_NC[:, column : column + sequence.max_len])
            column += sequence.max_len
        numeric_NF = np.zeros((frame.height, len(self.features.numeric)), dtype=np.float32)
        column = 0
        for scaling in self.scalings:
            width = len(scaling.outputs)
            scale(frame[scaling.name], scaling, out=numeric_NF[:, column : column + width])
            column += width
        return Inputs(ids_NC=ids_NC, numeric_NF=numeric_NF)

    def labels(self, frame: pl.DataFrame) -> npt.NDArray[np.float32]:
        """labels_NK in the labels' own units, NaN where not observed (see `labels.py`)."""
        check_columns(self.label_columns.values(), frame.columns, source="rows with labels")
        return label_matrix(frame, self.label_columns, self.tasks)

    def save(self, directory: Path) -> None:
        """Writes `vocabularies.parquet` and `encoder.json` into `directory`, made if need be."""
        directory.mkdir(parents=True, exist_ok=True)
        parts = [
            pl.DataFrame({"key": keys}).select(
                pl.lit(table).alias("table"),
                pl.int_range(FIRST_ID, FIRST_ID + pl.len(), dtype=pl.Int32).alias("id"),
                "key",
            )
            for table, keys in self.vocabularies.items()
        ]
        empty = pl.DataFrame(schema={"table": pl.String, "id": pl.Int32, "key": pl.String})
        pl.concat([empty, *parts]).write_parquet(directory / VOCABULARY_FILE)
        document = {
            "version": ENCODER_VERSION,
            "features": to_jsonable(self.features),
            "tasks": [to_jsonable(task) for task in self.tasks],
            "label_columns": dict(self.label_columns),
            "scalings": [to_jsonable(scaling) for scaling in self.scalings],
        }
        (directory / JSON_FILE).write_text(json.dumps(document, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Encoder:
        """What `save` wrote. Raises DataError when it is damaged or of another version."""
        try:
            document = json.loads((directory / JSON_FILE).read_text(encoding="utf-8"))
            if document["version"] != ENCODER_VERSION:
                raise DataError(
                    f"{directory}: encoder of version {document['version']}, this automtl reads"
                    f" {ENCODER_VERSION}; encode the data anew"
                )
            features = from_jsonable(FeatureSchema, document["features"])
            vocabularies = _read_vocabularies(directory / VOCABULARY_FILE, features)
            return cls(
                features=features,
                tasks=tuple(from_jsonable(TaskSchema, task) for task in document["tasks"]),
                label_columns=document["label_columns"],
                vocabularies=vocabularies,
                scalings=tuple(from_jsonable(Scaling, part) for part in document["scalings"]),
            )
        except DataError:
            raise
        except (OSError, KeyError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
            raise DataError(f"{directory}: no encoder, or a damaged one ({error})") from error


def _fit_vocabularies(
    frame: pl.DataFrame,
    categorical: Mapping[str, CategoricalSpec],
    sequences: Sequence[SequenceFeature],
) -> dict[str, pl.Series]:
    """One vocabulary a table, from the categorical column of its name and all its sequences."""
    counts = {name: [count_keys(frame[name])] for name in categorical}
    for sequence in sequences:
        kept = last_items(items(frame[sequence.name]), sequence.max_len)
        counts.setdefault(sequence.table, []).append(count_keys(kept.values))
    vocabularies = {}
    for table, parts in counts.items():
        limit = categorical.get(table)
        min_count, max_vocab = (limit.min_count, limit.max_vocab) if limit else (1, None)
        vocabularies[table] = build_vocabulary(parts, min_count=min_count, max_vocab=max_vocab)
    return vocabularies


def _numeric_features(column: pl.Series, scaling: Scaling) -> list[NumericFeature]:
    """What a numeric column becomes: the number with its bins, and an indicator if it has one."""
    name, *indicators = scaling.outputs
    number = NumericFeature(name=name, edges=fit_edges(column, scaling))
    return [number, *(NumericFeature(name=indicator) for indicator in indicators)]


def _read_vocabularies(path: Path, features: FeatureSchema) -> dict[str, pl.Series]:
    keys = pl.read_parquet(path)
    vocabularies = {
        table.name: keys.filter(pl.col("table") == table.name).sort("id")["key"]
        for table in features.tables
    }
    for table in features.tables:
        if FIRST_ID + len(vocabularies[table.name]) != table.num_rows:
            raise ValueError(f"table {table.name!r} does not have {table.num_rows} rows")
    return vocabularies
