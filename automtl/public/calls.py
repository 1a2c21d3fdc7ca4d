"""The calls of the command line that train, for Python."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from automtl.config import ExecutorName, TrainedOn
from automtl.export.bundle import Bundle
from automtl.export.final import Places, train_and_export
from automtl.final.run import CHECKPOINT_S, run_training
from automtl.public.load import load
from automtl.public.spec import SpecLike, as_spec
from automtl.public.study import Study
from automtl.search.run import run_search
from automtl.terminal.progress_line import progress
from automtl.terminal.train_line import TrainLine

__all__ = ["search", "train"]


def search(
    spec: SpecLike,
    *,
    data: Any = None,
    out: str | Path | None = None,
    workers: int | None = None,
    executor: ExecutorName = "ray",
    address: str | None = None,
    resume: bool = False,
    overrides: Mapping[str, Any] | None = None,
    quiet: bool = False,
) -> Study:
    """Searches what `spec` says (a path, a dictionary or a loaded one) and returns the study.

    `data` (a polars or pandas frame, or an Arrow table) takes the place of the spec's files, which
    it then need not name. The study is on disk, in `out` or reports/NAME; with `resume` it goes
    on there. `workers` trials run at once, as many as fit if left out; "processes" are those of
    this machine, without Ray; "local" runs one after the other in this process. Nothing is
    confirmed: `study.confirm()` does it.

    Raises SpecError, DataError, RunError or SearchFailedError, each with the way out.

        study = automtl.search("spec.yaml", data=frame, overrides={"search.trials": 30})
        study.front()
    """
    loaded = as_spec(spec, overrides=overrides, has_frame=data is not None)
    unconfirmed = loaded.model_copy(update={"confirm": None})  # no part of the time that is left
    run = run_search(
        loaded,
        Path("reports") / loaded.name if out is None else Path(out),
        frame=data,
        resume=resume,
        executor=executor,
        workers=workers,
        address=address,
        progress=None if quiet else progress(unconfirmed),
    )
    return Study(run)


def train(
    config: SpecLike,
    *,
    data: Any = None,
    out: str | Path | None = None,
    to: str | Path | None = None,
    seeds: int = 1,
    rows: TrainedOn = "train+valid",
    workers: int | None = None,
    executor: ExecutorName = "local",
    resume: bool = False,
    overrides: Mapping[str, Any] | None = None,
    checkpoint_s: float = CHECKPOINT_S,
    quiet: bool = False,
) -> Bundle:
    """Trains the one configuration of `config`, a spec without free knobs, for use; -> the bundle
    of the seed whose score is the median.

    It learns from train and valid rows, vocabularies and scalings too; test rows only report. The
    runs are in `out` (reports/NAME-trained), the bundle is at `to` (`out`/bundle). Killed, it goes
    on with `resume` to the same weights.

        bundle = automtl.train("knee/config.yaml", seeds=3)
        bundle.predict(frame)
    """
    loaded = as_spec(config, overrides=overrides, has_frame=data is not None)
    places = Places.of(loaded.name, out=out, to=to)
    run = partial(
        run_training,
        loaded,
        places.run_dir,
        source=str(config) if isinstance(config, str | Path) else "config",
        frame=data,
        seeds=seeds,
        trained_on=rows,
        resume=resume,
        executor=executor,
        workers=workers,
        checkpoint_s=checkpoint_s,
        progress=None if quiet else TrainLine(),
    )
    _, _, (place,) = train_and_export(places, run, seeds=seeds, resume=resume)
    return load(place)
