"""Rows in memory, as a Trainer reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from automtl.config import FeatureSchema, TaskSchema
from automtl.data.cache import Rows

__all__ = ["ArrayData", "EncodedRows"]


class EncodedRows(Protocol):
    """Like `automtl.data.cache.Rows`."""

    @property
    def ids_NC(self) -> NDArray[np.int32]: ...
    @property
    def numeric_NF(self) -> NDArray[np.float32]: ...
    @property
    def labels_NK(self) -> NDArray[np.float32]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayData:
    """Splits by name; a Trainer trains on `train` and measures on `valid`."""

    features: FeatureSchema
    tasks: tuple[TaskSchema, ...]
    splits: Mapping[str, EncodedRows]

    def rows(self, split: str) -> Rows:
        part = self.splits[split]
        return Rows(ids_NC=part.ids_NC, numeric_NF=part.numeric_NF, labels_NK=part.labels_NK)
