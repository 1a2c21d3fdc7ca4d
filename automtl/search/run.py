"""From a spec to a searched study: the checks, in the order of what they cost, then the search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from automtl.config import ExecutorName
from automtl.data.cache import Report, open_data
from automtl.doctor.checkup import check_before_search
from automtl.errors import RunError
from automtl.rundir import check_new
from automtl.search.disk import disk_failures_explained
from automtl.search.executors import check_executor, make_executor
from automtl.search.fidelity import count_positives, make_ladder
from automtl.search.loop import SearchLoop
from automtl.search.plan import budget
from automtl.search.progress import Progress, Silent
from automtl.search.tracked import tracked
from automtl.search.trial import make_job
from automtl.spec.schema import Spec
from automtl.study import Study
from automtl.study_writer import create_study, writing
from automtl.tracking.targets import parse_targets

__all__ = ["run_search"]


def run_search(
    spec: Spec,
    run_dir: Path,
    *,
    frame: Any = None,
    resume: bool = False,
    executor: ExecutorName = "ray",
    workers: int | None = None,
    address: str | None = None,
    progress: Progress | None = None,
    track: Sequence[str] = (),
    report: Report | None = None,
) -> Study:
    """Searches `spec` into `run_dir` and returns the study.

    `frame` (a polars or pandas frame, or an Arrow table) takes the place of the spec's files.
    With `resume` the study in `run_dir` goes on; it must be of the same spec (but for
    `rundir.NOT_COMPARED`) and of the same rows. `workers` is how many trials run at once, by
    default as many as the machine has room for; `address` names a Ray cluster that runs already.
    `track` names who else is told: "mlflow", "mlflow:URI", "tensorboard" (docs/tracking.md).
    `report` is told how far encoding is (see `open_data`), `progress` how far the search is.

    Raises TrackingError (`track`, before anything else), RunError (the directory, or a full disk),
    DataError (the rows cannot be used, or a search over them says nothing), SearchFailedError (no
    trial succeeded). After KeyboardInterrupt, a kill or a full disk, `resume` loses no finished
    trial and repeats none.
    """
    check_executor(executor, address=address)
    trackers = [target.open() for target in parse_targets(track)]
    if resume:
        study = Study.open(run_dir)
        if any(record.role == "train" for record in study.history()):
            raise RunError(
                f"{run_dir}: holds models that `automtl train` trained, no search; choose another "
                "--out"
            )
        study.check_spec(spec)
        data = open_data(spec, frame=frame, report=report)
        study.check_data(data)
        warnings: list[str] = []  # they were told when it began
    else:
        check_new(run_dir)
        data = open_data(spec, frame=frame, report=report)
        warnings = check_before_search(spec if frame is None else _without_files(spec), data)
        study = create_study(run_dir, spec, data)
    with (
        disk_failures_explained(study.run_dir, go_on="go on with --resume"),
        writing(study) as writer,
    ):
        writer.set_budget(budget(spec))
        with tracked(writer, progress or Silent(), trackers) as told:
            ladder = make_ladder(spec, count_positives(data.rows("train"), data.tasks))
            loop = SearchLoop(
                writer,
                spec,
                features=data.features,
                tasks=data.tasks,
                progress=told,
            )
            told.on_start(writer, ladder, warnings)
            try:
                if not loop.is_finished():
                    runner = make_executor(
                        executor, spec.trial, writer.alive_dir, workers=workers, address=address
                    )
                    runner.run(loop, make_job(writer, spec, data, rungs=ladder.rungs))
            finally:
                told.on_end(writer)
            loop.finish()
    return study


def _without_files(spec: Spec) -> Spec:
    """For who would look into the files: the rows are a frame."""
    return spec.model_copy(update={"data": spec.data.model_copy(update={"path": None})})
