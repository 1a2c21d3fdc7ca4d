"""A confirmation that was never run: models with the validation means that a test needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from automtl.confirmed import Confirmation, ConfirmedModel, Measure, Versus


def measure(*by_seed: float, versus: Versus | None = None, **known: Any) -> Measure:
    """By seed; with `versus` it is against the reference."""
    return Measure(by_seed=by_seed, mean=float(np.mean(by_seed)), versus_reference=versus, **known)


def versus(difference: float, reach: float, p_adjusted: float = 0.5) -> Versus:
    return Versus(
        difference=difference,
        low=difference - reach,
        high=difference + reach,
        p_value=p_adjusted / 2,
        p_adjusted=p_adjusted,
    )


def model(
    trial: int | None,
    valid: Mapping[str, Sequence[float]],
    params: float = 1e6,
    *,
    family: str = "mmoe",
    is_candidate: bool = True,
    may_lead: bool = True,
    **changes: Any,
) -> ConfirmedModel:
    count = max((len(seeds) for seeds in valid.values()), default=0)
    return ConfirmedModel(
        trial=trial,
        name=changes.pop("name", family),
        family=family,
        is_candidate=is_candidate,
        may_lead=may_lead,
        runs=changes.pop("runs", tuple(range(count))),
        costs={"params": params},
        valid={name: measure(*seeds) for name, seeds in valid.items()},
        **changes,
    )


def confirmation(*models: ConfirmedModel, **changes: Any) -> Confirmation:
    return Confirmation(
        **{"seeds": 3, "group": None, "num_groups": 1000, "num_test_rows": 1000, **changes},
        models=models,
    )
