"""A column of numbers that becomes an id: the bucket of train's values that it falls into."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.config import CategoricalFeature, Table
from automtl.data.batch import Batch
from automtl.data.scaling import finite_array, finite_column, inner_edges
from automtl.data.vocabulary import FIRST_ID, MISSING

__all__ = ["Buckets", "BucketsFit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """The inner edges, rising, in the column's own unit: a value at an edge is above it."""

    name: str
    edges: tuple[float, ...]

    def feature(self) -> CategoricalFeature:
        return CategoricalFeature(name=self.name, table=self.name)

    def table(self) -> Table:
        return Table(name=self.name, num_rows=FIRST_ID + len(self.edges) + 1)

    def ids(self, batch: Batch) -> npt.NDArray[np.int32]:
        """The id of each row [N]: MISSING, or those of the buckets, the lowest first."""
        numbers_N = finite_column(batch, self.name)
        places_N = np.searchsorted(np.array(self.edges), numbers_N, side="right")
        return np.where(np.isnan(numbers_N), MISSING, FIRST_ID + places_N).astype(np.int32)


class BucketsFit:
    """Checks the numbers; where they are cut follows from a sample of train rows."""

    def __init__(self, name: str, *, num_buckets: int) -> None:
        self.name, self._num_buckets = name, num_buckets

    def add(self, batch: Batch, rows: npt.NDArray[np.int64] | None) -> None:
        """Checks every row of a batch."""
        finite_column(batch, self.name)

    def merge(self, other: BucketsFit) -> None:
        """Nothing is gathered."""

    def buckets(self, sample: pl.Series) -> Buckets:
        """About equally full ones; a value that alone would fill one has its own."""
        edges_E = inner_edges(finite_array(sample), self._num_buckets)
        return Buckets(name=self.name, edges=tuple(edges_E.tolist()))
