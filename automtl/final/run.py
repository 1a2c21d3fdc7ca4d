"""From a spec without free knobs to trained models: train what is missing, then measure.

    RUN/               a study of its own: journal, weights, lock (`study.py`)
    RUN/scores/        what every run predicted for the TEST rows
    RUN/checkpoints/   seed-17.safetensors, how far a training has come that has not ended

After a kill the same call with `resume` trains no finished seed again, and goes on with the others
from their checkpoints. Seeds that failed are tried again, once each time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from automtl.config import ExecutorName, TrainedOn
from automtl.confirm.loop import ConfirmLoop
from automtl.data.cache import EncodedData, Report, open_data
from automtl.data.groups import group_column, group_ids
from automtl.errors import RunError
from automtl.final.result import SCORES, Training, training_of
from automtl.final.seeds import fixed_config, trainings
from automtl.records import TrialRecord
from automtl.rundir import check_new
from automtl.search.disk import disk_failures_explained
from automtl.search.executors import check_executor, make_executor
from automtl.search.trial import checkpoint_name, make_job
from automtl.spec.schema import Spec
from automtl.study import Study
from automtl.study_writer import create_study, writing

__all__ = ["CHECKPOINT_S", "Quiet", "TrainingProgress", "failed_seeds", "run_training"]

CHECKPOINTS = "checkpoints"
CHECKPOINT_S = 300.0  # between two checkpoints: what a kill costs at most


class TrainingProgress(Protocol):
    """Called in the process that asks for the training, between runs; it decides nothing."""

    def on_start(self, study: Study, data: EncodedData, *, total: int, done: int) -> None:
        """`done` of `total` runs were there already."""

    def on_run(self, record: TrialRecord) -> None:
        """A run has ended."""

    def on_end(self) -> None:
        """Nothing more in this process, also after an error or Ctrl-C."""


class Quiet:
    """Says nothing."""

    def on_start(self, study: Study, data: EncodedData, *, total: int, done: int) -> None:
        pass

    def on_run(self, record: TrialRecord) -> None:
        pass

    def on_end(self) -> None:
        pass


def run_training(
    spec: Spec,
    run_dir: Path,
    *,
    source: str = "spec",
    frame: Any = None,
    seeds: int = 1,
    trained_on: TrainedOn = "train+valid",
    resume: bool = False,
    executor: ExecutorName = "local",
    workers: int | None = None,
    address: str | None = None,
    checkpoint_s: float = CHECKPOINT_S,
    progress: TrainingProgress | None = None,
    report: Report | None = None,
) -> tuple[Study, Training]:
    """Trains the one configuration of `spec` with `seeds` seeds into `run_dir`.

    `trained_on` says on which rows, the encoder's too; `frame` takes the place of the spec's
    files. With `resume` the training in `run_dir` goes on, with more seeds if there are more now,
    and with those that failed.
    `report` is told how far encoding is (see `open_data`).
    Equal specs, rows, seeds, threads and machines give equal weights, killed in between or not.

    Raises SpecError (free knobs, called by `source`), RunError (the directory, or a full disk),
    DataError (the rows) and SearchFailedError (no seed came to its end).
    """
    check_executor(executor, address=address)
    progress = progress or Quiet()
    wanted = trainings(spec, fixed_config(spec, source=source), seeds=seeds)
    if resume:
        study = _reopened(spec, run_dir, trained_on)
        data = open_data(spec, frame=frame, trained_on=trained_on, report=report)
        study.check_data(data)
    else:
        check_new(run_dir)
        data = open_data(spec, frame=frame, trained_on=trained_on, report=report)
        study = create_study(run_dir, spec, data, trained_on=trained_on)
    group, groups_N = group_column(spec, None), group_ids(spec, data, None, frame=frame)
    scores_dir, checkpoints_dir = study.run_dir / SCORES, study.run_dir / CHECKPOINTS
    with (
        disk_failures_explained(study.run_dir, go_on="go on with --resume"),
        writing(study) as writer,
    ):
        for directory in (scores_dir, checkpoints_dir):
            directory.mkdir(exist_ok=True)
        writer.set_budget(len(wanted))

        def on_end(record: TrialRecord) -> None:
            if record.state != "interrupted":
                (checkpoints_dir / checkpoint_name(record.seed)).unlink(missing_ok=True)
            progress.on_run(record)

        failed = failed_seeds(writer)
        loop = ConfirmLoop(writer, wanted, on_end=on_end, role="train", tried_again=failed)
        done = sum(one.state == "complete" for one in writer.trials())
        progress.on_start(writer, data, total=len(wanted), done=done)
        try:
            if not loop.is_finished():
                runner = make_executor(
                    executor, spec.trial, writer.alive_dir, workers=workers, address=address
                )
                job = make_job(
                    writer,
                    spec,
                    data,
                    rungs=(),
                    scores_dir=scores_dir,
                    checkpoints_dir=checkpoints_dir,
                    checkpoint_s=checkpoint_s,
                )
                runner.run(loop, job)
            found = training_of(writer, data, wanted, group=group, groups_N=groups_N)
        finally:
            progress.on_end()
    return study, found


def failed_seeds(study: Study) -> frozenset[int]:
    """The numbers of all runs that failed, of seeds that no run has brought to its end."""
    runs = study.trials()
    complete = {one.planned for one in runs if one.state == "complete"}
    return frozenset(
        one.number for one in runs if one.state == "failed" and one.planned not in complete
    )


def _reopened(spec: Spec, run_dir: Path, trained_on: TrainedOn) -> Study:
    study = Study.open(run_dir)
    if any(record.role != "train" for record in study.history()):
        raise RunError(f"{run_dir}: holds a search, no training; choose another --out")
    study.check_spec(spec)
    if study.trained_on != trained_on:
        raise RunError(
            f"{run_dir}: --rows was {study.trained_on} and is now {trained_on}: the seeds could "
            "not be compared; undo the change, or choose another --out"
        )
    return study
