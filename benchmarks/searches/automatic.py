"""Our search as `automtl search` runs it; what it finds is noted when it finds it.

But it begins with what the other data sets taught: the own one's lesson would give it away.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from automtl.config import ExecutorName, to_jsonable
from automtl.records import TrialRecord
from automtl.rundir import weights_name
from automtl.search.fidelity import Ladder
from automtl.search.run import run_search
from automtl.spec.schema import Spec
from automtl.study import Study
from searches.elsewhere import learnt_elsewhere
from searches.result import Found, Result

__all__ = ["search"]


def search(
    spec: Spec,
    directory: Path,
    *,
    workers: int,
    executor: ExecutorName,
    elapsed_s: Callable[[], float],
) -> Result:
    """`spec.search` says how much; weights of trials that were ever on the front stay in
    `directory`."""
    notes = _Notes(directory, elapsed_s)
    with learnt_elsewhere(spec.name):
        study = run_search(
            spec, directory / "run", executor=executor, workers=workers, progress=notes
        )
    return Result(
        method=f"automtl search --executor {executor}",
        spec=spec.name,
        seed=spec.search.seed,
        wall_s=elapsed_s(),
        epochs=notes.epochs,
        num_trials=len(study.trials()),
        found=tuple(notes.found),
    )


@dataclass
class _Notes:
    """A Progress that links the weights of new members of the front before they are dropped."""

    directory: Path
    elapsed_s: Callable[[], float]
    epochs: float = 0.0
    found: list[Found] = field(default_factory=list)

    def on_start(self, study: Study, ladder: Ladder, warnings: Sequence[str] = ()) -> None:
        self._weights = study.weights_dir

    def on_change(self, record: TrialRecord) -> None:
        pass

    def on_trial(self, record: TrialRecord) -> None:
        self.epochs += record.evaluations[-1].epochs if record.evaluations else 0.0
        if record.state != "complete" or not record.feasible or not record.in_space:
            return
        kept = self._weights / weights_name(record.number)
        copy = self.directory / kept.name
        if kept.exists():
            os.link(kept, copy)
        self.found.append(
            Found(
                at_s=self.elapsed_s(),
                epochs=self.epochs,
                config=to_jsonable(record.config),
                seed=record.seed,
                weights=str(copy),
                valid=dict(record.metrics),
            )
        )

    def on_end(self, study: Study) -> None:
        pass
