"""What a search starts whatever it learns: the reference, and one default of each family.

`single_task` without a dependency is the zero line of every report, so its default comes first. One
untuned model against the best of all others would be unfair, so some trials of the same recipe go
to tuning it, in the second half of the search: they are no part of the front, which should not wait
for them. Nor should it for the families' defaults, which run to their end and are slow where a
family is, so they come between trials of the search. How far a search is, its limits in hours say
too: what few trials an hour allows get their share of the plan. The plan follows from the spec
alone; what of it is done, the study knows by the keys.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from automtl.config import Dependency, Family
from automtl.records import FIRST_REFERENCE, Role
from automtl.space import default_values, knobs
from automtl.spec.domains import contains, default
from automtl.spec.schema import Spec

__all__ = [
    "PlannedTrial",
    "budget",
    "due_trials",
    "in_order",
    "num_exempt",
    "num_references",
    "plan_trials",
]

REFERENCE_FAMILY: Family = "single_task"
REFERENCE_DEPENDENCY: Dependency = "none"
MIN_REFERENCES = 5
EACH = 8  # one trial in so many tunes the reference


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTrial:
    """A trial that the search starts whatever it learns; knobs without a pin are proposed.

    It is due once the search is as far as `due` of its trials, and `after` have started.
    """

    key: str
    role: Role
    pins: Mapping[str, Any]
    due: int = 0
    after: int = 0
    in_space: bool = True

    @property
    def is_default(self) -> bool:
        """Whether it pins every knob; it then runs to its end (`records.is_judged`)."""
        return self.role == "baseline" or self.key == FIRST_REFERENCE


def num_references(num_trials: int) -> int:
    """How many of all trials tune the reference: an eighth, but at least 5, at most a half."""
    return max(1, min(max(MIN_REFERENCES, num_trials // EACH), num_trials // 2))


def budget(spec: Spec) -> int:
    """How many trials the search starts in all.

    A space without a free knob holds one configuration; it is trained once, and the reference
    beside it if that is another one.
    """
    if knobs(spec):
        return spec.search.trials
    return 1 if _holds_reference(spec) else 2


def plan_trials(spec: Spec) -> tuple[PlannedTrial, ...]:
    """The reference by its defaults; then, in even steps, the families' defaults, and, in even
    steps of the second half, what tunes the reference."""
    in_space = _holds_reference(spec)
    dependency = default(spec.space.dependency)
    recipe = {"family": REFERENCE_FAMILY, "dependency": REFERENCE_DEPENDENCY}
    num_trials, count = budget(spec), num_references(budget(spec))
    families = [family for family in spec.space.families if family != REFERENCE_FAMILY]
    references = [
        PlannedTrial(
            key=f"reference:{index}" if index else FIRST_REFERENCE,
            role="reference",
            pins=recipe if index else default_values(spec, REFERENCE_FAMILY, REFERENCE_DEPENDENCY),
            due=num_trials * (count + index) // (2 * count) if index else 0,
            after=EACH * index if index >= MIN_REFERENCES else 0,
            in_space=in_space,
        )
        for index in range(count)
    ]
    baselines = [
        PlannedTrial(
            key=f"baseline:{family}",
            role="baseline",
            pins=default_values(spec, family, dependency),
            due=num_trials * index // (len(families) + 1),
        )
        for index, family in enumerate(families, start=1)
    ]
    return (*references[:1], *baselines, *references[1:])[:num_trials]


def due_trials(
    plan: tuple[PlannedTrial, ...],
    *,
    started: Collection[str],
    num_started: int,
    num_trials: int,
    share: float = 0.0,
) -> tuple[PlannedTrial, ...]:
    """What of the plan should start now, after `num_started` of `num_trials`.

    `started` are the keys of what has; `share` of the search is over by its limits in hours. Where
    there is nothing else to start, or no room for it, all of the rest is due.
    """
    left = tuple(one for one in plan if one.key not in started)
    if share >= 1 or len(left) >= num_trials - num_started:
        return left
    reached = max(float(num_started), share * num_trials)
    return tuple(one for one in left if one.due <= reached and one.after <= num_started)


def in_order(plan: tuple[PlannedTrial, ...], num_trials: int) -> Iterator[PlannedTrial | None]:
    """What a search of `num_trials` without limits in hours starts, in this order; None is a trial
    of its own."""
    started: set[str] = set()
    for num_started in range(num_trials):
        due = due_trials(plan, started=started, num_started=num_started, num_trials=num_trials)
        yield due[0] if due else None
        started |= {one.key for one in due[:1]}


def num_exempt(plan: tuple[PlannedTrial, ...]) -> int:
    """How many of the plan run to their end whatever they reach."""
    return sum(one.is_default for one in plan)


def _holds_reference(spec: Spec) -> bool:
    """Whether the space names the reference's family and dependency."""
    return REFERENCE_FAMILY in spec.space.families and contains(
        spec.space.dependency, REFERENCE_DEPENDENCY
    )
