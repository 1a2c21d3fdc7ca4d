"""RUN/tracking.json: which run of which MLflow a search is, so that others go on in it.

{"mlflow": {"http://tracking.example:5000": "4f1c…"}}, without passwords.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from automtl.errors import TrackingError
from automtl.files import written_whole

__all__ = ["HIDDEN", "TENSORBOARD", "recall", "redacted", "remember"]

FILE = "tracking.json"
TENSORBOARD = "tensorboard"  # RUN/tensorboard: event files
HIDDEN = "***"  # in place of a password


def recall(run_dir: Path) -> Mapping[str, str]:
    """The id of the run's MLflow run by URI; TrackingError where the file is damaged."""
    path = run_dir / FILE
    try:
        known = json.loads(path.read_text(encoding="utf-8"))["mlflow"]
        if all(isinstance(value, str) for value in known.values()):
            return dict(known)
        why = "a run's id is no text"
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = str(error)
    raise TrackingError(
        f"{path}: damaged ({why}); delete it, and the search is tracked in a new run"
    )


def remember(run_dir: Path, uri: str, run_id: str) -> None:
    """Adds a run, in the place of an older one at the same URI."""
    known = {"mlflow": {**recall(run_dir), redacted(uri): run_id}}
    with written_whole(run_dir / FILE) as aside:
        aside.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")


def redacted(uri: str) -> str:
    """`uri` without its password."""
    place = urlsplit(uri)
    if place.password is None:
        return uri
    before, _, host = place.netloc.rpartition("@")
    user = before.partition(":")[0]
    return urlunsplit(place._replace(netloc=f"{user}:{HIDDEN}@{host}"))
