"""An exported model goes to where its search is tracked: the run remembers where that is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from automtl.errors import TrackingError
from automtl.tracking.background import describe, to_stderr
from automtl.tracking.memory import HIDDEN, recall, redacted
from automtl.tracking.targets import URI_VARIABLE, check_installed

__all__ = ["track_bundle"]


def track_bundle(
    run_dir: Path, directory: Path, trial: str, *, warn: Callable[[str], None] = to_stderr
) -> list[str]:
    """Copies the bundle at `directory` to every MLflow run of the search; returns their places.

    Where that fails it warns, a line a place: the bundle itself is there.
    """
    try:
        known = recall(run_dir)
    except TrackingError as error:
        warn(str(error))
        return []
    done = []
    for uri, run_id in known.items():
        try:
            check_installed("mlflow")
            from automtl.tracking.mlflow import log_bundle

            log_bundle(_with_password(uri), run_id, directory, trial)
        except Exception as error:  # whatever a server or a driver comes up with
            warn(f"MLflow at {uri}: the bundle was not logged ({describe(error)})")
        else:
            done.append(f"MLflow at {uri}, run {run_id}, bundles/{trial}")
    return done


def _with_password(uri: str) -> str:
    """The URI of the environment, where `uri` is that without its password."""
    given = os.environ.get(URI_VARIABLE, "").strip()
    if given and redacted(given) == uri:
        return given
    if HIDDEN in uri:
        raise TrackingError(f"its password is not kept with the run; set {URI_VARIABLE}")
    return uri
