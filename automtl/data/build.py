"""From a spec to encoded rows in memory: read, check, split, fit on train rows, encode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.data.columns import check_columns, plain
from automtl.data.encode import Encoder
from automtl.data.labels import check_labels, label_matrix
from automtl.data.read import read_frame
from automtl.data.scaling import finite_numbers
from automtl.data.sequences import items
from automtl.data.split import SPLITS, split_column, split_frame
from automtl.data.synthetic import generate
from automtl.errors import DataError

if TYPE_CHECKING:
    from automtl.spec.schema import DataSpec, Spec

__all__ = ["Encoded", "encode_rows", "raw_columns", "source_columns", "source_frame"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """The arrays of a cache (see `cache.py`): train rows, then valid, then test."""

    encoder: Encoder
    arrays: Mapping[str, npt.NDArray[Any]]
    num_rows: Mapping[str, int]


def encode_rows(spec: Spec) -> Encoded:
    """The rows of `spec`, encoded by an Encoder that has seen train rows only.

    Raises DataError: no rows, an unknown column, a value that is no number, an infinite one, a
    label that is not 0 or 1, a label that never changes in train or valid, an empty split.
    """
    frame = source_frame(spec)
    _check_columns(frame, spec.data)
    tasks = spec.task_schemas()
    columns = {name: task.label for name, task in spec.tasks.items()}
    labels_NK = label_matrix(frame, columns, tasks)
    rows = split_frame(frame, spec.data.split)
    for split in ("train", "valid"):
        check_labels(labels_NK[rows[split]], columns, tasks, split=split)

    encoder = Encoder.fit(frame[rows["train"]], spec)
    order_N = np.concatenate([rows[split] for split in SPLITS])
    inputs = encoder.transform(frame)  # in the order of the source, so that errors name its rows
    return Encoded(
        encoder=encoder,
        arrays={
            "ids": inputs.ids_NC[order_N],
            "numeric": inputs.numeric_NF[order_N],
            "labels": labels_NK[order_N],
            "rows": order_N.astype(np.int64),
        },
        num_rows={split: len(rows[split]) for split in SPLITS},
    )


def _check_columns(frame: pl.DataFrame, data: DataSpec) -> None:
    """Raises DataError for all columns that do not fit their role, with rows of the source."""
    problems = []
    roles = [(plain, data.categorical), (finite_numbers, data.numeric), (items, data.sequence)]
    for check, names in roles:
        for name in names:
            try:
                check(frame[name])
            except DataError as error:
                problems.append(str(error))
    if problems:
        raise DataError("\n".join(problems))


def source_columns(spec: Spec) -> list[str]:
    """The columns that the spec names: features, labels, and what the split reads."""
    data = spec.data
    names = [*data.categorical, *data.numeric, *data.sequence]
    names += [task.label for task in spec.tasks.values()]
    split = split_column(data.split)
    return list(dict.fromkeys([*names, *([split] if split is not None else [])]))


def source_frame(spec: Spec) -> pl.DataFrame:
    """The raw rows of `spec`, only the columns that it names; raises DataError if it has none."""
    frame, data = raw_columns(spec, source_columns(spec)), spec.data
    place = str(data.path) if data.generate is None else f"data.generate {data.generate.name}"
    if frame.is_empty():
        raise DataError(f"{place}: has no rows; a search needs train and valid rows")
    return frame


def raw_columns(spec: Spec, names: Sequence[str]) -> pl.DataFrame:
    """Columns of the source as they are, which the spec need not name, in the order of its rows;
    DataError names those that are not there."""
    if spec.data.path is not None:
        return read_frame(spec.data.path, names, base_dir=spec.base_dir)
    assert spec.data.generate is not None
    frame = generate(spec.data.generate)
    check_columns(names, frame.columns, source=f"data.generate {spec.data.generate.name}")
    return frame.select(names)
