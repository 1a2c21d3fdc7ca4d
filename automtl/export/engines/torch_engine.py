"""Predictions by torch, on the CPU."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np

from automtl.data.cache import Rows
from automtl.data.encode import Inputs
from automtl.export.engines.engine import Predictions
from automtl.export.manifest import WEIGHTS_FILE, Manifest
from automtl.export.weights import load_model
from automtl.models.model import MultiTaskModel
from automtl.training.fit import predict_rows

__all__ = ["TorchEngine"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TorchEngine:
    """A plain nn.Module; computes with as many threads as torch is told to."""

    model: MultiTaskModel
    name: Literal["torch"] = "torch"

    @classmethod
    def open(cls, directory: Path, manifest: Manifest) -> Self:
        """BundleError if the weights are damaged, or not those of the model of the manifest."""
        config = manifest.config.model
        path = directory / WEIGHTS_FILE
        return cls(model=load_model(path, config, manifest.features, manifest.tasks))

    def predict(self, inputs: Inputs) -> Predictions:
        no_labels = np.empty((len(inputs.ids_NC), 0), dtype=np.float32)
        rows = Rows(ids_NC=inputs.ids_NC, numeric_NF=inputs.numeric_NF, labels_NK=no_labels)
        return predict_rows(self.model, rows)
