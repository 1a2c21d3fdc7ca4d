"""A training of `automtl train` and its export: of the median seed, or of all seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from automtl.errors import RunError
from automtl.export.manifest import MANIFEST_FILE, Confirmed, read_manifest
from automtl.export.pick import Pick
from automtl.export.standing import Trained
from automtl.export.write import check_new_bundle, export_bundle
from automtl.final.result import Training
from automtl.study import Study

__all__ = [
    "Places",
    "bundle_places",
    "check_places",
    "export_training",
    "pick_seed",
    "train_and_export",
]

BUNDLE = "bundle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a training is (reports/NAME-trained if nobody says otherwise), and its bundles (bundle
    in there)."""

    run_dir: Path
    to_dir: Path

    @classmethod
    def of(cls, name: str, *, out: str | Path | None, to: str | Path | None) -> Self:
        run_dir = Path("reports") / f"{name}-trained" if out is None else Path(out)
        return cls(run_dir=run_dir, to_dir=run_dir / BUNDLE if to is None else Path(to))


def train_and_export(
    places: Places,
    train: Callable[[], tuple[Study, Training]],
    *,
    seeds: int,
    resume: bool,
    every: bool = False,
) -> tuple[Study, Training, tuple[Path, ...]]:
    """`train` trains into `places.run_dir`; -> what came of it, and its bundles.

    RunError, before hours of training, where a bundle could not be written.
    """
    if places.to_dir != places.run_dir / BUNDLE:  # else the training says whether it may begin
        check_places(places.to_dir, seeds=seeds, every=every, resume=resume)
    study, training = train()
    return study, training, export_training(study, training, places.to_dir, every=every)


def pick_seed(study: Study, training: Training, index: int) -> Pick:
    """The run of the `index`-th seed that came to its end, counted from 0."""
    model = training.model
    record = study.get(model.runs[index])
    count = len(model.runs)
    if record.number != model.kept:
        why = f"It is one of {count} seeds."
    elif count > 1:
        seen = " (which it has seen)" if training.trained_on == "train+valid" else ""
        why = f"Of {count} seeds it is the one with the median score on validation rows{seen}."
    else:
        why = "It is the only seed."
    several = Confirmed(seeds=count, group=training.group, model=model) if count > 1 else None
    return Pick(
        record=record,
        why=why,
        trained=Trained(study=study, record=record, seed_index=index),
        confirmed=several,
    )


def bundle_places(to_dir: Path, *, seeds: int, every: bool) -> tuple[Path, ...]:
    """Where the bundles of a training come: `to_dir` itself, or a directory a seed in there."""
    if not every:
        return (to_dir,)
    return tuple(to_dir / f"seed-{number}" for number in range(1, seeds + 1))


def export_training(
    study: Study, training: Training, to_dir: Path, *, every: bool = False
) -> tuple[Path, ...]:
    """Writes the median seed's run as a bundle at `to_dir`, or all seeds' below it; -> the paths.

    A bundle of the same run that is there already stays as it is. RunError if something else is.
    """
    runs = training.model.runs
    chosen = range(len(runs)) if every else [runs.index(training.model.kept or 0)]
    places = bundle_places(to_dir, seeds=len(runs), every=every)
    written = []
    for index, place in zip(chosen, places, strict=True):
        pick = pick_seed(study, training, index)
        if (place / MANIFEST_FILE).is_file():
            _check_same(pick, place)
        else:
            export_bundle(study, pick, place)
        written.append(place.absolute())
    return tuple(written)


def check_places(to_dir: Path, *, seeds: int, every: bool, resume: bool) -> None:
    """Raises RunError, before hours of training, where a bundle could not be written; when a
    training goes on its bundles may be there."""
    for place in bundle_places(to_dir, seeds=seeds, every=every):
        if not (resume and (place / MANIFEST_FILE).is_file()):
            check_new_bundle(place.absolute())


def _check_same(pick: Pick, place: Path) -> None:
    there = read_manifest(place).provenance
    if (there.trial, there.seed) != (pick.record.id, pick.trained.record.seed):
        raise RunError(
            f"{place}: holds the model of {there.trial} (seed {there.seed}), and now "
            f"{pick.record.id} (seed {pick.trained.record.seed}) is to be exported; a bundle is "
            "never overwritten: choose another --bundle"
        )
