"""A search that trackers are told of: its progress, turned into their events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from automtl.search.fidelity import Ladder
from automtl.search.progress import Progress
from automtl.study import Study, TrialRecord
from automtl.tracking.background import Background, describe
from automtl.tracking.events import (
    Outcome,
    SearchEnded,
    SearchStarted,
    Standing,
    Tracker,
    TrialChanged,
)

__all__ = ["standing", "tracked"]


@contextmanager
def tracked(study: Study, progress: Progress, trackers: Sequence[Tracker]) -> Iterator[Progress]:
    """Gives a progress that tells `progress` and, each in a thread of its own, `trackers`.

    They learn of the search's start now, and of its end when the block ends, by an exception or
    not. No tracker raises here; at the end each is waited for, for `PATIENCE_S` at most.
    """
    if not trackers:
        yield progress
        return
    threads = [Background(tracker) for tracker in trackers]
    start = SearchStarted(
        name=study.spec.name,
        run_dir=study.run_dir,
        spec=study.meta["spec"],
        versions=study.meta["versions"],
        trials=study.history(),
    )
    for thread in threads:
        thread.tell(start)
    outcome: Outcome = "failed"
    reason = ""
    try:
        yield _Tracked(study, progress, threads)
        outcome, reason = "finished", study.ended
    except KeyboardInterrupt:
        outcome, reason = "interrupted", "Ctrl-C"
        raise
    except Exception as error:
        reason = describe(error)
        raise
    finally:
        end = SearchEnded(outcome=outcome, reason=reason, trials=study.history())
        for thread in threads:
            thread.tell(end)
        for thread in threads:
            thread.close()


def standing(study: Study) -> Standing:
    """How far `study` is now."""
    trials, front = study.trials(), study.front()
    trace = study.hypervolume_trace()
    ended = {s: sum(r.state == s for r in trials) for s in ("complete", "pruned", "failed")}
    best: dict[str, float] = {}
    for objective in study.objectives if front else ():
        values = [record.values[objective.name] for record in front if record.values is not None]
        is_higher_better = objective.direction == "maximize"
        best[objective.name] = max(values) if is_higher_better else min(values)
    return Standing(
        num_complete=ended["complete"],
        num_pruned=ended["pruned"],
        num_failed=ended["failed"],
        num_rejected=study.num_rejected,
        front_size=len(front),
        hypervolume=trace[-1][1] if trace else 0.0,
        best=best,
        wall_s=study.wall_s,
    )


class _Tracked:
    """Tells the search's own progress, and trackers of every change."""

    def __init__(self, study: Study, progress: Progress, threads: Sequence[Background]) -> None:
        self._study, self._progress, self._threads = study, progress, threads

    def on_start(self, study: Study, ladder: Ladder, warnings: Sequence[str] = ()) -> None:
        self._progress.on_start(study, ladder, warnings)

    def on_change(self, record: TrialRecord) -> None:
        self._progress.on_change(record)
        self._tell(TrialChanged(record=record))

    def on_trial(self, record: TrialRecord) -> None:
        self._progress.on_trial(record)
        self._tell(TrialChanged(record=record, standing=standing(self._study)))

    def on_end(self, study: Study) -> None:
        self._progress.on_end(study)

    def _tell(self, event: TrialChanged) -> None:
        for thread in self._threads:
            thread.tell(event)
