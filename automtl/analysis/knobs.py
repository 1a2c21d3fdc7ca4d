"""What the knobs did: an objective along each knob's values, and what the best trials share.

Complete trials only. Stopped ones have no values, so a value of a knob that stops most of its
trials shows its survivors here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from automtl import records
from automtl.analysis import text
from automtl.search.distributions import labels
from automtl.spec.domains import Choice, Domain, FloatRange, IntRange, contains
from automtl.spec.knobs import Knob, knobs

if TYPE_CHECKING:
    from automtl.study import Study, TrialRecord

__all__ = ["MIN_TRIALS", "best_frame", "best_share", "judged", "marginals_frame", "too_few"]

MIN_TRIALS = 20  # complete ones: with fewer, a pattern is more likely luck than not
MOST_BINS = 6  # of a knob of numbers
BEST_SHARE, FEWEST_BEST = 0.1, 5


def judged(study: Study) -> tuple[TrialRecord, ...]:
    """The complete trials whose knobs are all in the space."""
    domains = {knob.name: knob.domain for knob in knobs(study.spec)}
    return tuple(
        record
        for record in study.trials()
        if record.state == "complete"
        and record.in_space
        and all(
            _is_in(domain, record.params[name])
            for name, domain in domains.items()
            if name in record.params
        )
    )


def too_few(study: Study) -> str:
    """Why nothing is said about knobs, as a sentence; "" if something is."""
    num_trials = len(judged(study))
    if num_trials >= MIN_TRIALS:
        return ""
    return (
        f"{num_trials} complete trial{'' if num_trials == 1 else 's'} of the space cannot tell "
        f"what a knob does from luck: this takes {MIN_TRIALS} at least."
    )


def best_share(num_trials: int) -> float:
    """Which share of `num_trials` counts as best: a tenth, but 5 trials at least, which is what
    a density of them needs (Watanabe et al., IJCAI 2023)."""
    return min(1.0, max(BEST_SHARE, FEWEST_BEST / max(num_trials, 1)))


def marginals_frame(study: Study) -> pd.DataFrame:
    """One row an objective, knob and value (a choice, a whole number, or a bin of equal counts of
    a range): the quartiles `low`, `median`, `high` of the objective, and `num_trials`.

    `value` is the number (a bin's median) or the place of the choice, `label` the value as text;
    `scale` is `choice`, `linear` or `log`; `condition` says which trials have the knob.
    """
    trials = judged(study)
    rows = []
    for knob in knobs(study.spec):
        having = [record for record in trials if knob.name in record.params]
        values = [record.params[knob.name] for record in having]
        groups = _groups(knob.domain, values)
        for objective in study.objectives:
            seen = np.array([(one.values or {})[objective.name] for one in having])
            for value, label, members in groups:
                low, median, high = np.quantile(seen[members], [0.25, 0.5, 0.75]).tolist()
                rows.append(
                    (
                        objective.name,
                        knob.name,
                        knob.condition or "",
                        _scale(knob.domain),
                        value,
                        label,
                        low,
                        median,
                        high,
                        len(members),
                    )
                )
    columns = ["objective", "knob", "condition", "scale", "value", "label"]
    return pd.DataFrame(rows, columns=[*columns, "low", "median", "high", "num_trials"])


def best_frame(study: Study) -> pd.DataFrame:
    """What the best trials of each objective share, against all.

    One row an objective, knob and `group` (`best`, `all`) for knobs of numbers: `low`, `median`,
    `high` are the 10, 50 and 90 % quantiles, values that occur; for a choice one row an option
    (`label`) that occurs, with its `share`. `num_trials` have the knob; the others count nowhere.
    """
    trials = judged(study)
    rows = []
    num_best = math.ceil(best_share(len(trials)) * len(trials) - 1e-9)
    losses_NM = records.losses(trials, study.objectives) if trials else np.empty((0, 0))
    for column, objective in enumerate(study.objectives if trials else ()):
        best = [trials[i] for i in np.argsort(losses_NM[:, column], kind="stable")[:num_best]]
        for knob in knobs(study.spec):
            for group, members in (("best", best), ("all", trials)):
                values = [one.params[knob.name] for one in members if knob.name in one.params]
                rows += [
                    {"objective": objective.name, "knob": knob.name, "group": group, **told}
                    for told in _shared(knob, values)
                ]
    columns = ["objective", "knob", "group", "num_trials", "label", "share"]
    return pd.DataFrame(rows, columns=[*columns, "low", "median", "high"])


def _shared(knob: Knob, values: Sequence[Any]) -> list[dict[str, Any]]:
    if not values:
        return []
    if isinstance(knob.domain, Choice):
        named = [text.knob(value) for value in values]
        return [
            {"num_trials": len(values), "label": one, "share": named.count(one) / len(named)}
            for one in sorted(set(named), key=lambda label: (-named.count(label), label))
        ]
    low, median, high = np.quantile(
        np.array(values, dtype=float), [0.1, 0.5, 0.9], method="inverted_cdf"
    ).tolist()
    return [{"num_trials": len(values), "low": low, "median": median, "high": high}]


def _groups(domain: Domain, values: Sequence[Any]) -> list[tuple[float, str, list[int]]]:
    """(value, label, members' places) in the order of the domain."""
    if not values:
        return []
    if isinstance(domain, Choice):
        order = {text.knob(label): place for place, label in enumerate(_ordered(domain))}
        named = [text.knob(value) for value in values]
        return [
            (float(order[label]), label, [i for i, one in enumerate(named) if one == label])
            for label in sorted(set(named), key=order.__getitem__)
        ]
    numbers = np.array(values, dtype=float)
    if isinstance(domain, IntRange) and len(set(values)) <= MOST_BINS:
        return [
            (float(one), f"{one}", np.flatnonzero(numbers == one).tolist())
            for one in sorted(set(values))
        ]
    order_N = np.argsort(numbers, kind="stable")
    parts = np.array_split(order_N, min(MOST_BINS, max(1, len(values) // 3)))
    return [
        (
            float(np.median(numbers[part])),
            f"{numbers[part].min():.3g} to {numbers[part].max():.3g}",
            part.tolist(),
        )
        for part in parts
    ]


def _ordered(domain: Choice) -> list[Any]:
    """The options' labels as the spec has them; numbers by their size."""
    found = labels(domain)
    are_numbers = all(isinstance(one, int | float) for one in found)
    return sorted(found) if are_numbers else found


def _scale(domain: Domain) -> str:
    match domain:
        case FloatRange(log=True) | IntRange(log=True):
            return "log"
        case FloatRange() | IntRange():
            return "linear"
        case _:
            return "choice"


def _is_in(domain: Domain, value: Any) -> bool:
    if isinstance(domain, Choice):
        return value in labels(domain)
    return contains(domain, value)
