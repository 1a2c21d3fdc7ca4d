"""What a tracker is told: a search begins, a trial changes, the search ends. Plain frozen values.

An event carries the whole record of its trial, not what is new in it. So a tracker that has missed
some (its queue was full, its server away, the search killed) makes it up with the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from automtl.confirmed import ConfirmedModel
from automtl.records import TrialRecord

__all__ = [
    "Confirmed",
    "Event",
    "Outcome",
    "SearchEnded",
    "SearchStarted",
    "Standing",
    "Tracker",
    "TrialChanged",
]

Outcome = Literal["finished", "interrupted", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchStarted:
    """A search begins or goes on; `trials` is all that ever started in it, by number."""

    name: str
    run_dir: Path
    spec: Mapping[str, Any]
    versions: Mapping[str, str]
    trials: tuple[TrialRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a search is: counts of trials by how they ended, and the front of those so far.

    `best` is the front's best value of each objective, in native units. The reference point of
    `hypervolume` is that of the trials so far.
    """

    num_complete: int
    num_pruned: int
    num_failed: int
    num_rejected: int
    front_size: int
    hypervolume: float
    best: Mapping[str, float]
    wall_s: float

    @property
    def num_ended(self) -> int:
        return self.num_complete + self.num_pruned + self.num_failed

    def figures(self) -> dict[str, float]:
        """By the names under which trackers show them."""
        return {
            "search/complete": self.num_complete,
            "search/pruned": self.num_pruned,
            "search/failed": self.num_failed,
            "search/rejected": self.num_rejected,
            "search/front_size": self.front_size,
            "search/hypervolume": self.hypervolume,
            "search/wall_s": self.wall_s,
            **{f"best/{name}": value for name, value in self.best.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialChanged:
    """A trial has started, was evaluated, or has ended; then `standing` is what follows."""

    record: TrialRecord
    standing: Standing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchEnded:
    """No more trials in this process; those that still run were interrupted. `reason` says why
    it ended early, "" if it did not."""

    outcome: Outcome
    reason: str
    trials: tuple[TrialRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """After the search: a trial was trained again with fresh seeds. `is_on_front`: by the means
    over these seeds on validation rows."""

    trial: str
    model: ConfirmedModel
    is_on_front: bool

    @property
    def num_seeds(self) -> int:
        return len(self.model.runs)

    def figures(self) -> dict[str, float]:
        """By the names under which trackers show them: means over the seeds on TEST rows, with
        their 95 % intervals and the gap to the reference where these are known; `/valid` is that
        on validation rows."""
        found = {f"confirmed/{name}": cost for name, cost in self.model.costs.items()}
        for name, measure in self.model.valid.items():
            found[f"confirmed/{name}/valid"] = measure.mean
        for name, measure in self.model.test.items():
            found[f"confirmed/{name}"] = measure.mean
            if measure.low is not None and measure.high is not None:
                found |= {
                    f"confirmed/{name}/low": measure.low,
                    f"confirmed/{name}/high": measure.high,
                }
            if (gap := measure.versus_reference) is not None:
                found |= {
                    f"confirmed/{name}/gain": gap.difference,
                    f"confirmed/{name}/gain_low": gap.low,
                    f"confirmed/{name}/gain_high": gap.high,
                }
        return found


Event = SearchStarted | TrialChanged | SearchEnded


class Tracker(Protocol):
    """Called in one thread that is not the search's (`background.py`). It may raise, and take its
    time."""

    @property
    def place(self) -> str:
        """What is tracked, and where, as a person says it."""

    def tell(self, event: Event) -> None: ...
