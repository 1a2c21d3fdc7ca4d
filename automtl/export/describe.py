"""All that is said about an exported trial, measured here with the weights that are shipped."""

from __future__ import annotations

import datetime as dt
import math
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import numpy as np

import automtl
from automtl.config import MODEL_COSTS
from automtl.data.cache import EncodedData
from automtl.data.encode import Encoder
from automtl.errors import BundleError, RunError
from automtl.export.manifest import (
    AucScore,
    InputColumn,
    LabelFacts,
    Manifest,
    Measured,
    Provenance,
    output_columns,
)
from automtl.export.pick import Pick
from automtl.export.scores import Predictions, auc_scores
from automtl.export.standing import Trained, trained
from automtl.export.weights import load_model
from automtl.models.model import MultiTaskModel
from automtl.study import Study, TrialRecord
from automtl.training.fit import predict_rows
from automtl.training.metrics import evaluate

__all__ = ["describe", "model_of", "weights_of"]

# a trial that ran on a GPU gives slightly other numbers here; weights of another trial do not
LARGEST_DRIFT = 1e-3


def weights_of(source: Trained) -> Path:
    """The weights of a training; RunError that says why there are none and what to do."""
    study, record = source.study, source.record
    path = study.weights_path(record.number)
    if path.is_file():
        return path
    kept = ", ".join(trial.id for trial in study.trials() if trial.has_weights) or "none"
    raise RunError(
        f"{study.run_dir}: {record.id} has no weights any more, only trials that can still be "
        f"picked keep theirs ({kept}); pick one of these, or train it again: write a spec with "
        f"its knobs fixed and run `automtl search` on it"
    )


def model_of(source: Trained, data: EncodedData) -> MultiTaskModel:
    """The model that a training left; RunError if its weights are gone, BundleError if they are
    damaged or another model's."""
    config = source.record.config.model
    return load_model(weights_of(source), config, data.features, data.tasks)


def describe(study: Study, pick: Pick, data: EncodedData) -> Manifest:
    """The manifest of a trial, without checksums.

    Validation metrics are those that the trial was judged by; test metrics are measured now, and
    those of the single_task reference beside them where its weights are kept. RunError if the
    weights do not give the trial's validation metrics again.
    """
    source, reference = pick.trained, study.reference()
    beside = None if reference is None else trained(study, reference)
    model = _model(source, data)
    valid = predict_rows(model, data.rows("valid"))
    seen = evaluate(valid, np.asarray(data.rows("valid").labels_NK), data.tasks)
    _check_reproduces(source, seen)

    record = source.record
    test = predict_rows(model, data.rows("test")) if data.num_rows["test"] else None
    beside_test: Predictions | None = None
    is_reference = reference is not None and reference.number == pick.record.number
    if test is not None and beside is not None and beside.record.has_weights:
        beside_test = (
            test if is_reference else predict_rows(_model(beside, data), data.rows("test"))
        )
    return Manifest(
        features=data.features,
        tasks=data.tasks,
        config=record.config,
        inputs=_inputs(data.encoder),
        outputs=output_columns(data.tasks),
        objectives=study.objectives,
        num_rows={split: len(data.rows(split)) for split in data.num_rows},
        labels=_labels(data),
        costs={name: value for name, value in record.metrics.items() if name in MODEL_COSTS},
        measured=_measured(pick.record.id, record, test, data),
        reference=None
        if reference is None or beside is None
        else _measured(reference.id, beside.record, beside_test, data),
        test_scores=_scores(test, None if is_reference else beside_test, data),
        provenance=_provenance(study, pick),
        confirmed=pick.confirmed,
        trained_on=data.trained_on,
    )


def _model(source: Trained, data: EncodedData) -> MultiTaskModel:
    try:
        return model_of(source, data)
    except BundleError as error:
        raise RunError(
            f"{source.study.run_dir}: {source.record.id} cannot be exported: {error}"
        ) from error


def _check_reproduces(source: Trained, seen: Mapping[str, float]) -> None:
    for name, value in seen.items():
        told = source.record.metrics.get(name, math.nan)
        if math.isfinite(told) and not math.isclose(
            value, told, rel_tol=LARGEST_DRIFT, abs_tol=LARGEST_DRIFT
        ):
            raise RunError(
                f"{source.study.run_dir}: {source.record.id} cannot be exported: its weights give "
                f"{name} {value:.6f} on validation rows, the trial had {told:.6f}; they are not "
                "its own"
            )


def _measured(
    trial: str, record: TrialRecord, test: Predictions | None, data: EncodedData
) -> Measured:
    on_test = None
    if test is not None:
        on_test = evaluate(test, np.asarray(data.rows("test").labels_NK), data.tasks)
    return Measured(
        trial=trial,
        epochs=record.config.train.epochs,
        validation=_finite(record.metrics),
        test=None if on_test is None else _finite(on_test),
    )


def _scores(
    test: Predictions | None, reference: Predictions | None, data: EncodedData
) -> tuple[AucScore, ...]:
    if test is None:
        return ()
    labels_NK = np.asarray(data.rows("test").labels_NK)
    return auc_scores(labels_NK, data.tasks, test, reference=reference)


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics of tasks that could be measured (JSON knows no NaN)."""
    return {
        name: value
        for name, value in metrics.items()
        if name not in MODEL_COSTS and math.isfinite(value)
    }


def _inputs(encoder: Encoder) -> tuple[InputColumn, ...]:
    features = encoder.features
    return (
        *(InputColumn(name=one.name, kind="categorical") for one in encoder.keyed),
        *(InputColumn(name=one.name, kind="numeric") for one in encoder.scalings),
        *(InputColumn(name=one.name, kind="numeric") for one in encoder.buckets),
        *(
            InputColumn(name=one.name, kind="sequence", length=one.max_len)
            for one in features.sequence
        ),
        *(InputColumn(name=name, kind="time") for name in encoder.time_columns),
        *(InputColumn(name=one.name, kind="dense", length=len(one.means)) for one in encoder.dense),
    )


def _labels(data: EncodedData) -> tuple[LabelFacts, ...]:
    facts: list[LabelFacts] = []
    for split in (name for name, count in data.num_rows.items() if count):
        labels_NK = np.asarray(data.rows(split).labels_NK)
        for column, task in enumerate(data.tasks):
            known_N = labels_NK[~np.isnan(labels_NK[:, column]), column]
            mean = float(known_N.mean(dtype=np.float64)) if known_N.size else 0.0
            facts.append(
                LabelFacts(task=task.name, split=split, num_observed=known_N.size, mean=mean)
            )
    return tuple(facts)


def _provenance(study: Study, pick: Pick) -> Provenance:
    record = pick.trained.record
    path = study.spec.data.path
    files = () if path is None else (path,) if isinstance(path, str) else tuple(path)
    generated = study.spec.data.generate
    return Provenance(
        study=study.spec.name,
        trial=pick.record.id,
        role=pick.record.role,
        seed=record.seed,
        why=pick.why,
        reference_trials=sum(
            one.role == "reference" and one.state == "complete" for one in study.trials()
        ),
        data=files if generated is None else (f"generated rows: {generated.name}",),
        data_fingerprint=study.meta["data"]["fingerprint"],
        command=study.meta["command"],
        trained="" if record.finished is None else record.finished.isoformat(timespec="seconds"),
        exported=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        versions={
            "automtl": automtl.__version__,
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in ("numpy", "polars", "torch")},
        },
    )
