"""What a confirmation allows to say, in sentences: console and page share them."""

from __future__ import annotations

from collections.abc import Sequence

from automtl.analysis import text
from automtl.config import Objective
from automtl.confirmed import Confirmation, ConfirmedModel, Versus, confirmed_front, confirmed_knee

__all__ = ["gap", "outside_verdict", "verdicts"]


def outside_verdict(confirmation: Confirmation, objectives: Sequence[Objective]) -> str:
    """Where gradient boosting is better than the suggested model, which is to be said first; "" if
    nowhere."""
    knee, outside = confirmed_knee(confirmation, objectives), confirmation.outside
    if knee is None or outside is None:
        return ""
    found = []
    for name, measure in outside.test.items():
        versus = measure.versus_suggested
        if versus is not None and versus.difference > 0:
            sure = "" if versus.is_told_apart else ", which may be luck"
            found.append(f"{name} by {_with_unit(name, versus)}{sure}")
    if not found:
        return ""
    return (
        f"{outside.name.capitalize()}, a model a task and not tuned, does better on test rows than "
        f"the suggested {knee.id}: {'; '.join(found)}."
    )


def verdicts(confirmation: Confirmation, objectives: Sequence[Objective]) -> list[str]:
    """What the suggested model gains over separate ones, and who cannot be told from it, on TEST
    rows."""
    knee = confirmed_knee(confirmation, objectives)
    if knee is None:
        return ["No candidate came to its end with every seed: nothing is confirmed."]
    return [
        _against_reference(confirmation, knee, objectives),
        *_twins(confirmation, knee, objectives),
    ]


def gap(name: str, versus: Versus) -> str:
    """`+0.31 [-0.10, +0.72]`: a difference with its 95 % interval, in points for an AUC."""
    estimate, low, high = (
        text.gain(name, one) for one in (versus.difference, versus.low, versus.high)
    )
    return f"{estimate} [{low}, {high}]"


def _against_reference(
    confirmation: Confirmation, knee: ConfirmedModel, objectives: Sequence[Objective]
) -> str:
    reference = confirmation.reference
    if reference is None:
        return f"{knee.id} is suggested; there is no single_task reference to compare it with."
    if reference.trial == knee.trial:
        return f"The single_task reference {knee.id} itself is suggested: sharing gains nothing."
    told = {name: one.versus_reference for name, one in knee.test.items() if one.versus_reference}
    if not told:
        return f"{knee.id} is suggested; on test rows it cannot be compared."
    better = [f"{n} by {_with_unit(n, v)}" for n, v in told.items() if _is(v, better=True)]
    worse = [f"{n} by {_with_unit(n, v)}" for n, v in told.items() if _is(v, better=False)]
    same = [f"{n} ({_with_unit(n, v)})" for n, v in told.items() if not v.is_told_apart]
    parts = [
        *([f"better on {'; '.join(better)}"] if better else []),
        *([f"WORSE on {'; '.join(worse)}"] if worse else []),
        *([f"not to be told apart on {'; '.join(same)}"] if same else []),
    ]
    return (
        f"Against the tuned single_task {reference.id} the suggested {knee.id} is, on test rows, "
        f"{', and '.join(parts)}."
    )


def _twins(
    confirmation: Confirmation, knee: ConfirmedModel, objectives: Sequence[Objective]
) -> list[str]:
    """The members of the confirmed front that differ from the suggested one in no task."""
    twins = [
        model.id
        for model in confirmed_front(confirmation, objectives)
        if model.trial != knee.trial
        and model.test
        and not any(
            one.versus_suggested is not None and one.versus_suggested.is_told_apart
            for one in model.test.values()
        )
    ]
    if not twins:
        return []
    names = twins[0] if len(twins) == 1 else f"{', '.join(twins[:-1])} and {twins[-1]}"
    return [f"{names} cannot be told from {knee.id} on test rows, in any task."]


def _is(versus: Versus, *, better: bool) -> bool:
    return versus.is_told_apart and (versus.difference > 0) == better


def _with_unit(name: str, versus: Versus) -> str:
    unit = text.gain_unit(name)
    return f"{gap(name, versus)}{f' {unit}' if unit else ''}"
