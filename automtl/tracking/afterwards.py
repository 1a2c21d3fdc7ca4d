"""What becomes of a search later is told where it is tracked: the run remembers where that is."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from automtl.config import Objective
from automtl.confirmed import Confirmation, confirmed_front
from automtl.errors import TrackingError
from automtl.rundir import trial_id
from automtl.tracking.background import describe, to_stderr
from automtl.tracking.events import Confirmed
from automtl.tracking.memory import HIDDEN, TENSORBOARD, recall, redacted
from automtl.tracking.targets import URI_VARIABLE, check_installed

__all__ = ["track_bundle", "track_confirmation"]

Warn = Callable[[str], None]


def track_bundle(
    run_dir: Path, directory: Path, trial: str, *, warn: Warn = to_stderr
) -> list[str]:
    """Copies the bundle at `directory` to every MLflow run of the search; returns their places.

    Where that fails it warns, a line a place: the bundle itself is there.
    """

    def log(uri: str, run_id: str) -> None:
        from automtl.tracking.mlflow import log_bundle

        log_bundle(uri, run_id, directory, trial)

    told = _tell_mlflow(run_dir, log, failed="the bundle was not logged", warn=warn)
    return [f"MLflow at {uri}, run {run_id}, bundles/{trial}" for uri, run_id in told]


def track_confirmation(
    run_dir: Path,
    confirmation: Confirmation,
    objectives: Sequence[Objective],
    *,
    warn: Warn = to_stderr,
) -> None:
    """Tells every MLflow run of the search, and its TensorBoard files if there are some, what was
    confirmed. Where that fails it warns, a line a place: the results are in the run."""
    events = _confirmed(confirmation, objectives)

    def log(uri: str, run_id: str) -> None:
        from automtl.tracking.mlflow import log_confirmed

        log_confirmed(uri, run_id, events)

    failed = "what was confirmed was not logged"
    _tell_mlflow(run_dir, log, failed=failed, warn=warn)
    if (directory := run_dir / TENSORBOARD).is_dir():
        try:
            check_installed("tensorboard")
            from automtl.tracking.tensorboard import write_confirmed

            write_confirmed(run_dir, events)
        except Exception as error:  # a package that is not there, a full disk
            warn(f"TensorBoard files in {directory}: {failed} ({describe(error)})")


def _confirmed(
    confirmation: Confirmation, objectives: Sequence[Objective]
) -> tuple[Confirmed, ...]:
    """Of every trial of which a seed came to its end."""
    front = confirmed_front(confirmation, objectives)
    return tuple(
        Confirmed(trial=trial_id(model.trial), model=model, is_on_front=model in front)
        for model in confirmation.models
        if model.trial is not None and model.runs
    )


def _tell_mlflow(
    run_dir: Path, log: Callable[[str, str], None], *, failed: str, warn: Warn
) -> list[tuple[str, str]]:
    """Calls `log` with each MLflow run of the search, its URI and its id; -> those it was told."""
    try:
        known = recall(run_dir)
    except TrackingError as error:
        warn(str(error))
        return []
    done = []
    for uri, run_id in known.items():
        try:
            check_installed("mlflow")
            log(_with_password(uri), run_id)
        except Exception as error:  # whatever a server or a driver comes up with
            warn(f"MLflow at {uri}: {failed} ({describe(error)})")
        else:
            done.append((uri, run_id))
    return done


def _with_password(uri: str) -> str:
    """The URI of the environment, where `uri` is that without its password."""
    given = os.environ.get(URI_VARIABLE, "").strip()
    if given and redacted(given) == uri:
        return given
    if HIDDEN in uri:
        raise TrackingError(f"its password is not kept with the run; set {URI_VARIABLE}")
    return uri
