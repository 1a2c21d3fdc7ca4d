"""What an engine is: a model that is ready to predict."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from automtl.data.encode import Inputs

__all__ = ["Engine", "EngineName", "Predictions"]

EngineName = Literal["torch", "onnx"]
Predictions = dict[str, NDArray[np.float32]]


class Engine(Protocol):
    """A model that is ready."""

    @property
    def name(self) -> EngineName: ...

    def predict(self, inputs: Inputs) -> Predictions:
        """[N] float32 for each `OutputColumn.prediction`, of one row or more."""
