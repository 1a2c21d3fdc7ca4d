"""The statistics of `automtl confirm` where the truth is known: do they keep what they promise?

    python benchmarks/confirm_simulated.py [--repetitions 4000] [--seed 0] [--quick]

The truth of a configuration is the AUC that it is EXPECTED to have: over training seeds, on the
population of users. Scores are normal given the label: a positive's lie higher by `a`, which every
training moves a little (so that its true AUC moves by `SEED_SD`), and the noise has parts that all
models share, parts of a model and parts of one training, by user and by row (`SHARES`, which add
up to 1). Users have their own share of positives, so a user's rows resemble each other in labels
and in scores; how many rows they have is log-normal. A training's true AUC is Φ((a + moved) / √2).

Every repetition draws users, rows and trainings anew: a reference, two configurations as good as it
and one that is better by `GAIN`. The picks are made elsewhere: 20 configurations of differing
truth, each trained once and measured on VALIDATION rows; the five best by that are trained again
with fresh seeds, and the best mean on the same rows is picked. Prints Markdown; ± is the
Monte-Carlo standard error.

Shapes: J rows, U users, S seeds, R repetitions.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from repeats import Floats, table

from automtl.analysis.estimates import Estimate, compare, holm, summarise
from automtl.analysis.influence import Influence, influence
from automtl.analysis.interval import Interval, student_interval

NORMAL = NormalDist()
SHARES: Mapping[str, float] = {
    "user": 0.25,
    "row": 0.4,
    "model and user": 0.05,
    "model and row": 0.1,
    "seed and user": 0.05,
    "seed and row": 0.15,
}
POSITIVES = (1.2, 2.8)  # of the beta that a user's share is drawn from; the mean is .3
SIZE_SIGMA = 1.0  # of the logarithm of a user's number of rows
AUC = 0.75  # of the reference, and the middle of the configurations to pick from
GAIN = 0.03
SEED_SD = 0.008
MOVED_SD = SEED_SD * math.sqrt(2) / NORMAL.pdf(NORMAL.inv_cdf(AUC))  # of `a`: by the slope there
CONFIGURATION_SD = 0.01  # of the expected AUC, between the configurations to pick from
NUM_EQUAL, NUM_CONFIGURATIONS, NUM_CANDIDATES = 2, 20, 5
NUM_SEEDS = (3, 5)
PICKS = ("one seed", *(f"{num_seeds} fresh seeds" for num_seeds in NUM_SEEDS))
ALPHA = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """How rows come about: alone (`rows_a_user` 1), or by users of unequal sizes."""

    users: int
    rows_a_user: int = 1

    def __str__(self) -> str:
        if self.rows_a_user == 1:
            return f"{self.users:,} independent rows"
        return f"{self.users:,} users, mean of {self.rows_a_user} rows"


SMALL, LARGE = World(users=1_000), World(users=2_000)
LIGHT, HEAVY = World(users=100, rows_a_user=10), World(users=60, rows_a_user=20)
TESTS = ((SMALL, 3), (SMALL, 5), (LARGE, 5), (LIGHT, 3), (LIGHT, 5), (HEAVY, 3), (HEAVY, 5))
PICK_WORLDS = (SMALL, LARGE, HEAVY)


# ---- rows and scores of known truth --------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of users, their labels and the noise that all models' scores share."""

    user_J: NDArray[np.intp]
    labels_J: NDArray[np.intp]
    noise_J: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A configuration of known expected AUC, and the noise that all its trainings share."""

    auc: float
    noise_J: Floats


def drawn_rows(world: World, rng: np.random.Generator) -> Rows:
    sizes_U = np.ones(world.users, dtype=np.intp)
    if world.rows_a_user > 1:
        location = math.log(world.rows_a_user - 0.5) - SIZE_SIGMA**2 / 2  # rounded up: half a row
        drawn_U = rng.lognormal(location, SIZE_SIGMA, world.users)
        sizes_U = np.ceil(drawn_U).astype(np.intp)
    user_J = np.repeat(np.arange(world.users), sizes_U)
    share_U = rng.beta(*POSITIVES, world.users)
    labels_J = (rng.random(user_J.size) < share_U[user_J]).astype(np.intp)
    return Rows(user_J=user_J, labels_J=labels_J, noise_J=noise(user_J, "user", "row", rng))


def drawn_model(rows: Rows, auc: float, rng: np.random.Generator) -> Model:
    return Model(auc=auc, noise_J=noise(rows.user_J, "model and user", "model and row", rng))


def trained(model: Model, rows: Rows, num_seeds: int, rng: np.random.Generator) -> Floats:
    """Scores [S, J]; E Φ((a + moved) / √2) = Φ(a / √(2 + MOVED_SD²)) gives `a`."""
    a = NORMAL.inv_cdf(model.auc) * math.sqrt(2 + MOVED_SD**2)
    fixed_J = a * rows.labels_J + rows.noise_J + model.noise_J
    return np.stack(
        [
            fixed_J
            + MOVED_SD * rng.standard_normal() * rows.labels_J
            + noise(rows.user_J, "seed and user", "seed and row", rng)
            for _ in range(num_seeds)
        ]
    )


def noise(user_J: NDArray[np.intp], by_user: str, by_row: str, rng: np.random.Generator) -> Floats:
    """One draw a user and one a row, of the variances in `SHARES`."""
    of_user_U = math.sqrt(SHARES[by_user]) * rng.standard_normal(user_J[-1] + 1)
    return of_user_U[user_J] + math.sqrt(SHARES[by_row]) * rng.standard_normal(user_J.size)


# ---- intervals and tests, ours and naive ones ----------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A way to the interval of a mean and of a difference; its test rejects where that excludes 0.

    `rows` names the estimates it is made of (`estimates_of`).
    """

    rows: Literal["by user", "alone", "alone, one seed"]
    of_mean: Callable[[Estimate], Interval | None]
    of_difference: Callable[[Estimate, Estimate], Interval | None]


