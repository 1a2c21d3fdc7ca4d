"""What becomes of a trial that ended by no fault of its own: it is run again, as it was."""

from __future__ import annotations

from automtl.records import NewTrial, TrialRecord
from automtl.search.ledger import Ledger

__all__ = ["again", "lose", "to_retry"]


def to_retry(history: tuple[TrialRecord, ...]) -> TrialRecord | None:
    """The first trial whose latest start was interrupted, by a kill or with its machine."""
    latest = {record.origin: record for record in history}  # history is in the order of starts
    return next((record for record in latest.values() if record.state == "interrupted"), None)


def again(interrupted: TrialRecord) -> NewTrial:
    """The same trial once more, under a new number, as if nothing had been."""
    return NewTrial(
        role=interrupted.role,
        params=interrupted.params,
        config=interrupted.config,
        seed=interrupted.seed,
        in_space=interrupted.in_space,
        planned=interrupted.planned,
        origin=interrupted.origin,
    )


def lose(ledger: Ledger, number: int, reason: str) -> None:
    """Ends a trial that died with its machine, or for want of memory there: to be run again, but
    once only."""
    origin = ledger.get(number).origin
    if any(one.origin == origin and _is_lost(one) for one in ledger.history()):
        ledger.fail(number, f"{reason}, for the second time")
    else:
        ledger.interrupt(number, reason)


def _is_lost(record: TrialRecord) -> bool:
    """Whether it was lost, not the search ended: only that is counted."""
    return record.state == "interrupted" and bool(record.reason)
