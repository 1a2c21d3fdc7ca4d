"""An exported model: loading it, scoring rows with it. Importing this imports no torch.

What is in it: `manifest.py`; who writes it: `write.py`; who computes: `engines/`. Loading runs no
code from the directory and unpickles nothing.

Shapes: N rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from automtl.config import TaskSchema
from automtl.data.columns import check_columns
from automtl.data.encode import Encoder, Inputs
from automtl.data.frames import as_polars
from automtl.errors import BundleError, DataError
from automtl.export.engines.choose import EngineChoice, open_engine, open_torch
from automtl.export.engines.engine import Engine
from automtl.export.manifest import ENCODER_DIR, Manifest, read_manifest, verify_checksums

if TYPE_CHECKING:
    from automtl.export.engines.torch_engine import TorchEngine
    from automtl.models.model import MultiTaskModel

__all__ = ["Bundle"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bundle:
    """An exported model, ready to score raw rows on the CPU."""

    directory: Path
    manifest: Manifest
    encoder: Encoder
    engine: Engine

    @classmethod
    def load(
        cls, directory: str | Path, *, engine: EngineChoice = "auto", num_threads: int = 0
    ) -> Bundle:
        """`engine` computes: `auto` is ONNX Runtime where the bundle has a graph for it and the
        extra `onnx` is installed, else torch. `num_threads` of ONNX Runtime share a batch, 0: one a
        core; with 1 several batches at once do not get into each other's way. Those of torch are
        the process's (`threads.single_threaded`).

        BundleError if it is no bundle, of a later format, damaged, or does not fit together, or if
        it has no graph for the engine; MissingPackageError if the engine is not installed.
        """
        directory = Path(directory)
        manifest = read_manifest(directory)
        verify_checksums(manifest, directory)
        try:
            encoder = Encoder.load(directory / ENCODER_DIR)
        except DataError as error:
            raise BundleError(f"{directory}: damaged: {error}") from error
        if (encoder.features, encoder.tasks) != (manifest.features, manifest.tasks):
            raise BundleError(f"{directory}: foreign: the encoder is not that of the manifest")
        return cls(
            directory=directory,
            manifest=manifest,
            encoder=encoder,
            engine=open_engine(directory, manifest, engine, num_threads=num_threads),
        )

    def __repr__(self) -> str:
        model = self.manifest.config.model
        tasks = ", ".join(task.name for task in self.tasks)
        return (
            f"<automtl.Bundle {self.manifest.provenance.study} {self.manifest.provenance.trial}: "
            f"{model.family}, {self.manifest.costs['params']:,.0f} parameters, for {tasks}; "
            f"in {self.directory}>"
        )

    @property
    def tasks(self) -> tuple[TaskSchema, ...]:
        return self.manifest.tasks

    @property
    def model(self) -> MultiTaskModel:
        """The nn.Module; read from the bundle where another engine computes. MissingPackageError
        if torch is not installed."""
        is_torch = self.engine.name == "torch"
        opened = self.engine if is_torch else open_torch(self.directory, self.manifest)
        return cast("TorchEngine", opened).model

    def predict(self, frame: Any) -> pl.DataFrame:
        """A row of predictions for each row of `frame` (a polars or pandas frame, or an Arrow
        table), in its order; columns as in `manifest.outputs` (float32).

        Labels are not needed, other columns are ignored; ids never seen in train and missing
        values are handled as in training. BundleError names the columns that are missing,
        DataError a value that does not fit its column.
        """
        return self.score(self.encode(frame))

    def encode(self, frame: Any) -> Inputs:
        """The first half of `predict`: raw rows as the model reads them."""
        rows = as_polars(frame, self.encoder.columns)
        try:
            check_columns(self.encoder.columns, rows.columns, source="rows to score")
        except DataError as error:
            raise BundleError(str(error)) from error
        return self.encoder.transform(rows)

    def score(self, inputs: Inputs) -> pl.DataFrame:
        """The second half of `predict`."""
        outputs = self.manifest.outputs
        if not len(inputs.ids_NC):
            return pl.DataFrame(schema={one.name: pl.Float32 for one in outputs})
        predictions = self.engine.predict(inputs)
        return pl.DataFrame({one.name: predictions[one.prediction] for one in outputs})
