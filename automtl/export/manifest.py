"""bundle.json: all that is said about an exported model, and the checksums of its files.

    BUNDLE/
      bundle.json            this manifest
      model.safetensors      the weights
      encoder/               vocabularies (Parquet) and statistics (JSON), of the rows trained on
      model.onnx             the computation for ONNX Runtime over these weights, if asked for
      config.yaml            a spec with every knob fixed, for `automtl train`
      README.md              the model card, for people; may be edited

Nothing here is code and nothing is unpickled. Importing this module imports no torch.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from automtl.analysis.interval import Interval
from automtl.config import (
    FeatureSchema,
    Objective,
    TaskSchema,
    TrainedOn,
    TrialConfig,
    from_jsonable,
    to_jsonable,
)
from automtl.confirmed import ConfirmedModel
from automtl.errors import BundleError

__all__ = [
    "CARD_FILE",
    "CONFIG_FILE",
    "ENCODER_DIR",
    "GRAPH_FILE",
    "LARGEST_MANIFEST_BYTES",
    "MANIFEST_FILE",
    "WEIGHTS_FILE",
    "AucScore",
    "Confirmed",
    "InputColumn",
    "LabelFacts",
    "Manifest",
    "Measured",
    "OnnxGraph",
    "OutputColumn",
    "Provenance",
    "checksums",
    "conditions_of",
    "output_columns",
    "read_manifest",
    "verify_checksums",
    "write_manifest",
]

MANIFEST_FILE = "bundle.json"
WEIGHTS_FILE = "model.safetensors"
GRAPH_FILE = "model.onnx"
CONFIG_FILE = "config.yaml"
CARD_FILE = "README.md"
ENCODER_DIR = "encoder"

FORMAT = "automtl-bundle"
FORMAT_VERSION = 1
LARGEST_MANIFEST_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class InputColumn:
    """A column that the rows to score must have. `length`: how many items of a sequence are read
    (the last ones), or how many numbers every vector has.
    """

    name: str
    kind: Literal["categorical", "numeric", "sequence", "time", "dense"]
    length: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputColumn:
    """A column of predictions. `prediction` is its key in `MultiTaskModel.predict`."""

    name: str
    prediction: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFacts:
    """A task's observed labels in one split: how many, and their mean (binary: the base rate)."""

    task: str
    split: str
    num_observed: int
    mean: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Metrics of one trial by objective name; `test` is None where it was not measured."""

    trial: str
    epochs: float
    validation: Mapping[str, float]
    test: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AucScore:
    """One AUC on some rows; `gap` is AUC minus the reference's on the same rows.

    `space` says which rows. None where it cannot be said: fewer than two rows of a class, no
    reference.
    """

    name: str
    space: str
    num_rows: int
    num_positives: int
    auc: Interval | None
    gap: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where the model comes from. Times are ISO 8601 with offset, "" where unknown."""

    study: str
    trial: str
    role: str
    seed: int
    why: str
    reference_trials: int
    data: tuple[str, ...]
    data_fingerprint: str
    command: str
    trained: str
    exported: str
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """What retraining with fresh seeds found of this configuration (`automtl confirm`): `seeds` of
    them; rows of one value of `group` were taken to depend on each other."""

    seeds: int
    group: str | None
    model: ConfirmedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxGraph:
    """model.onnx: its operator set, and the version of `graph.build` that made it.

    On `rows_compared` rows its predictions were at most `largest_difference` away from torch's
    (`compare.py` says in which units).
    """

    opset: int
    version: int
    rows_compared: int
    largest_difference: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The whole of bundle.json. `test_scores` are this model's AUCs on TEST rows; `trained_on`
    says which rows weights and encoder learned from, and that `num_rows` and `labels` call train.
    """

    features: FeatureSchema
    tasks: tuple[TaskSchema, ...]
    config: TrialConfig
    inputs: tuple[InputColumn, ...]
    outputs: tuple[OutputColumn, ...]
    objectives: tuple[Objective, ...]
    num_rows: Mapping[str, int]
    labels: tuple[LabelFacts, ...]
    costs: Mapping[str, float]
    measured: Measured
    reference: Measured | None
    test_scores: tuple[AucScore, ...]
    provenance: Provenance
    confirmed: Confirmed | None = None
    onnx: OnnxGraph | None = None
    trained_on: TrainedOn = "train"
    checksums: Mapping[str, str] = field(default_factory=dict)
    format: Literal["automtl-bundle"] = "automtl-bundle"
    format_version: int = FORMAT_VERSION


def output_columns(tasks: tuple[TaskSchema, ...]) -> tuple[OutputColumn, ...]:
    """`p_click`, `p_long_view` (after a click), `p_long_view_and_click` (over all rows);
    `predicted_watch_time` for a regression task.
    """
    given = {task.name: task.given for task in tasks}
    outputs: list[OutputColumn] = []
    for task in tasks:
        conditions = conditions_of(task.name, given)
        after = f" | {', '.join(conditions)}" if conditions else ""
        if task.kind == "regression":
            meaning = f"{task.name}{after}, in the label's own units"
            outputs.append(_output(f"predicted_{task.name}", task.name, meaning))
            continue
        outputs.append(_output(f"p_{task.name}", task.name, f"P({task.name}{after})"))
        if conditions:
            chain = [task.name, *conditions]
            meaning = f"P({', '.join(chain)})"
            outputs.append(_output(f"p_{'_and_'.join(chain)}", f"{task.name}.joint", meaning))
    return tuple(outputs)


def _output(name: str, prediction: str, meaning: str) -> OutputColumn:
    return OutputColumn(name=name, prediction=prediction, meaning=meaning)


def conditions_of(task: str, given: Mapping[str, str | None]) -> list[str]:
    """A task's condition, the condition's condition, …"""
    condition = given[task]
    return [] if condition is None else [condition, *conditions_of(condition, given)]


# ---- the file ------------------------------------------------------------------------------


def write_manifest(manifest: Manifest, directory: Path) -> None:
    text = json.dumps(to_jsonable(manifest), indent=2, ensure_ascii=False, allow_nan=False)
    (directory / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")


def read_manifest(directory: Path) -> Manifest:
    """BundleError if `directory` holds no manifest, a foreign one or one of a later format, or
    cannot be read."""
    path = directory / MANIFEST_FILE
    with _unreadable_told(directory):
        if not path.is_file():
            raise BundleError(
                f"{directory}: not an exported model, it has no {MANIFEST_FILE}; "
                "give the directory that `automtl export` wrote"
            )
        if path.stat().st_size > LARGEST_MANIFEST_BYTES:
            raise BundleError(f"{path}: too large for a manifest of automtl")
        content = path.read_bytes()
    try:
        plain: Any = json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path}: damaged, it is not JSON ({error}); export again") from error
    if not isinstance(plain, dict) or plain.get("format") != FORMAT:
        raise BundleError(f"{path}: not a bundle of automtl")
    if plain.get("format_version") != FORMAT_VERSION:
        raise BundleError(
            f"{path}: format {plain.get('format_version')}, this automtl reads "
            f"{FORMAT_VERSION}; use the version that wrote it, or export again"
        )
    try:
        manifest = from_jsonable(Manifest, plain)
    except ValueError as error:
        raise BundleError(f"{path}: damaged {error}; export again") from error
    _check_tasks(path, manifest)
    return manifest


@contextmanager
def _unreadable_told(directory: Path) -> Iterator[None]:
    """Within it a name that is too long, or no right to read, is a BundleError."""
    try:
        yield
    except OSError as error:
        place = error.filename or directory
        raise BundleError(
            f"{place}: cannot be read ({error.strerror or error}); give a directory that "
            "`automtl export` wrote and that you may read"
        ) from error


def _check_tasks(path: Path, manifest: Manifest) -> None:
    """BundleError unless conditions end, units are numbers, and the outputs are those of tasks."""
    before: set[str] = set()
    waiting = list(manifest.tasks)
    while ready := [task for task in waiting if task.given is None or task.given in before]:
        before |= {task.name for task in ready}
        waiting = [task for task in waiting if task not in ready]
    if waiting or len(before) != len(manifest.tasks):
        raise BundleError(f"{path}: damaged at tasks: conditions that lead nowhere; export again")
    if not all(math.isfinite(number) for one in manifest.tasks for number in (one.mean, one.std)):
        raise BundleError(f"{path}: damaged at tasks: a unit that is no number; export again")
    if manifest.outputs != output_columns(manifest.tasks):
        raise BundleError(f"{path}: damaged at outputs: not those of its tasks; export again")


def checksums(directory: Path) -> dict[str, str]:
    """SHA-256 of every file but the manifest and the card, by path from `directory`."""
    return {name: _sha256(directory / name) for name in _files(directory)}


def _files(directory: Path) -> list[str]:
    """The paths, from `directory`, of all that has a checksum."""
    files = (path for path in sorted(directory.rglob("*")) if path.is_file())
    names = [path.relative_to(directory).as_posix() for path in files]
    return [name for name in names if name not in (MANIFEST_FILE, CARD_FILE)]


def verify_checksums(manifest: Manifest, directory: Path) -> None:
    """BundleError, with every file that is missing or differs, unless all are as written."""
    with _unreadable_told(directory):
        _verify(manifest, directory)


def _verify(manifest: Manifest, directory: Path) -> None:
    listed = manifest.checksums
    strange = [name for name in listed if not _is_inside(name)]
    if strange:
        raise BundleError(f"{directory}: foreign, it names a file outside itself: {strange[0]!r}")
    if WEIGHTS_FILE not in listed or not any(name.startswith(ENCODER_DIR) for name in listed):
        raise BundleError(f"{directory}: damaged, weights or encoder have no checksum")
    # whatever is read must be listed: an added file is as suspicious as a changed one
    unlisted = sorted(set(_files(directory)) - listed.keys())
    links = [name for name in listed if (directory / name).is_symlink()]
    missing = [name for name in listed if not (directory / name).is_file()]
    changed = [
        name
        for name, digest in listed.items()
        if name not in (*missing, *links) and _sha256(directory / name) != digest
    ]
    problems = [
        *(f"{name} is missing" for name in missing),
        *(f"{name} is a link" for name in links),
        *(f"{name} differs from its checksum" for name in changed),
        *(f"{name} does not belong to it" for name in unlisted if _is_read(name)),
    ]
    if problems:
        raise BundleError(f"{directory}: damaged: {'; '.join(problems)}; copy or export it again")


def _is_read(name: str) -> bool:
    """Whether loading looks at a file of this name."""
    return name.startswith(ENCODER_DIR) or name == GRAPH_FILE


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
