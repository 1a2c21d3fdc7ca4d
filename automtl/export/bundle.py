"""A trial as a directory that can be moved, checked and served: writing it, loading it, scoring.

What is in it: `manifest.py`. Loading runs no code from the directory and unpickles nothing.

Shapes: N rows.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from automtl.config import TaskSchema
from automtl.data.cache import Rows
from automtl.data.columns import check_columns
from automtl.data.encode import Encoder, Inputs
from automtl.errors import BundleError, DataError, RunError
from automtl.export.card import config_yaml, render_card
from automtl.export.describe import describe, weights_of
from automtl.export.manifest import (
    CARD_FILE,
    CONFIG_FILE,
    ENCODER_DIR,
    WEIGHTS_FILE,
    Manifest,
    checksums,
    read_manifest,
    verify_checksums,
    write_manifest,
)
from automtl.export.pick import Pick
from automtl.export.weights import load_model
from automtl.models.model import MultiTaskModel
from automtl.study import Study
from automtl.study_rows import encoded_data
from automtl.training.fit import predict_rows

__all__ = ["Bundle", "export_bundle"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bundle:
    """An exported model, ready to score raw rows on the CPU."""

    directory: Path
    manifest: Manifest
    encoder: Encoder
    model: MultiTaskModel

    @classmethod
    def load(cls, directory: str | Path) -> Bundle:
        """BundleError if it is no bundle, of a later format, damaged, or does not fit together."""
        directory = Path(directory)
        manifest = read_manifest(directory)
        verify_checksums(manifest, directory)
        try:
            encoder = Encoder.load(directory / ENCODER_DIR)
        except DataError as error:
            raise BundleError(f"{directory}: damaged: {error}") from error
        if (encoder.features, encoder.tasks) != (manifest.features, manifest.tasks):
            raise BundleError(f"{directory}: foreign: the encoder is not that of the manifest")
        model = load_model(
            directory / WEIGHTS_FILE, manifest.config.model, manifest.features, manifest.tasks
        )
        return cls(directory=directory, manifest=manifest, encoder=encoder, model=model)

    @property
    def tasks(self) -> tuple[TaskSchema, ...]:
        return self.manifest.tasks

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """A row of predictions for each row of `frame`, in its order; columns as in
        `manifest.outputs` (float32).

        Labels are not needed, other columns are ignored; ids never seen in train and missing
        values are handled as in training. BundleError names the columns that are missing,
        DataError a value that does not fit its column.
        """
        return self.score(self.encode(frame))

    def encode(self, frame: pl.DataFrame) -> Inputs:
        """The first half of `predict`: raw rows as the model reads them."""
        try:
            check_columns(self.encoder.columns, frame.columns, source="rows to score")
        except DataError as error:
            raise BundleError(str(error)) from error
        return self.encoder.transform(frame)

    def score(self, inputs: Inputs) -> pl.DataFrame:
        """The second half of `predict`."""
        outputs = self.manifest.outputs
        num_rows = len(inputs.ids_NC)
        if not num_rows:
            return pl.DataFrame(schema={one.name: pl.Float32 for one in outputs})
        no_labels = np.empty((num_rows, 0), dtype=np.float32)
        rows = Rows(ids_NC=inputs.ids_NC, numeric_NF=inputs.numeric_NF, labels_NK=no_labels)
        predictions = predict_rows(self.model, rows)
        return pl.DataFrame({one.name: predictions[one.prediction] for one in outputs})


def export_bundle(study: Study, pick: Pick, to_dir: str | Path) -> Path:
    """Writes the picked trial as a bundle at `to_dir` and returns its absolute path.

    There is all of it or nothing. RunError if something is there already, if it cannot be
    written, or if the trial's weights or the study's encoder are gone.
    """
    target = Path(to_dir).absolute()
    _check_new(target)
    weights = weights_of(pick.trained)
    data = encoded_data(study)
    manifest = describe(study, pick, data)
    with _written_whole(target) as aside:
        shutil.copyfile(weights, aside / WEIGHTS_FILE)
        data.encoder.save(aside / ENCODER_DIR)
        config = config_yaml(study.spec, manifest)
        (aside / CONFIG_FILE).write_text(config, encoding="utf-8")
        manifest = dataclasses.replace(manifest, checksums=checksums(aside))
        (aside / CARD_FILE).write_text(render_card(manifest), encoding="utf-8")
        write_manifest(manifest, aside)
        Bundle.load(aside)  # what cannot be read back is not handed out
    return target


def _check_new(target: Path) -> None:
    if target.exists() and not target.is_dir():
        raise RunError(f"{target}: this is a file; choose another --to")
    if target.is_dir() and any(target.iterdir()):
        raise RunError(
            f"{target}: the directory is not empty and is never overwritten; choose another --to"
        )
    parent = next(place for place in target.parents if place.exists())
    if not (parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)):
        raise RunError(f"{target}: cannot write in {parent}; choose another --to")


@contextmanager
def _written_whole(target: Path) -> Iterator[Path]:
    """A directory beside `target` that becomes `target` if the block ends well, else nothing."""
    aside = target.parent / f".{target.name}.{uuid.uuid4().hex[:8]}"
    try:
        aside.mkdir(parents=True)
        yield aside
        aside.rename(target)  # an empty directory may be there; a filled one makes it fail
    except OSError as error:
        raise RunError(
            f"{target}: cannot write the bundle ({error.strerror or error}); choose another --to"
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
