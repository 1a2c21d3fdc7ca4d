"""How long a search may go on, in hours of searching and of devices; the loop counts the trials.

Whichever is used up first ends the search: no trial starts any more, those that run end by
themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from automtl.records import TrialRecord
from automtl.spec.schema import SearchSpec, TrialSpec

__all__ = ["Spent", "device_s", "share_used", "used_up"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Seconds: of searching in all processes so far, and of devices."""

    wall_s: float
    device_s: float


def device_s(trials: Iterable[TrialRecord], spec: TrialSpec) -> float:
    """For how long trials have trained, times the share of a device that each takes."""
    share = {"cpu": spec.cpus}
    last = [trial.evaluations[-1] for trial in trials if trial.evaluations]
    return sum(one.wall_s * share.get(one.device, spec.gpus) for one in last)


def used_up(search: SearchSpec, spent: Spent) -> str:
    """The limit that is reached, in a sentence; "" if none is."""
    for name, hours, used_s in _limits(search, spent):
        if used_s >= hours * 3600:
            return f"search.{name} {hours:g} are used up"
    return ""


def share_used(search: SearchSpec, spent: Spent) -> float:
    """The share of its hours that the search has used up, of whichever limit is nearer; 0 where
    there is none."""
    shares = (used_s / (hours * 3600) for _, hours, used_s in _limits(search, spent))
    return max(shares, default=0.0)


def _limits(search: SearchSpec, spent: Spent) -> Iterator[tuple[str, float, float]]:
    """Of each limit that is set its key, its hours, and the seconds that are spent of it."""
    if search.wall_hours is not None:
        yield "wall_hours", search.wall_hours, spent.wall_s
    if search.device_hours is not None:
        yield "device_hours", search.device_hours, spent.device_s
