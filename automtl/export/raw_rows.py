"""The rows of files to score, batch by batch: what may be missing is, without an error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

import pyarrow as pa

from automtl.data.batch import Batch
from automtl.data.columns import did_you_mean
from automtl.data.delimited import UTF8
from automtl.data.files import Place, size_of
from automtl.data.header import column_names
from automtl.data.source import FileSource
from automtl.errors import DataError

__all__ = ["RawRows"]


class RawRows:
    """The rows of all files, one after the other, with `needed` columns and those of the model.

    The columns of each file are looked at before any row is read. DataError names every column
    that a file lacks, unless it is one of the model's and `missing_ok`: then its rows count as
    rows without a value, and `absent` counts them. Text files are in `encoding`; there the texts
    `missing` stand for no value.
    """

    def __init__(
        self,
        files: Sequence[Place],
        *,
        model: Collection[str],
        needed: Collection[str] = (),
        missing_ok: bool = False,
        missing: Sequence[str] = (),
        encoding: str = UTF8,
    ) -> None:
        self._files, self._missing, self._encoding = files, missing, encoding
        self.columns = tuple(dict.fromkeys([*needed, *model]))
        self.absent: Counter[str] = Counter()
        self._lacks: dict[Place, frozenset[str]] = {}
        for file in files:
            present = column_names(file, encoding=encoding)
            lacking = [name for name in self.columns if name not in present]
            wrong = [name for name in lacking if name in needed or not missing_ok]
            if wrong:
                raise _lacks(file, wrong, present, may_be_left_out=not set(wrong) & set(needed))
            self._lacks[file] = frozenset(lacking)

    def batches(self) -> Iterator[Batch]:
        """Every batch has all columns; `done` is the share of the bytes of all files."""
        sizes = [size_of(file) for file in self._files]
        total, before, start = max(1, sum(sizes)), 0, 0
        for file, size in zip(self._files, sizes, strict=True):
            lacking = self._lacks[file]
            own = [name for name in self.columns if name not in lacking]
            # a file without any of them still says how many rows it has
            read = own or column_names(file, encoding=self._encoding)[:1]
            source = FileSource([file], encoding=self._encoding, missing=self._missing)
            for part in source.batches(read):
                columns = {name: part.array(name) for name in own}
                columns |= {name: pa.nulls(part.height, pa.string()) for name in lacking}
                self.absent.update(dict.fromkeys(lacking, part.height))
                arrays = [columns[name] for name in self.columns]
                yield part.with_rows(
                    pa.RecordBatch.from_arrays(arrays, names=list(self.columns)),
                    start=start,
                    done=(before + part.done * size) / total,
                )
                start += part.height
            before += size


def _lacks(
    file: Place, names: Sequence[str], present: Sequence[str], *, may_be_left_out: bool
) -> DataError:
    listed = ", ".join(f"{name!r}{did_you_mean(name, present)}" for name in names)
    hint = "; --missing-ok takes every value there as missing" if may_be_left_out else ""
    plural = "s" if len(names) > 1 else ""
    return DataError(f"{file}: no column{plural} {listed}; it has: {', '.join(present)}{hint}")
