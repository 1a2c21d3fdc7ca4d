"""How much each knob decided whether a trial is among the best, by PED-ANOVA.

Source: Watanabe et al., "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary
Subspaces", IJCAI 2023: how far the density of a knob over the best trials is from its density over
all of them. Both densities are of what was tried, so it does not matter that a sampler tries good
values more often.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import optuna
import pandas as pd
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import create_trial

from automtl import records
from automtl.analysis.knobs import MIN_TRIALS, best_share, judged
from automtl.pareto import Floats
from automtl.search.distributions import distribution
from automtl.spec.knobs import Knob, knobs

if TYPE_CHECKING:
    from automtl.study import Study, TrialRecord

__all__ = ["importance_frame"]

NUM_SHUFFLES = 10


def importance_frame(study: Study, *, seed: int = 0) -> pd.DataFrame:
    """One row an objective and knob: `importance`, its share of the sum over the knobs of the same
    trials, and `chance`, in the same unit: the most that NUM_SHUFFLES shuffles of the results
    among the trials gave.

    Knobs without a `condition` are judged over all complete trials of the space, one with a
    condition over the trials that meet it (`family = mmoe`), against one another and the knobs of
    all; `num_trials` says over how many, and with fewer than MIN_TRIALS there is no row.
    A direction needs no care: trials are ranked by their losses, where smaller is better.
    """
    trials, free = judged(study), knobs(study.spec)
    common = [knob for knob in free if knob.condition is None]
    rows = []
    for condition in dict.fromkeys(knob.condition for knob in free):
        own = [knob for knob in free if knob.condition == condition]
        having = [record for record in trials if all(one.name in record.params for one in own)]
        if len(having) < MIN_TRIALS:
            continue
        divergence = _Divergence(having, common if condition is None else [*common, *own])
        losses_NM = records.losses(having, study.objectives)
        for column, objective in enumerate(study.objectives):
            found, chance = _against_chance(divergence, losses_NM[:, column], seed=seed)
            total = sum(found.values()) or 1.0
            rows += [
                (
                    objective.name,
                    one.name,
                    condition or "",
                    len(having),
                    found[one.name] / total,
                    chance[one.name] / total,
                )
                for one in own
            ]
    columns = ["objective", "knob", "condition", "num_trials", "importance", "chance"]
    return pd.DataFrame(rows, columns=columns)


class _Divergence:
    """The same trials and knobs, asked for one ranking after another."""

    def __init__(self, trials: Sequence[TrialRecord], considered: Sequence[Knob]) -> None:
        distributions = {one.name: distribution(one.domain) for one in considered}
        self._study = optuna.create_study()
        self._study.add_trials(
            create_trial(
                value=0.0,
                params={name: record.params[name] for name in distributions},
                distributions=distributions,
            )
            for record in trials
        )
        for trial in self._study.get_trials(deepcopy=False):
            # the storage has copied them, and comparing copies takes most of the time
            trial.distributions = distributions
        self._evaluator = PedAnovaImportanceEvaluator(target_quantile=best_share(len(trials)))

    def __call__(self, losses_N: Floats) -> dict[str, float]:
        """By knob: how far the best are from all; trials are numbered as they were given."""
        with warnings.catch_warnings():
            # that a target is minimised, as losses are, and that sums may differ from 1
            warnings.simplefilter("ignore")
            return optuna.importance.get_param_importances(
                self._study,
                evaluator=self._evaluator,
                target=lambda trial: float(losses_N[trial.number]),
                normalize=False,
            )


def _against_chance(
    divergence: _Divergence, losses_N: Floats, *, seed: int
) -> tuple[dict[str, float], dict[str, float]]:
    """By knob: the divergence, and the largest of the shuffles."""
    rng = np.random.default_rng(seed)
    found = divergence(losses_N)
    shuffled = [divergence(rng.permutation(losses_N)) for _ in range(NUM_SHUFFLES)]
    return found, {name: max(one[name] for one in shuffled) for name in found}
