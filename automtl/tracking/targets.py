"""What `--track` may say, and which tracker that is."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import urlsplit

from automtl.errors import TrackingError
from automtl.extras import require
from automtl.tracking.events import Tracker

__all__ = ["Target", "check_installed", "parse_targets"]

Kind = Literal["mlflow", "tensorboard"]
URI_VARIABLE = "MLFLOW_TRACKING_URI"


@dataclass(frozen=True, slots=True)
class Target:
    """One tracker to tell. `uri` is MLflow's; "" leaves it to MLflow."""

    kind: Kind
    uri: str = ""

    def open(self) -> Tracker:
        """The tracker; it touches no disk and no server before its first event.

        Importing MLflow takes seconds. Raises TrackingError where the package is damaged.
        """
        try:
            if self.kind == "mlflow":
                from automtl.tracking.mlflow import MlflowTracker

                return MlflowTracker(self.uri)
            from automtl.tracking.tensorboard import TensorBoardTracker

            return TensorBoardTracker()
        except ImportError as error:
            raise TrackingError(
                f"--track {self.kind}: the package {self.kind} cannot be imported ({error}); "
                f"pip install --upgrade 'automtl[{self.kind}]', or leave --track out"
            ) from error


def parse_targets(given: Sequence[str]) -> tuple[Target, ...]:
    """The trackers of `mlflow`, `mlflow:URI` and `tensorboard`, each once.

    Raises TrackingError for another word, or where a package is missing.
    """
    targets = tuple(dict.fromkeys(_parse(text) for text in given))
    for target in targets:
        check_installed(target.kind)
    return targets


def check_installed(kind: Kind) -> None:
    """Raises MissingPackageError unless the package that `kind` needs is there."""
    require(kind, needed_by=f"--track {kind}", or_else="leave --track out")


def _parse(text: str) -> Target:
    kind, colon, uri = text.strip().partition(":")
    match kind, colon:
        case "tensorboard", "":
            return Target("tensorboard")
        case "tensorboard", _:
            raise TrackingError(
                f"--track {text}: tensorboard takes no place: the files are in the run, in "
                "tensorboard/; write --track tensorboard"
            )
        case "mlflow", "":
            return Target("mlflow", os.environ.get(URI_VARIABLE, "").strip())
        case "mlflow", _ if uri:
            _check_no_password(uri)
            return Target("mlflow", uri)
        case "mlflow", _:
            raise TrackingError(
                f"--track {text}: no URI after the colon; write mlflow:http://HOST:PORT, "
                f"or mlflow alone and set {URI_VARIABLE}"
            )
    known = ", ".join(get_args(Kind))
    raise TrackingError(f"--track {text}: no such tracker; it is one of {known} (or mlflow:URI)")


def _check_no_password(uri: str) -> None:
    """What is on the command line is kept in the run and seen by every user of the machine."""
    place = urlsplit(uri)
    if place.password is not None:
        shown = re.sub(r":[^:@/]*@", ":…@", uri, count=1)
        raise TrackingError(
            f"--track mlflow:{shown}: a password on the command line is seen by others and kept "
            f"with the run; write --track mlflow and set {URI_VARIABLE}"
        )