def rows_held_fixed(first: Estimate, second: Estimate) -> Interval:
    """Welch's interval over seeds, as if there were no users but these."""
    of_each = [
        (float(np.var(one.values, ddof=1)) / len(one.values), len(one.values) - 1)
        for one in (first, second)
    ]
    variance = sum(part for part, _ in of_each)
    return student_interval(
        first.mean - second.mean,
        standard_error=math.sqrt(variance),
        degrees=variance**2 / sum(part**2 / degrees for part, degrees in of_each),
    )


OURS = "ours"
METHODS: Mapping[str, Method] = {
    OURS: Method(
        rows="by user",
        of_mean=lambda one: one.total,
        of_difference=lambda first, second: compare(first, second).total,
    ),
    "rows as independent": Method(
        rows="alone",
        of_mean=lambda one: one.total,
        of_difference=lambda first, second: compare(first, second).total,
    ),
    "models as fixed": Method(
        rows="by user",
        of_mean=lambda one: one.rows,
        of_difference=lambda first, second: compare(first, second).rows,
    ),
    "rows as fixed": Method(
        rows="by user", of_mean=lambda one: one.seeds, of_difference=rows_held_fixed
    ),
    "one seed, DeLong": Method(
        rows="alone, one seed",
        of_mean=lambda one: one.rows,
        of_difference=lambda first, second: compare(first, second).rows,
    ),
}


def test_outcome(world: World, num_seeds: int, rng: np.random.Generator) -> dict[str, float]:
    """One repetition: the shares of its models whose interval covers, of its true zeros that a
    test rejects; whether Holm's rejects any of them, and whether it finds the gain."""
    rows = drawn_rows(world, rng)
    models = [drawn_model(rows, auc, rng) for auc in (AUC,) * (1 + NUM_EQUAL) + (AUC + GAIN,)]
    estimates_by = estimates_of(
        rows, [measured(rows, trained(model, rows, num_seeds, rng)) for model in models]
    )
    outcome: dict[str, float] = {}
    for name, method in METHODS.items():
        estimates = estimates_by[method.rows]
        outcome[f"{name}: covers"] = share(
            not excludes(method.of_mean(one), model.auc)
            for one, model in zip(estimates, models, strict=True)
        )
        reference, *equals = estimates[: 1 + NUM_EQUAL]
        outcome[f"{name}: rejects"] = share(
            excludes(method.of_difference(one, reference), 0.0) for one in equals
        )
        if name == OURS:
            p_values = [compare(one, reference).p_value for one in estimates[1:]]
            *of_equals, of_better = holm([p_value for p_value in p_values if p_value is not None])
            outcome["family"] = float(min(of_equals) <= ALPHA)
            outcome["found"] = float(of_better <= ALPHA)
    return outcome


def estimates_of(rows: Rows, found: Sequence[Influence]) -> Mapping[str, Sequence[Estimate]]:
    """Of every model what the methods ask for."""
    first = [replace(one, values_S=one.values_S[:1], rows_SJ=one.rows_SJ[:1]) for one in found]
    return {
        "by user": [summarise(one, groups_J=rows.user_J) for one in found],
        "alone": [summarise(one) for one in found],
        "alone, one seed": [summarise(one) for one in first],
    }


def measured(rows: Rows, scores_SJ: Floats) -> Influence:
    found = influence("auc", labels_J=rows.labels_J, scores_SJ=scores_SJ)
    assert found is not None, "a world's rows are of both classes"
    return found


def excludes(interval: Interval | None, value: float) -> bool:
    assert interval is not None, "a world has clusters and seeds enough"
    return interval.excludes(value)


