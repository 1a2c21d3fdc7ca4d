"""How well the processes of `auto` foretell trainings that they have not seen, by noise prior.

    python benchmarks/foresight.py search_spaces/kuairand.yaml TRAININGS.jsonl.gz [--seen 20 40]
                                   [--repeats 20] [--noise -7 2 -3 2]

Of the trainings that searches found (`trainings.py`) some are seen, drawn by chance, all others are
foretold. For each objective of a task: Spearman's correlation of what is expected with what came
out, the logarithm of the density of what came out (of losses scaled to variance 1), the share that
lies within two standard deviations, and the noise's standard deviation as it was fitted. `--noise`
takes pairs: mean and spread of the logarithm of the noise's variance. Means over the repeats, whose
draws are the same for every prior.

Shapes: N trainings, M objectives, E columns of the embedding.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
from repeats import Floats, table
from scipy.stats import norm, spearmanr
from trainings import read_trainings

from automtl import pareto
from automtl.config import TrialConfig
from automtl.search.sampler import search_space
from automtl.search.strategies import process
from automtl.search.strategies.base import Observation, SearchSpace
from automtl.search.strategies.dataset import learnable
from automtl.search.strategies.points import Points
from automtl.spec.knobs import slots
from automtl.spec.load import load_spec
from automtl.spec.schema import Spec


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("spec", type=Path)
    parser.add_argument("trainings", type=Path, help="what trainings.py has written of it")
    parser.add_argument("--seen", type=int, nargs="+", default=[20, 40])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--noise", type=float, nargs="+", default=[*process.NOISE])
    options = parser.parse_args(arguments)
    spec = load_spec(options.spec)
    trainings = read_trainings(options.trainings)
    objectives = [one for one in spec.objective_list() if one.task is not None]
    found = [[one.valid[objective.name] for objective in objectives] for one in trainings]
    losses_NM = pareto.to_losses(found, objectives)
    space = search_space(spec)
    points = Points(space, {}, {})
    history = [
        Observation(
            number=n,
            state="complete",
            params=params_of(spec, space, one.config),
            losses=tuple(losses_M),
        )
        for n, (one, losses_M) in enumerate(zip(trainings, losses_NM.tolist(), strict=True))
    ]
    rows_NE = points.embedded(points.of(history))
    rows = []
    for num_seen in options.seen:
        for noise in zip(options.noise[::2], options.noise[1::2], strict=True):
            told_RKM = np.array(
                [
                    foretold(history, rows_NE, points.knob_E, num_seen, noise, seed)
                    for seed in range(options.repeats)
                ]
            )
            for objective, told_K in zip(objectives, told_RKM.mean(axis=0).T, strict=True):
                cells = [f"{value:.2f}" for value in told_K]
                rows.append([f"{num_seen}", "{:g}, {:g}".format(*noise), objective.name, *cells])
    head = ["seen", "noise's prior", "objective", "correlation", "log density", "within 2 sd"]
    print(table([*head, "noise"], rows))


def params_of(spec: Spec, space: SearchSpace, config: TrialConfig) -> dict[str, Any]:
    """What a search was asked for to come to `config`."""
    chosen: dict[str, Any] = {}
    for slot in slots(spec):
        if slot.applies(chosen):
            value = getattr(getattr(config, slot.part), slot.field)
            chosen[slot.name] = value if slot.key is None else value[slot.key]
    return {name: value for name, value in chosen.items() if name in space.domains}


def foretold(
    history: Sequence[Observation],
    rows_NE: Floats,
    knob_E: npt.NDArray[np.int64],
    num_seen: int,
    noise: Sequence[float],
    seed: int,
) -> Floats:
    """told_KM: correlation, log density, share within two standard deviations, noise."""
    order_N = np.random.default_rng(seed).permutation(len(history))
    seen, others = order_N[:num_seen], order_N[num_seen:]
    ceiling_M = learnable([history[n] for n in seen]).ceiling_M  # as a search cuts losses
    cut_NM = np.minimum(np.array([one.losses for one in history]), ceiling_M)
    scaled_NM = (cut_NM - cut_NM[seen].mean(axis=0)) / cut_NM[seen].std(axis=0)
    known = rows_NE[seen], knob_E, scaled_NM[seen].T.copy()
    with mock.patch.object(process, "NOISE", tuple(noise)):
        hyper = process.fit(*known)
    mean_MC, std_MC = process.condition(hyper, *known)(rows_NE[others])
    noise_M = np.exp(hyper.log_noise_M)
    error_MC = scaled_NM[others].T - mean_MC
    spread_MC = np.sqrt(np.square(std_MC) + noise_M[:, None])
    density_MC = norm.logpdf(error_MC, scale=spread_MC)
    correlation = [
        spearmanr(mean_C, scaled_C).statistic
        for mean_C, scaled_C in zip(mean_MC, scaled_NM[others].T, strict=True)
    ]
    return np.stack(
        [
            np.array(correlation),
            density_MC.mean(axis=1),
            (np.abs(error_MC) < 2 * spread_MC).mean(axis=1),
            np.sqrt(noise_M),
        ]
    )


if __name__ == "__main__":
    main()
