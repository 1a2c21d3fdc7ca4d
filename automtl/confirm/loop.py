"""The loop of a confirmation: what is left to train, whoever trains it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Literal

from automtl.config import Evaluation
from automtl.confirm.candidates import Rerun
from automtl.records import NewTrial, Role, TrialRecord
from automtl.search.assignment import Assignment
from automtl.search.ledger import Ledger
from automtl.search.retry import again, lose, to_retry

__all__ = ["ConfirmLoop"]

OnEnd = Callable[[TrialRecord], None]


class ConfirmLoop:
    """Starts what of `reruns` the ledger does not know yet; nothing is stopped early.

    A run that failed is a result and not repeated, but for those whose numbers are in
    `tried_again`. `on_end` hears of every run that has ended, `role` is what the ledger has them
    as.
    """

    def __init__(
        self,
        ledger: Ledger,
        reruns: Sequence[Rerun],
        *,
        on_end: OnEnd,
        role: Role = "confirm",
        tried_again: Collection[int] = (),
    ) -> None:
        self._ledger, self._reruns, self._on_end, self._role = ledger, reruns, on_end, role
        self._tried_again = tried_again

    def is_finished(self) -> bool:
        """Whether all has come to an end, good or bad."""
        ended = [one for one in self._ledger.trials() if one.state in ("complete", "failed")]
        done = {one.planned for one in ended if one.number not in self._tried_again}
        return all(one.key in done for one in self._reruns)

    def propose(self) -> Assignment | Literal["wait", "finished"]:
        history, wanted = self._ledger.history(), {one.key for one in self._reruns}
        interrupted = to_retry(tuple(one for one in history if one.planned in wanted))
        if interrupted is not None:
            return self._start(again(interrupted))
        known = {one.planned for one in history if one.number not in self._tried_again}
        for one in self._reruns:
            if one.key not in known:
                return self._start(
                    NewTrial(
                        role=self._role,
                        params={},
                        config=one.config,
                        seed=one.seed,
                        planned=one.key,
                    )
                )
        return "finished" if self.is_finished() else "wait"

    def report(self, number: int, evaluation: Evaluation) -> Literal["continue", "stop"]:
        if evaluation.epochs > 0:  # after 0 come the costs alone, measured on the built model
            self._ledger.add_evaluation(number, evaluation)
        return "continue"

    def complete(self, number: int) -> None:
        self._ledger.complete(number)  # or fails it, if a value is not finite
        self._on_end(self._ledger.get(number))

    def fail(self, number: int, reason: str, traceback: str = "") -> None:
        self._ledger.fail(number, reason, traceback)
        self._on_end(self._ledger.get(number))

    def lose(self, number: int, reason: str) -> None:
        lose(self._ledger, number, reason)
        self._on_end(self._ledger.get(number))

    def _start(self, trial: NewTrial) -> Assignment:
        record = self._ledger.start(trial)
        return Assignment(number=record.number, config=record.config, seed=record.seed)
