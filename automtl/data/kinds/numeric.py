"""A column of numbers, standardised, with an indicator of what is missing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from automtl.config import NumericFeature, Scale
from automtl.data.batch import Batch
from automtl.data.scaling import (
    Moments,
    Scaling,
    finite_column,
    finite_values,
    fit_edges,
    fit_ranks,
)

__all__ = ["NumericFit", "numeric_features"]


class NumericFit:
    """Adds up what the scaling needs of train rows."""

    def __init__(self, name: str, scale: Scale) -> None:
        self.name, self._scale, self._moments = name, scale, Moments(scale)

    def add(self, batch: Batch, rows: npt.NDArray[np.int64] | None) -> None:
        """Adds the train rows of a batch, those numbered `rows` (None: all); checks every row."""
        read = finite_column if self._scale == "log1p" else finite_values
        numbers_N = read(batch, self.name)
        self._moments.add(numbers_N if rows is None else numbers_N[rows])

    def merge(self, other: NumericFit) -> None:
        self._moments.merge(other._moments)

    def scaling(self, sample: pl.Series) -> Scaling:
        """`sample` is the column in some train rows, by which ranks go."""
        scaling = self._moments.scaling(self.name)
        if self._scale == "quantile":
            return fit_ranks(sample.alias(self.name), indicator=scaling.indicator)
        return scaling

    def edges(self, scaling: Scaling, sample: pl.Series) -> tuple[float, ...]:
        """Of bins that are about equally full; `sample` is the column in some train rows."""
        bounds = () if self._scale == "quantile" else self._moments.bounds()  # ranks are bounded
        return fit_edges(sample, scaling, bounds=bounds)


def numeric_features(scaling: Scaling, edges: tuple[float, ...]) -> list[NumericFeature]:
    """What the column becomes: the number with its bins, and an indicator if it has one."""
    name, *indicators = scaling.outputs
    number = NumericFeature(name=name, edges=edges)
    return [number, *(NumericFeature(name=indicator) for indicator in indicators)]
