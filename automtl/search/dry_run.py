"""What a search would do, and about how long it would take: nothing is written, nothing encoded."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automtl.config import ExecutorName, TrialConfig
from automtl.data.cache import EncodedData, find_cached
from automtl.errors import TrialFailedError
from automtl.models.cost import costs
from automtl.records import TrialRecord
from automtl.rundir import check_new
from automtl.search.estimate import (
    make_schedule,
    most_reruns,
    remaining_epochs,
    remaining_evaluations,
)
from automtl.search.fidelity import Ladder, count_positives, make_ladder
from automtl.search.limits import device_s
from automtl.search.machine import gpu_names, num_cpus, room
from automtl.search.plan import (
    REFERENCE_DEPENDENCY,
    REFERENCE_FAMILY,
    budget,
    num_exempt,
    plan_trials,
)
from automtl.space import Pinned, default_values, sample
from automtl.spec.domains import default, describe
from automtl.spec.schema import Spec
from automtl.study import Study

if TYPE_CHECKING:
    from automtl.training.burst import Burst

__all__ = ["DryRun", "dry_run"]

BURST_S = 1.0  # of training, for each of three models at most


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What is planned. `expected_ends` are (epochs, how many of the `num_judged` trials that may be
    stopped are expected to end there); the last is their own end. `examples` and `seconds` (least,
    most) are of what is left to do, None where the rows are not encoded or nothing could be timed;
    `workers` is None where only the cluster knows. `num_reruns` is the most that `confirm` trains
    at the end, part of the examples and the time. `ends_by` names the limit in hours that ends the
    search before its trials do.
    """

    name: str
    num_rows: Mapping[str, int] | None
    num_trials: int
    num_done: int
    wall_hours: float | None
    device_hours: float | None
    epochs: str
    rungs: tuple[float, ...]
    eta: int
    why: str
    num_references: int
    baselines: tuple[str, ...]
    num_search: int
    num_judged: int
    expected_ends: tuple[tuple[float, float], ...]
    num_reruns: int
    workers: int | None
    examples: float | None
    examples_without_rungs: float | None
    bursts: tuple[Burst, ...]
    seconds: tuple[float, float] | None
    ends_by: str

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON data."""
        return asdict(self)

    def time_dict(self) -> dict[str, Any]:
        """Only what tells of time: a step of training by family, in ms, and seconds of all."""
        return {
            "step_ms": {burst.family: round(burst.step_ms, 3) for burst in self.bursts},
            "num_trials": self.num_trials,
            "workers": self.workers,
            "seconds": self.seconds,
            "ends_by": self.ends_by,
        }


def dry_run(
    spec: Spec,
    run_dir: Path | None,
    *,
    resume: bool = False,
    executor: ExecutorName = "ray",
    workers: int | None = None,
    address: str | None = None,
) -> DryRun:
    """What `run_search` would do with the same arguments; `run_dir` None: in a new directory.

    Times a short burst of training of a few models where the rows are encoded. Raises RunError
    where the search could not start in `run_dir`.
    """
    study = Study.open(run_dir) if resume and run_dir is not None else None
    if study is not None:
        study.check_spec(spec)
    elif run_dir is not None:
        check_new(run_dir)
    done = [] if study is None else [one for one in study.trials() if one.state != "running"]
    data = find_cached(spec)
    ladder = make_ladder(spec, _positives(spec, data))
    plan, num_trials = plan_trials(spec), budget(spec)
    schedule, exempt = make_schedule(spec, ladder), num_exempt(plan)
    num_search = num_trials - len(plan)
    num_workers = _num_workers(spec, executor, workers, address)
    left = remaining_epochs(schedule, done, budget=num_trials, num_exempt=exempt)
    whole = remaining_epochs(
        replace(schedule, rungs=()),
        done,
        budget=num_trials,
        num_exempt=exempt,
    )
    num_reruns = most_reruns(spec)
    confirmed = num_reruns * schedule.epochs
    bursts = () if data is None or left + confirmed == 0 else _bursts(spec, data)
    least, most, ends_by = None, None, ""
    if data is not None and bursts:
        num_ends = remaining_evaluations(schedule, done, budget=num_trials, num_exempt=exempt)
        taken = [_seconds(burst, data, left, num_ends) / (num_workers or 1) for burst in bursts]
        least, most = min(taken), max(taken)
        limit_s, limit = _limit(spec, study, done, num_workers or 1)
        if most > limit_s:
            least, most, ends_by = min(least, limit_s), limit_s, limit
        rerun = [
            _seconds(burst, data, confirmed, num_reruns) / (num_workers or 1) for burst in bursts
        ]
        least, most = least + min(rerun), most + max(rerun)
    num_train = None if data is None else data.num_rows["train"]
    return DryRun(
        name=spec.name,
        num_rows=None if data is None else dict(data.num_rows),
        num_trials=num_trials,
        num_done=len(done),
        wall_hours=spec.search.wall_hours,
        device_hours=spec.search.device_hours,
        epochs=describe(spec.search.epochs),
        rungs=ladder.rungs,
        eta=spec.search.eta,
        why=_why(ladder, data),
        num_references=sum(one.role == "reference" for one in plan),
        baselines=tuple(one.pins["family"] for one in plan if one.role == "baseline"),
        num_search=num_search,
        num_judged=num_trials - exempt,
        expected_ends=tuple(
            (epochs, (num_trials - exempt) * share)
            for epochs, share in zip(schedule.stops, schedule.ending, strict=True)
        ),
        num_reruns=num_reruns,
        workers=num_workers,
        examples=None if num_train is None else (left + confirmed) * num_train,
        examples_without_rungs=None if num_train is None else (whole + confirmed) * num_train,
        bursts=bursts,
        seconds=None if least is None or most is None else (least, most),
        ends_by=ends_by,
    )


def _positives(spec: Spec, data: EncodedData | None) -> dict[str, int]:
    """By task; as many as are needed where the rows are not known."""
    if data is None:
        return dict.fromkeys(spec.tasks, sys.maxsize)
    return count_positives(data.rows("train"), data.tasks)


def _why(ladder: Ladder, data: EncodedData | None) -> str:
    if data is None and ladder.rungs:
        return "fewer where a task has few positives in train: the encoded rows will tell"
    return ladder.why


def _num_workers(
    spec: Spec, executor: ExecutorName, workers: int | None, address: str | None
) -> int | None:
    """How many trials run at once; None where only the cluster knows."""
    if executor == "local":
        return 1
    if workers is not None or address is not None:
        return workers
    trial = spec.trial
    num_gpus = len(gpu_names()) if trial.device != "cpu" and trial.gpus else 0
    return max(1, room(num_cpus(), num_gpus, cpus=trial.cpus, gpus=trial.gpus))


def _bursts(spec: Spec, data: EncodedData) -> tuple[Burst, ...]:
    """Of the defaults of the reference, of the smallest and of the largest family."""
    import torch

    from automtl.training.burst import measure_burst
    from automtl.training.memory import keep_freed_memory

    torch.set_num_threads(max(1, int(spec.trial.cpus)))
    keep_freed_memory()
    found = []
    for config in _typical(spec, data):
        try:
            found.append(
                measure_burst(
                    config,
                    data,
                    seconds=BURST_S,
                    device=spec.trial.device,
                    precision=spec.trial.precision,
                )
            )
        except (TrialFailedError, RuntimeError, ValueError):
            continue  # a dry run ends well: the search will say what is wrong with a trial
    return tuple(found)


def _typical(spec: Spec, data: EncodedData) -> list[TrialConfig]:
    pairs = [(REFERENCE_FAMILY, REFERENCE_DEPENDENCY)]
    pairs += [
        (family, default(spec.space.dependency))
        for family in spec.space.families
        if family != REFERENCE_FAMILY
    ]
    configs = [sample(spec, Pinned(default_values(spec, *pair))) for pair in pairs]
    sizes = [costs(config.model, data.features, data.tasks)["flops"] for config in configs]
    ends = {0, sizes.index(min(sizes)), sizes.index(max(sizes))}
    return [configs[index] for index in sorted(ends)]


def _seconds(burst: Burst, data: EncodedData, epochs: float, num_evaluations: float) -> float:
    """How long one worker would take if every model were as fast as `burst`."""
    training_s = epochs * data.num_rows["train"] / burst.examples_per_s
    return training_s + num_evaluations * data.num_rows["valid"] / burst.scored_per_s


def _limit(
    spec: Spec, study: Study | None, done: Sequence[TrialRecord], workers: int
) -> tuple[float, str]:
    """(seconds until a limit in hours ends the search, which), infinity where there is none."""
    search, wall_s = spec.search, 0.0 if study is None else study.wall_s
    limits = [(float("inf"), "")]
    if search.wall_hours is not None:
        limits.append((search.wall_hours * 3600 - wall_s, "search.wall_hours"))
    if search.device_hours is not None:
        rest_s = search.device_hours * 3600 - device_s(done, spec.trial)
        per_s = workers * (spec.trial.cpus if spec.trial.device == "cpu" else 1)
        limits.append((rest_s / per_s, "search.device_hours"))
    seconds, name = min(limits)
    return max(0.0, seconds), name
