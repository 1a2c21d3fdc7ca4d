"""A trial as a directory that can be moved, checked and served: all of it or nothing.

What is in it: `manifest.py`; who reads it: `bundle.py`.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from automtl.data.cache import EncodedData, Report
from automtl.errors import RunError
from automtl.export.bundle import Bundle
from automtl.export.card import config_yaml, render_card
from automtl.export.describe import describe, weights_of
from automtl.export.manifest import (
    CARD_FILE,
    CONFIG_FILE,
    ENCODER_DIR,
    WEIGHTS_FILE,
    Manifest,
    checksums,
    write_manifest,
)
from automtl.export.pick import Pick
from automtl.extras import require
from automtl.study import Study
from automtl.study_rows import encoded_data

__all__ = ["check_new_bundle", "export_bundle"]

Format = Literal["torch", "onnx", "all"]


def export_bundle(
    study: Study,
    pick: Pick,
    to_dir: str | Path,
    *,
    formats: Format = "torch",
    report: Report | None = None,
) -> Path:
    """Writes the picked trial as a bundle at `to_dir` and returns its absolute path.

    Every bundle holds the weights, for torch; `onnx` and `all` put the graph for ONNX Runtime
    beside them, which reads the same weights, and compare both on rows of the study. `report` is
    told how far encoding is, where that must be done again. There is all of it or nothing.

    RunError if something is there already, if it cannot be written, or if the trial's weights or
    the study's encoder are gone; MissingPackageError if the extra `onnx` is needed and missing.
    """
    target = Path(to_dir).absolute()
    check_new_bundle(target)
    if formats != "torch":
        require("onnx", needed_by=f"--format {formats}")
    weights = weights_of(pick.trained)
    data = encoded_data(study, report=report)
    manifest = describe(study, pick, data)
    with _written_whole(target) as aside:
        shutil.copyfile(weights, aside / WEIGHTS_FILE)
        data.encoder.save(aside / ENCODER_DIR)
        config = config_yaml(study.spec, manifest)
        (aside / CONFIG_FILE).write_text(config, encoding="utf-8")
        if formats != "torch":
            manifest = _with_graph(manifest, aside, data)
        manifest = dataclasses.replace(manifest, checksums=checksums(aside))
        (aside / CARD_FILE).write_text(render_card(manifest), encoding="utf-8")
        write_manifest(manifest, aside)
        # what cannot be read back is not handed out
        Bundle.load(aside, engine="torch" if formats == "torch" else "onnx")
    return target


def _with_graph(manifest: Manifest, aside: Path, data: EncodedData) -> Manifest:
    """Writes model.onnx, and says in the manifest what it is."""
    from automtl.export.compare import compared
    from automtl.export.graph.file import write_graph

    write_graph(manifest, aside)
    return dataclasses.replace(manifest, onnx=compared(manifest, aside, data))


def check_new_bundle(target: Path) -> None:
    """Raises RunError unless a new bundle can be made at `target`. Writes nothing."""
    try:
        _check_new(target)
    except OSError as error:  # a name that is too long, a directory that may not be looked into
        raise RunError(
            f"{target}: no bundle can be made here ({error.strerror or error}); choose another --to"
        ) from error


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
