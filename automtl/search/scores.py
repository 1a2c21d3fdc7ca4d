"""What a model predicted for the TEST rows, kept until they are compared: a small file a run.

Shapes: N rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from automtl.errors import RunError, TrialFailedError
from automtl.files import written_whole
from automtl.rundir import trial_id
from automtl.search.disk import disk_failure

__all__ = ["has_scores", "read_scores", "write_scores"]

Scores = Mapping[str, NDArray[np.float32]]


def write_scores(
    directory: Path,
    run: int | str,
    scores: Scores,
    *,
    keeping: Callable[[Path], AbstractContextManager[Path]] = written_whole,
) -> None:
    """Keeps `scores`, arrays [N] by output, of a run: whole or not at all, as `keeping` does it.

    Raises TrialFailedError where they cannot be written, DiskFailureError where nothing can.
    """
    from safetensors.numpy import save

    path = _path(directory, run)
    try:
        with keeping(path) as aside:
            aside.write_bytes(
                save({name: np.ascontiguousarray(p_N) for name, p_N in scores.items()})
            )
    except OSError as error:
        if (failure := disk_failure(error, path)) is not None:
            raise failure from error
        raise TrialFailedError(
            f"{path}: the predictions cannot be written ({error.strerror})"
        ) from error


def read_scores(directory: Path, run: int | str) -> dict[str, NDArray[np.float32]]:
    """What `write_scores` kept; RunError where it is gone or damaged."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = _path(directory, run)
    try:
        scores: dict[str, NDArray[np.float32]] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise RunError(
            f"{path}: the predictions of a confirmed run cannot be read ({error}); delete "
            f"{directory.parent} and confirm again"
        ) from error
    return scores


def has_scores(directory: Path, run: int | str) -> bool:
    return _path(directory, run).is_file()


def _path(directory: Path, run: int | str) -> Path:
    name = trial_id(run) if isinstance(run, int) else run
    return directory / f"{name}.safetensors"
