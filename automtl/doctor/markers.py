"""Texts such as `\\N` and `NULL` that are ids of a column, though they often stand for no value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from automtl.data.cache import EncodedData
from automtl.doctor.finding import Finding
from automtl.doctor.sample import Column, Sample
from automtl.spec.schema import Spec

__all__ = ["check_markers"]

FEW = 5  # rows: a name or two may be Null


def check_markers(
    spec: Spec, data: EncodedData, columns: Sequence[Column], samples: Mapping[str, Sample]
) -> Iterator[Finding]:
    """Of text files, whose numbers are missing where such a text stands: their ids are not."""
    from automtl.data.columns import MISSING_NUMBERS  # polars: whoever comes here pays for it
    from automtl.data.header import separator

    if spec.data.path is None or all(separator(file) is None for file in spec.data_files()):
        return
    ids = data.ids_of([text for text in MISSING_NUMBERS if text])
    tables = {one.name: one.table for one in data.features.categorical}
    for column in columns:
        known = ids.get(tables.get(column.name, ""), {})
        if column.kind != "categorical" or not known:
            continue
        codes_J = np.concatenate([sample.codes(column) for sample in samples.values()])
        counts = {text: np.count_nonzero(codes_J == id_) for text, id_ in known.items()}
        found = [text for text, count in counts.items() if count > FEW]
        if found:
            said = " and ".join(f"{text!s} in {counts[text]:,} rows" for text in found)
            listed = ", ".join(f"'{text}'" for text in found)
            yield Finding(
                severity="warning",
                check="missing_texts",
                place=column.place,
                says=f"has {said} as an id like any other",
                write=f"if it stands for no value, write data.missing: [{listed}]",
            )
