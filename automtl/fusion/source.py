"""What a score is made of: a run or a bundle -> a trained model, its reference, and their rows.

Shapes: N rows of a split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from automtl.analysis import text
from automtl.data.build import raw_columns
from automtl.data.cache import EncodedData, Report, open_data
from automtl.data.expression import label_columns
from automtl.data.header import column_names
from automtl.data.paths import data_files
from automtl.data.synthetic import generate
from automtl.errors import BundleError, RunError
from automtl.export.bundle import Bundle
from automtl.export.describe import model_of
from automtl.export.manifest import CONFIG_FILE, MANIFEST_FILE, output_columns
from automtl.export.pick import pick
from automtl.export.standing import Trained as Training
from automtl.export.standing import trained
from automtl.models.model import MultiTaskModel
from automtl.rundir import META
from automtl.spec.load import load_spec
from automtl.spec.schema import Spec
from automtl.study import Study
from automtl.study_rows import encoded_data
from automtl.training.fit import predict_rows

__all__ = ["Source", "Trained", "open_source"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """One trial with its weights; `why` it, in one sentence."""

    trial: str
    name: str
    why: str
    model: MultiTaskModel


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """A picked model, the single_task reference (None: `no_reference` says why), and the rows."""

    spec: Spec
    data: EncodedData
    picked: Trained
    reference: Trained | None
    no_reference: str = ""

    @property
    def outputs(self) -> Mapping[str, str]:
        """Every name of a prediction -> its key: `p_buy_and_click`, …, and the tasks' own names,
        which stand for what the model says of the task (after its condition)."""
        named = {one.name: one.prediction for one in output_columns(self.data.tasks)}
        return {task.name: task.name for task in self.data.tasks} | named

    @property
    def labels(self) -> Mapping[str, str]:
        """The columns of the data that labels are made of -> their task."""
        return {
            column: name
            for name, task in self.spec.tasks.items()
            for column in label_columns(task.label)
        }

    def predict(self, trained: Trained, split: str) -> dict[str, NDArray[np.float64]]:
        """Predictions [N] by key for the rows of a split."""
        found = predict_rows(trained.model, self.data.rows(split))
        return {name: values.astype(np.float64) for name, values in found.items()}

    def columns(self) -> list[str]:
        """The names of all columns of the data, those that the spec leaves out included."""
        path, generated = self.spec.data.path, self.spec.data.generate
        if path is None:
            assert generated is not None
            return generate(generated).columns
        return column_names(data_files(path, base_dir=self.spec.base_dir)[0])

    def raw(self, names: Sequence[str]) -> pl.DataFrame:
        """Columns of the data as they are, all rows in the order of the source; DataError names
        those that are not there."""
        return raw_columns(self.spec, names)


def open_source(place: Path, *, how: str | None = None, report: Report | None = None) -> Source:
    """The trial `how` (`export.pick`; None: the knee) of a run, or what a bundle holds.

    `report` is told how far encoding is, where that must be done again.

    RunError or BundleError if `place` is neither, or its weights or rows are no longer there.
    """
    if (place / META).exists():
        return _of_run(Study.open(place), how or "knee", report)
    if (place / MANIFEST_FILE).exists():
        if how is not None:
            raise BundleError(f"{place}: --pick {how}: a bundle is one trial; leave --pick out")
        return _of_bundle(place, report)
    raise RunError(
        f"{place}: neither a run (it has no {META}) nor a bundle (no {MANIFEST_FILE}); give the "
        "directory of `automtl search` or `automtl export`"
    )


def _of_run(study: Study, how: str, report: Report | None) -> Source:
    chosen, reference = pick(study, how), study.reference()
    data = encoded_data(study, report=report)
    picked = _opened(chosen.trained, data, trial=chosen.record.id, why=chosen.why)
    zero, why_not = None, ""
    beside = None if reference is None else trained(study, reference)
    if reference is None or beside is None:
        why_not = "the run has no complete single_task reference"
    elif reference.number == chosen.record.number:
        why_not = f"{reference.id} is the single_task reference itself"
    elif not beside.record.has_weights:
        why_not = f"the weights of {reference.id} are gone"
    else:
        zero = _opened(beside, data, trial=reference.id, why="the tuned single_task")
    return Source(spec=study.spec, data=data, picked=picked, reference=zero, no_reference=why_not)


def _opened(training: Training, data: EncodedData, *, trial: str, why: str) -> Trained:
    name = text.model_name(training.record.config)
    return Trained(trial=trial, name=name, why=why, model=model_of(training, data))


def _of_bundle(place: Path, report: Report | None) -> Source:
    bundle = Bundle.load(place, engine="torch")
    manifest = bundle.manifest
    if manifest.trained_on != "train":
        raise BundleError(
            f"{place}: was trained on valid rows too, and a score is chosen on rows that the model "
            "has not seen; give the run, or the bundle that `automtl export` wrote of it"
        )
    spec = load_spec(place / CONFIG_FILE)
    data = open_data(spec, report=report)
    if data.fingerprint != manifest.provenance.data_fingerprint:
        raise BundleError(
            f"{place}: the rows that its {CONFIG_FILE} names ({spec.data.path}) are not those of "
            "the search; put the old files back, or export from a search of the new ones"
        )
    return Source(
        spec=spec,
        data=data,
        picked=Trained(
            trial=manifest.measured.trial,
            name=text.model_name(manifest.config),
            why=manifest.provenance.why,
            model=bundle.model,
        ),
        reference=None,
        no_reference="a bundle holds no single_task reference, its run does",
    )
