"""Who is told how a search goes: a console, or nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from automtl.search.fidelity import Ladder
from automtl.study import Study, TrialRecord

__all__ = ["Progress", "Silent"]


class Progress(Protocol):
    """Called in the process that searches, between trials; it decides nothing."""

    def on_start(self, study: Study, ladder: Ladder, warnings: Sequence[str] = ()) -> None:
        """The search begins or goes on; trials are judged at the rungs of `ladder`. `warnings` are
        about the rows, a sentence each."""

    def on_change(self, record: TrialRecord) -> None:
        """A trial has started, or was evaluated once more."""

    def on_trial(self, record: TrialRecord) -> None:
        """A trial has ended: complete, pruned or failed."""

    def on_end(self, study: Study) -> None:
        """No more trials in this process, also after an error or Ctrl-C."""


class Silent:
    """Says nothing."""

    def on_start(self, study: Study, ladder: Ladder, warnings: Sequence[str] = ()) -> None:
        pass

    def on_change(self, record: TrialRecord) -> None:
        pass

    def on_trial(self, record: TrialRecord) -> None:
        pass

    def on_end(self, study: Study) -> None:
        pass
