"""Who stands out in a study: asked once, then looked up for every trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from automtl.study import Study, TrialRecord

__all__ = ["Marks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The front in its order, the suggested trial and the single_task reference, if there are."""

    front: tuple[TrialRecord, ...]
    knee: TrialRecord | None
    reference: TrialRecord | None
    on_front: frozenset[int]

    @classmethod
    def of(cls, study: Study) -> Marks:
        front = study.front()
        return cls(
            front=front,
            knee=study.suggested(),
            reference=study.reference(),
            on_front=frozenset(record.number for record in front),
        )

    def is_on_front(self, record: TrialRecord) -> bool:
        return record.number in self.on_front

    def is_suggested(self, record: TrialRecord) -> bool:
        return self.knee is not None and self.knee.number == record.number

    def is_reference(self, record: TrialRecord) -> bool:
        return self.reference is not None and self.reference.number == record.number

    def shown(self) -> tuple[TrialRecord, ...]:
        """What a table of the front holds: the front, then the reference if it is not on it."""
        if self.reference is None or self.is_on_front(self.reference):
            return self.front
        return (*self.front, self.reference)
