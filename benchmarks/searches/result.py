"""What one search that trained has found, and when; the same files for every method."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from automtl import pareto
from automtl.config import Objective

__all__ = ["Found", "Result", "losses", "prefix_fronts", "reference_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One trial that ran to its end, `at_s` after the search's process was started.

    `epochs` is what all trials together had trained when it ended, cut-off ones at their last
    evaluation and those that were still running left out. `test` is known for those that were on
    the front of VALIDATION rows when they ended.
    """

    at_s: float
    epochs: float
    config: Mapping[str, Any]
    seed: int
    weights: str
    valid: Mapping[str, float]
    test: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One search. `wall_s` is from the start of its process to its end, `epochs` what all its
    trials have trained, `num_trials` how many it started."""

    method: str
    spec: str
    seed: int
    wall_s: float
    epochs: float
    num_trials: int
    found: tuple[Found, ...]

    def save(self, path: Path) -> None:
        aside = path.with_suffix(".tmp")
        aside.write_text(json.dumps(asdict(self)), encoding="utf-8")
        aside.replace(path)

    @classmethod
    def load(cls, path: Path) -> Result:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return cls(found=tuple(Found(**one) for one in raw.pop("found")), **raw)


def losses(
    metrics: Sequence[Mapping[str, float]], objectives: Sequence[Objective]
) -> pareto.Floats:
    """losses_NM, the parameters as log10."""
    values = [[one[objective.name] for objective in objectives] for one in metrics]
    return pareto.to_losses(values, objectives)


def reference_of(rescored_FM: pareto.Floats) -> pareto.Floats:
    """ref_M for fronts that were chosen on other rows: worse than all their members by a tenth of
    their range. The nadir of what is undominated after rescoring would leave most of them out."""
    ref_M: pareto.Floats = rescored_FM.max(axis=0) + 0.1 * np.ptp(rescored_FM, axis=0)
    return ref_M


def prefix_fronts(losses_NM: pareto.Floats) -> list[list[int]]:
    """The members of the front of each prefix of trials."""
    fronts: list[list[int]] = []
    members: list[int] = []
    for n in range(len(losses_NM)):
        members = [*members, n]
        mask = pareto.pareto_front(losses_NM[members])
        members = [m for m, stays in zip(members, mask, strict=True) if stays]
        fronts.append(members)
    return fronts
