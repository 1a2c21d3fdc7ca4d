"""What a worker does with one assignment: train it, and keep its weights."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automtl.config import MEASURED_COSTS, Evaluation, Precision
from automtl.errors import TrialFailedError
from automtl.records import is_last
from automtl.rundir import weights_name
from automtl.search.assignment import Assignment
from automtl.search.disk import disk_failure
from automtl.search.heartbeat import OnStep, beating
from automtl.search.home import HERE, Home
from automtl.search.scores import write_scores

if TYPE_CHECKING:
    from torch import nn

    from automtl.data.cache import EncodedData
    from automtl.spec.schema import Spec
    from automtl.study import Study

__all__ = ["TrialJob", "asks_for_latency", "checkpoint_name", "make_job"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialJob:
    """Paths and numbers only, so that it travels to any worker; the rows stay on disk.

    The paths are those of the search's machine; the worker reaches them through its `home`.

    Before the last evaluation is handed out the weights are in `weights_dir`, written aside and
    moved into place. While the trial runs there is a sign of life in `alive_dir`. With
    `latency_batch` the built model's `latency_ms` is measured for so many rows: the costs come
    first, as an evaluation after 0 epochs, so that a model that is too slow need not be trained.
    With `scores_dir` the predictions for TEST rows are kept there, too (`search/scores.py`). With
    `checkpoints_dir` the training is kept there every `checkpoint_s` seconds, by its seed, and goes
    on from what this machine finds there.
    """

    weights_dir: Path
    cache_dir: Path
    fingerprint: str  # of the rows in cache_dir
    device: str
    precision: Precision
    num_threads: int
    rungs: tuple[float, ...] = ()
    latency_batch: int | None = None
    alive_dir: Path | None = None
    scores_dir: Path | None = None
    checkpoints_dir: Path | None = None
    checkpoint_s: float = 0.0

    def run(self, assignment: Assignment, home: Home = HERE) -> Iterator[Evaluation]:
        with beating(self.alive_dir, assignment.number, home=home) as on_step:
            yield from self._train(assignment, home, on_step)

    def _train(self, assignment: Assignment, home: Home, on_step: OnStep) -> Iterator[Evaluation]:
        import torch

        from automtl.training.checkpoint import Checkpoints
        from automtl.training.fit import Trainer
        from automtl.training.memory import keep_freed_memory

        torch.set_num_threads(self.num_threads)
        keep_freed_memory()
        cache_dir = home.rows(self.cache_dir, self.fingerprint, on_wait=lambda: on_step(0, 0))
        checkpoints = None
        if self.checkpoints_dir is not None:
            checkpoints = Checkpoints(
                self.checkpoints_dir / checkpoint_name(assignment.seed),
                every_s=self.checkpoint_s,
                keeping=home.keeping,
            )
        trainer = Trainer(
            assignment.config,
            _open_rows(cache_dir),
            seed=assignment.seed,
            device=self.device,
            precision=self.precision,
            rungs=self.rungs,
            on_step=on_step,
            checkpoints=checkpoints,
        )
        if self.latency_batch is not None:
            yield trainer.measure_latency(self.latency_batch)
        for evaluation in trainer.run():
            if is_last(evaluation.epochs, assignment.config):
                self._save(trainer.model, assignment.number, home)
                if self.scores_dir is not None and len(trainer.data.rows("test")):
                    scores = trainer.predict("test")
                    write_scores(self.scores_dir, assignment.number, scores, keeping=home.keeping)
            yield evaluation

    def _save(self, model: nn.Module, number: int, home: Home) -> None:
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        path = self.weights_dir / weights_name(number)
        try:
            with home.keeping(path) as aside:
                save_file(model.state_dict(), aside)
        except (OSError, SafetensorError) as error:
            if (failure := disk_failure(error, path)) is not None:
                raise failure from error
            raise TrialFailedError(f"{path}: the weights cannot be written ({error})") from error


@functools.lru_cache(maxsize=1)
def _open_rows(cache_dir: Path) -> EncodedData:
    """The encoded rows, opened once a process: they are memory-mapped."""
    from automtl.data.cache import load_cached

    return load_cached(cache_dir)


def checkpoint_name(seed: int) -> str:
    """The file of a training's checkpoint, in the directory of checkpoints."""
    return f"seed-{seed}.safetensors"


def make_job(
    study: Study,
    spec: Spec,
    data: EncodedData,
    *,
    rungs: tuple[float, ...],
    scores_dir: Path | None = None,
    checkpoints_dir: Path | None = None,
    checkpoint_s: float = 0.0,
) -> TrialJob:
    """The job of the trials of `study`, which are judged at `rungs`."""
    return TrialJob(
        weights_dir=study.weights_dir,
        cache_dir=data.directory,
        fingerprint=data.fingerprint,
        device=spec.trial.device,
        precision=spec.trial.precision,
        num_threads=max(1, int(spec.trial.cpus)),
        rungs=rungs,
        latency_batch=spec.trial.latency_batch if asks_for_latency(spec) else None,
        alive_dir=study.alive_dir,
        scores_dir=scores_dir,
        checkpoints_dir=checkpoints_dir,
        checkpoint_s=checkpoint_s,
    )


def asks_for_latency(spec: Spec) -> bool:
    """Whether trials are judged by what is measured on the built model."""
    judged = {one.name for one in spec.objective_list()}
    judged |= {one.name for one in spec.constraint_list()}
    return not judged.isdisjoint(MEASURED_COSTS)