def share(answers: Iterable[bool]) -> float:
    return float(np.mean(list(answers)))


# ---- picks ---------------------------------------------------------------------------------


def pick_outcome(world: World, rng: np.random.Generator) -> dict[str, float]:
    """One repetition: whether a pick is not the best, and how much true AUC it gives away."""
    rows = drawn_rows(world, rng)
    aucs = AUC + CONFIGURATION_SD * rng.standard_normal(NUM_CONFIGURATIONS)
    models = [drawn_model(rows, auc, rng) for auc in aucs]
    once = np.array([measured(rows, trained(model, rows, 1, rng)).values_S[0] for model in models])
    candidates = np.argsort(once)[-NUM_CANDIDATES:]
    again_CS = np.stack(
        [
            measured(rows, trained(models[one], rows, max(NUM_SEEDS), rng)).values_S
            for one in candidates
        ]
    )
    picks = {PICKS[0]: (candidates[-1], once.max())}
    for num_seeds, name in zip(NUM_SEEDS, PICKS[1:], strict=True):
        mean_C = again_CS[:, :num_seeds].mean(axis=1)
        picks[name] = (candidates[mean_C.argmax()], mean_C.max())
    outcome: dict[str, float] = {}
    for name, (pick, on_validation) in picks.items():
        lost = float(aucs.max() - aucs[pick])
        outcome[f"{name}: wrong"] = float(lost > 0)
        outcome[f"{name}: lost"] = lost
        outcome[f"{name}: too high"] = float(on_validation - aucs[pick])
        outcome[f"{name}: saved"] = outcome[f"{PICKS[0]}: lost"] - lost
    return outcome


# ---- many repetitions, and what they show --------------------------------------------------

Values = Mapping[str, Floats]


def repeated(
    measure: Callable[[np.random.Generator], dict[str, float]], *, repetitions: int, seed: int
) -> Values:
    """What `measure` names, [R]; the same draws whatever else is run."""
    started = time.perf_counter()
    rng = np.random.default_rng(seed)
    outcomes = [measure(rng) for _ in range(repetitions)]
    print(f"{repetitions} repetitions, {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return {name: np.array([one[name] for one in outcomes]) for name in outcomes[0]}


def cell(values_R: Floats, *, decimals: int = 1) -> str:
    """`95.1 ± .3`: a hundred times the mean, in % or in points of AUC."""
    mean, error = 100 * values_R.mean(), 100 * values_R.std(ddof=1) / math.sqrt(len(values_R))
    return f"{mean:.{decimals}f} ± {error:.{decimals}f}"


def report(
    tests: Mapping[tuple[World, int], Values], picks: Mapping[World, Values]
) -> Iterator[str]:
    yield "Intervals of 95 %: % that hold the expected AUC"
    yield table(
        ["test rows", "seeds", *METHODS],
        [
            [str(world), str(num_seeds), *(cell(values[f"{name}: covers"]) for name in METHODS)]
            for (world, num_seeds), values in tests.items()
        ],
    )
    yield (
        "Paired tests at 5 %: % of true zeros that are rejected; with Holm's correction of "
        f"{NUM_EQUAL + 1} tests: % of families in which any of {NUM_EQUAL} zeros is, and in which "
        f"the gain of {100 * GAIN:g} points is found"
    )
    yield table(
        ["test rows", "seeds", *METHODS, "ours, Holm: any zero", "ours, Holm: the gain"],
        [
            [
                *(str(world), str(num_seeds)),
                *(cell(values[f"{name}: rejects"]) for name in METHODS),
                *(cell(values[name]) for name in ("family", "found")),
            ]
            for (world, num_seeds), values in tests.items()
        ],
    )
    yield (
        f"Picks from {NUM_CONFIGURATIONS} by VALIDATION AUC: % that are not the best in truth; "
        "points of true AUC that they give away, and those that fresh seeds save; points by which "
        "the pick's validation AUC is above its true one"
    )
    yield table(
        ["validation rows", "picked by", "not the best", "given away", "saved", "too high"],
        [
            [
                *(str(world), name, cell(values[f"{name}: wrong"])),
                *(
                    cell(values[f"{name}: {what}"], decimals=2)
                    for what in ("lost", "saved", "too high")
                ),
            ]
            for world, values in picks.items()
            for name in PICKS
        ],
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repetitions", type=int, default=4000, help="two at least")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="20 repetitions: proves nothing")
    options = parser.parse_args(arguments)
    repetitions = 20 if options.quick else options.repetitions
    repeat = partial(repeated, repetitions=repetitions, seed=options.seed)
    tests = {setting: repeat(partial(test_outcome, *setting)) for setting in TESTS}
    picks = {world: repeat(partial(pick_outcome, world)) for world in PICK_WORLDS}
    print("\n\n".join(report(tests, picks)))


if __name__ == "__main__":
    main()
