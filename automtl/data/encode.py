"""Raw rows to what models read, by tables and scalings that were fitted on train rows only.

Shapes: N rows, C id columns, F numeric columns, K tasks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.config import (
    CategoricalFeature,
    FeatureSchema,
    Table,
    TaskSchema,
    from_jsonable,
    to_jsonable,
)
from automtl.data.batch import Batch
from automtl.data.columns import check_columns
from automtl.data.kinds.buckets import Buckets
from automtl.data.kinds.categorical import categorical_column
from automtl.data.kinds.dense import DenseScaling
from automtl.data.kinds.sequence import sequence_ids
from automtl.data.kinds.time import Age, Calendar
from automtl.data.placing import Column, side_by_side
from automtl.data.scaling import Scaling, scaled_column
from automtl.data.vocabulary import FIRST_ID, BucketLookup, Lookup
from automtl.errors import DataError

__all__ = ["ENCODER_VERSION", "Encoder", "Inputs", "ids_of"]

ENCODER_VERSION = 5  # goes up when the same rows would be encoded differently
Step = Callable[[], Column]  # of N rows
UNREADABLE = (
    OSError,
    LookupError,
    TypeError,
    ValueError,
    ArithmeticError,
    AttributeError,
    RecursionError,
    pl.exceptions.PolarsError,
)
JSON_FILE, VOCABULARY_FILE = "encoder.json", "vocabularies.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The features of N rows: ids_NC is int32 and local to each table, numeric_NF float32."""

    ids_NC: npt.NDArray[np.int32]
    numeric_NF: npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoder:
    """Everything fitted: vocabularies (the keys of a table in the order of their ids), the number
    of buckets of the tables without one, scalings of the numeric columns, how times are read, and
    the tasks with their labels (a column or an expression of some) and weights. `missing_texts` are
    those that stood for no value in text files, as they do in those to come.

    Id columns are those of keys, of calendars, of buckets, of sequences; numbers those of scalings,
    of ages, of vectors.
    """

    features: FeatureSchema
    tasks: tuple[TaskSchema, ...]
    label_columns: Mapping[str, str]
    vocabularies: Mapping[str, pl.Series]
    hashed: Mapping[str, int]
    scalings: tuple[Scaling, ...]
    calendars: tuple[Calendar, ...] = ()
    buckets: tuple[Buckets, ...] = ()
    ages: tuple[Age, ...] = ()
    dense: tuple[DenseScaling, ...] = ()
    weight_columns: tuple[str | None, ...] = ()
    missing_texts: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that `transform` reads."""
        names = [feature.name for feature in self.keyed]
        names += [scaling.name for scaling in self.scalings]
        names += [buckets.name for buckets in self.buckets]
        names += [feature.name for feature in self.features.sequence]
        names += [vector.name for vector in self.dense]
        return tuple(dict.fromkeys([*names, *self.time_columns]))

    @property
    def time_columns(self) -> tuple[str, ...]:
        """Those that parts or ages are taken of."""
        names = [calendar.column.name for calendar in self.calendars]
        names += [column.name for age in self.ages for column in (age.column, age.at)]
        return tuple(dict.fromkeys(names))

    @property
    def keyed(self) -> list[CategoricalFeature]:
        """The features whose ids are those of keys."""
        return [one for one in self.features.categorical if one.table in self.lookups]

    @cached_property
    def lookups(self) -> Mapping[str, Lookup | BucketLookup]:
        """Of each table of keys; a vocabulary's own tables are made when first needed."""
        found: dict[str, Lookup | BucketLookup] = {}
        found |= {table: Lookup(keys) for table, keys in self.vocabularies.items()}
        return found | {table: BucketLookup(num) for table, num in self.hashed.items()}

    def transform(self, rows: pl.DataFrame | Batch) -> Inputs:
        """The features of any rows; labels are not needed, other columns are ignored.

        Raises DataError naming the columns that are missing, or a value that is no number.
        """
        batch = rows if isinstance(rows, Batch) else Batch(rows)
        check_columns(self.columns, batch.columns, source="rows to encode")
        ids, numbers = [*self._id_steps(batch)], [*self._number_steps(batch)]
        made = batch.checked([*ids, *numbers])
        ids_NC = np.empty((batch.height, self.features.num_id_columns), dtype=np.int32)
        numeric_NF = np.empty((batch.height, self.features.num_number_columns), dtype=np.float32)
        side_by_side(made[: len(ids)], ids_NC)
        side_by_side(made[len(ids) :], numeric_NF)
        return Inputs(ids_NC=ids_NC, numeric_NF=numeric_NF)

    def _id_steps(self, batch: Batch) -> Iterator[Step]:
        """Each makes some columns of the ids, in their order."""
        for feature in self.keyed:
            yield partial(categorical_column, batch, feature.name, self.lookups[feature.table])
        for calendar in self.calendars:
            yield partial(calendar.ids, batch)
        for buckets in self.buckets:
            yield partial(buckets.ids, batch)
        for sequence in self.features.sequence:
            yield partial(sequence_ids, batch, sequence, self.lookups[sequence.table])

    def _number_steps(self, batch: Batch) -> Iterator[Step]:
        """Each makes some columns of the numbers, in their order."""
        for scaling in self.scalings:
            yield partial(scaled_column, batch, scaling)
        for age in self.ages:
            yield partial(age.numbers, batch)
        for vector in self.dense:
            yield partial(vector.numbers, batch)

    def labels(self, rows: pl.DataFrame | Batch) -> npt.NDArray[np.float32]:
        """labels_NK in the labels' own units, NaN where not observed (see `labels.py`)."""
        batch = rows if isinstance(rows, Batch) else Batch(rows)
        # here: who only scores does not wait for what reads labels
        from automtl.data.expression import label_columns
        from automtl.data.labels import label_matrix

        names = [name for label in self.label_columns.values() for name in label_columns(label)]
        check_columns(names, batch.columns, source="rows with labels")
        [labels_NK] = batch.checked([partial(label_matrix, batch, self.label_columns, self.tasks)])
        return labels_NK

    def weights(self, batch: Batch) -> npt.NDArray[np.float32]:
        """weights_NK, or none (see `weights.py`)."""
        from automtl.data.weights import weight_matrix

        [weights_NK] = batch.checked([partial(weight_matrix, batch, self.weight_columns)])
        return weights_NK

    def save(self, directory: Path) -> None:
        """Writes `vocabularies.parquet` and `encoder.json` into `directory`, made if need be."""
        import pyarrow.parquet as pq

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
        # not by polars, whose error for a full disk is no OSError
        keys = pl.concat([empty, *parts]).to_arrow()
        pq.write_table(keys, directory / VOCABULARY_FILE, use_dictionary=["table"])
        document = {
            "version": ENCODER_VERSION,
            "features": to_jsonable(self.features),
            "tasks": [to_jsonable(task) for task in self.tasks],
            "label_columns": dict(self.label_columns),
            "hashed": dict(self.hashed),
            "scalings": [to_jsonable(scaling) for scaling in self.scalings],
            "calendars": [to_jsonable(calendar) for calendar in self.calendars],
            "buckets": [to_jsonable(one) for one in self.buckets],
            "ages": [to_jsonable(age) for age in self.ages],
            "dense": [to_jsonable(vector) for vector in self.dense],
            "weight_columns": list(self.weight_columns),
            "missing_texts": list(self.missing_texts),
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
            hashed = {str(table): int(num) for table, num in document["hashed"].items()}
            calendars = tuple(from_jsonable(Calendar, part) for part in document["calendars"])
            buckets = tuple(from_jsonable(Buckets, part) for part in document["buckets"])
            others = {*hashed, *(table.name for one in calendars for table in one.tables())}
            others |= {one.name for one in buckets}
            keyed = [table for table in features.tables if table.name not in others]
            vocabularies = _read_vocabularies(directory / VOCABULARY_FILE, keyed)
            encoder = cls(
                features=features,
                tasks=tuple(from_jsonable(TaskSchema, task) for task in document["tasks"]),
                label_columns=document["label_columns"],
                vocabularies=vocabularies,
                hashed=hashed,
                scalings=tuple(from_jsonable(Scaling, part) for part in document["scalings"]),
                calendars=calendars,
                buckets=buckets,
                ages=tuple(from_jsonable(Age, part) for part in document["ages"]),
                dense=tuple(from_jsonable(DenseScaling, part) for part in document["dense"]),
                weight_columns=tuple(document["weight_columns"]),
                # older encoders have none
                missing_texts=tuple(str(text) for text in document.get("missing_texts", ())),
            )
            encoder._check_fits()
        except DataError:
            raise
        except UNREADABLE as error:
            raise DataError(f"{directory}: no encoder, or a damaged one ({error})") from error
        return encoder

    def _check_fits(self) -> None:
        """Raises ValueError unless `transform` fills every column, with ids that tables have."""
        features = self.features
        parts = sum(len(one.parts) for one in self.calendars)
        parts += len(self.buckets)
        num_ids = len(self.keyed) + parts + sum(one.max_len for one in features.sequence)
        scaled = [*self.scalings, *(one.scaling for one in self.ages)]
        numbers = sum(len(one.outputs) for one in scaled)
        numbers += sum(one.feature().width for one in self.dense)
        if (num_ids, numbers) != (features.num_id_columns, features.num_number_columns):
            raise ValueError("its parts do not add up to the columns of its features")
        if any(one.max_len < 1 for one in features.sequence):
            raise ValueError("a sequence of less than one item")
        num_rows = {table.name: table.num_rows for table in features.tables}
        made = {table: FIRST_ID + num for table, num in self.hashed.items()}
        made |= {table.name: table.num_rows for one in self.calendars for table in one.tables()}
        made |= {one.name: one.table().num_rows for one in self.buckets}
        if wrong := [table for table, num in made.items() if num_rows.get(table) != num]:
            raise ValueError(f"table {wrong[0]!r} does not have {made[wrong[0]]} rows")
        if strange := [one.table for one in features.sequence if one.table not in self.lookups]:
            raise ValueError(f"there are no keys of table {strange[0]!r}")


def ids_of(directory: Path, keys: Sequence[str]) -> dict[str, dict[str, int]]:
    """By table of the encoder that was saved in `directory`, the ids of those of `keys` that it
    has."""
    all_keys = pl.scan_parquet(directory / VOCABULARY_FILE, glob=False)
    found: dict[str, dict[str, int]] = {}
    for table, id_, key in all_keys.filter(pl.col("key").is_in(keys)).collect().iter_rows():
        found.setdefault(table, {})[key] = id_
    return found


def _read_vocabularies(path: Path, tables: Sequence[Table]) -> dict[str, pl.Series]:
    keys = pl.read_parquet(path).sort("id")
    parts = keys.partition_by("table", as_dict=True)  # at once: a filter a table takes ten times
    nothing = keys.clear()
    vocabularies = {table.name: parts.get((table.name,), nothing)["key"] for table in tables}
    for table in tables:
        if FIRST_ID + len(vocabularies[table.name]) != table.num_rows:
            raise ValueError(f"table {table.name!r} does not have {table.num_rows} rows")
    return vocabularies
