"""From a searched study to a confirmed one: train what is missing, then compare.

    RUN/confirm/              a study of its own: journal, weights, lock (`study.py`)
    RUN/confirm/scores/       what every run predicted for the TEST rows
    RUN/confirm/results.json  the comparison (`confirmed.py`)

Whoever asks again, for more seeds or after a kill, trains only what is not there yet.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from automtl import rundir
from automtl.config import ExecutorName
from automtl.confirm.candidates import Selection, reruns, select
from automtl.confirm.compare import compare_all
from automtl.confirm.keep import forget_others
from automtl.confirm.loop import ConfirmLoop
from automtl.confirm.outside import boost
from automtl.confirmed import Confirmation, write_confirmation
from automtl.data.cache import EncodedData, Report, open_data
from automtl.data.groups import group_column, group_ids
from automtl.records import TrialRecord
from automtl.search.disk import disk_failures_explained
from automtl.search.executors import check_executor, make_executor
from automtl.search.trial import make_job
from automtl.spec.schema import ConfirmSpec
from automtl.study import Study
from automtl.study_rows import encoded_data
from automtl.study_writer import create_study, writing
from automtl.tracking.afterwards import track_confirmation

__all__ = ["ConfirmProgress", "Quiet", "run_confirm"]

SCORES = "scores"


class ConfirmProgress(Protocol):
    """Called in the process that confirms, between runs; it decides nothing."""

    def on_start(self, selection: Selection, *, seeds: int, total: int, done: int) -> None:
        """`done` of `total` runs were there already."""

    def on_run(self, record: TrialRecord) -> None:
        """A run has ended."""

    def on_step(self, what: str) -> None:
        """Something else that takes time begins."""

    def on_end(self) -> None:
        """Nothing more in this process, also after an error or Ctrl-C."""


class Quiet:
    """Says nothing."""

    def on_start(self, selection: Selection, *, seeds: int, total: int, done: int) -> None:
        pass

    def on_run(self, record: TrialRecord) -> None:
        pass

    def on_step(self, what: str) -> None:
        pass

    def on_end(self) -> None:
        pass


def run_confirm(
    study: Study,
    settings: ConfirmSpec,
    *,
    executor: ExecutorName = "ray",
    workers: int | None = None,
    address: str | None = None,
    frame: Any = None,
    progress: ConfirmProgress | None = None,
    report: Report | None = None,
) -> Confirmation:
    """Trains the selected trials of `study` with `settings.seeds` fresh seeds each and compares.

    `frame` is what was searched, where that were no files; groups are read from it. `report`
    is told how far encoding is, where that must be done again.
    Where the search is tracked it is told.
    Raises RunError (no front yet, another process confirms, the rows are gone, a full disk) and
    DataError (no such group column). After KeyboardInterrupt or a kill the same call goes on.
    """
    check_executor(executor, address=address)
    progress = progress or Quiet()
    data, spec = encoded_data(study, report=report), study.spec
    if frame is not None:
        study.check_data(open_data(spec, frame=frame, report=report))
    # before hours of training: it may be missing
    groups_N = group_ids(spec, data, settings.group, frame=frame)
    selection = select(study, candidates=settings.candidates, baselines=settings.baselines)
    wanted = reruns(selection, seeds=settings.seeds, study_seed=spec.search.seed)
    runs = _open(study, data)
    scores_dir = runs.run_dir / SCORES
    scores_dir.mkdir(exist_ok=True)
    again = "go on with the same command"
    with disk_failures_explained(study.run_dir, go_on=again), writing(runs) as writer:

        def on_end(record: TrialRecord) -> None:
            forget_others(writer, wanted, trial_of[record.planned])
            progress.on_run(record)

        loop = ConfirmLoop(writer, wanted, on_end=on_end)
        trial_of = {one.key: one.trial for one in wanted}
        done = sum(r.planned in trial_of and r.state != "running" for r in writer.trials())
        progress.on_start(selection, seeds=settings.seeds, total=len(wanted), done=done)
        try:
            if not loop.is_finished():
                runner = make_executor(
                    executor, spec.trial, writer.alive_dir, workers=workers, address=address
                )
                runner.run(loop, make_job(writer, spec, data, rungs=(), scores_dir=scores_dir))
            outside = []
            if settings.boosting:
                outside = boost(data, scores_dir, seeds=settings.seeds, on_step=progress.on_step)
            progress.on_step("comparing on test rows")
            found = compare_all(
                study,
                writer,
                data,
                selection,
                wanted,
                scores_dir=scores_dir,
                outside=outside,
                group=group_column(spec, settings.group),
                groups_N=groups_N,
            )
        finally:
            progress.on_end()
        write_confirmation(study.run_dir, found)
    track_confirmation(study.run_dir, found, study.objectives)
    return found


def _open(study: Study, data: EncodedData) -> Study:
    """The study of the runs, made where there is none."""
    place: Path = study.run_dir / rundir.CONFIRM
    if (place / rundir.META).exists():
        return Study.open(place)
    return create_study(place, study.spec, data)
