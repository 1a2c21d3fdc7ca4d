"""The rows of a study that was searched before: from its cache, or encoded once more."""

from __future__ import annotations

from pathlib import Path

from automtl.data.cache import EncodedData, Report, load_cached, open_data
from automtl.errors import DataError, RunError
from automtl.study import Study

__all__ = ["encoded_data"]


def encoded_data(study: Study, *, report: Report | None = None) -> EncodedData:
    """The rows and the encoder that the study's trials were trained with.

    From its cache; if that is gone, encoded anew, and `report` is told of it as in `open_data`.
    RunError if the files are no longer the same.
    """
    cache, fingerprint = Path(study.meta["data"]["cache"]), study.meta["data"]["fingerprint"]
    try:
        data = load_cached(cache)
        if data.fingerprint == fingerprint:
            return data
    except DataError:
        pass  # the cache was cleared: the files say whether it can be made again
    try:
        data = open_data(study.spec, trained_on=study.trained_on, report=report)
    except DataError as error:
        raise RunError(
            f"{study.run_dir}: the encoder of its data is gone with the cache ({cache}), and the "
            f"data cannot be encoded again: {error}"
        ) from error
    if data.fingerprint != fingerprint:
        raise RunError(
            f"{study.run_dir}: its data files changed since the search and the cache ({cache}) is "
            "gone, so the encoder cannot be made again; put the old files back, or search anew"
        )
    return data
