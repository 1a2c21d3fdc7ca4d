"""From a spec to a searched study: the checks, in the order of what they cost, then the search."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from automtl.config import MEASURED_COSTS
from automtl.data.cache import EncodedData, open_data
from automtl.errors import RunError
from automtl.rundir import check_new
from automtl.search.executor import Executor, LocalExecutor
from automtl.search.fidelity import Ladder, count_positives, make_ladder
from automtl.search.heartbeat import Watchdog
from automtl.search.loop import SearchLoop
from automtl.search.plan import budget
from automtl.search.progress import Progress, Silent
from automtl.search.trial import TrialJob
from automtl.spec.schema import Spec
from automtl.study import Study

__all__ = ["run_search"]

DISK_FAILURES = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EIO: "the disk cannot be read or written",
    errno.EROFS: "the disk has become read-only",
}


def run_search(
    spec: Spec,
    run_dir: Path,
    *,
    resume: bool = False,
    executor: Literal["ray", "local"] = "ray",
    workers: int | None = None,
    address: str | None = None,
    progress: Progress | None = None,
) -> Study:
    """Searches `spec` into `run_dir` and returns the study.

    With `resume` the study in `run_dir` goes on; it must be of the same spec (but for
    `rundir.NOT_COMPARED`) and of the same rows. `workers` is how many trials run at once, by
    default as many as the machine has room for; `address` names a Ray cluster that runs already.

    Raises RunError (the directory, or a full disk), DataError (the rows), SearchFailedError (no
    trial succeeded). After KeyboardInterrupt, a kill or a full disk, `resume` loses no finished
    trial and repeats none.
    """
    progress = progress or Silent()
    if resume:
        study = Study.open(run_dir)
        study.check_spec(spec)
        data = open_data(spec)
        study.check_data(data)
    else:
        check_new(run_dir)
        data = open_data(spec)
        study = Study.create(run_dir, spec, data)
    with _disk_failures_explained(study), study.writing():
        study.set_budget(budget(spec))
        ladder = make_ladder(spec, count_positives(data.rows("train"), data.tasks))
        loop = SearchLoop(
            study,
            spec,
            features=data.features,
            tasks=data.tasks,
            progress=progress,
        )
        progress.on_start(study, ladder)
        try:
            if not loop.is_finished():
                watchdog = Watchdog(study.alive_dir, stall_s=60 * spec.trial.stall_minutes)
                runner = _make_executor(executor, spec, watchdog, workers=workers, address=address)
                runner.run(loop, _make_job(study, spec, data, ladder))
        finally:
            progress.on_end(study)
        loop.finish()
    return study


def _make_job(study: Study, spec: Spec, data: EncodedData, ladder: Ladder) -> TrialJob:
    return TrialJob(
        weights_dir=study.weights_dir,
        cache_dir=data.directory,
        device=spec.trial.device,
        precision=spec.trial.precision,
        num_threads=max(1, int(spec.trial.cpus)),
        rungs=ladder.rungs,
        latency_batch=spec.trial.latency_batch if _asks_for_latency(spec) else None,
        alive_dir=study.alive_dir,
    )


def _asks_for_latency(spec: Spec) -> bool:
    names = {one.name for one in spec.objective_list()}
    names |= {one.name for one in spec.constraint_list()}
    return not names.isdisjoint(MEASURED_COSTS)


@contextmanager
def _disk_failures_explained(study: Study) -> Iterator[None]:
    """A disk that fails the search itself is a RunError; what was written before can be read."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FAILURES:
            raise
        raise RunError(
            f"{error.filename or study.run_dir}: {DISK_FAILURES[error.errno]} "
            f"({error.strerror}), so the search has ended; make room, and go on with --resume"
        ) from error


def _make_executor(
    name: Literal["ray", "local"],
    spec: Spec,
    watchdog: Watchdog,
    *,
    workers: int | None,
    address: str | None,
) -> Executor:
    if name == "local":
        return LocalExecutor(watchdog)
    from automtl.search.ray_executor import RayExecutor  # here: importing Ray takes a second

    return RayExecutor(
        workers=workers,
        cpus=spec.trial.cpus,
        gpus=0.0 if spec.trial.device == "cpu" else spec.trial.gpus,
        address=address,
        watchdog=watchdog,
    )
