"""Shared-bottom, OMoE and MMoE on two regressions that are less and less related.

    python benchmarks/correlation.py [--seeds 16] [--rows 100000] [--epochs 4] [--processes 2]
                                     [--quick] [--out JSON]

Ma et al., Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts,
KDD 2018: the data of §3.2 (`regression_pair`; the paper gives no α and β, each seed draws phases)
and the experiment on it in §5. 100 inputs, 8 experts with one hidden layer of 16, towers with one
of 8, shared-bottom of as many parameters, Adam, the learning rate from a grid. The loss is the
squared error on fresh rows as a share of the label's variance, the mean of both tasks, after a
third of the training and at its end. Each family's learning rate is the best at the end, by its
mean over the lowest and the highest correlation, on seeds that are not reported. Prints Markdown;
the paper's statements are held against intervals over seeds (rows and initial weights are drawn
anew).

Shapes: S seeds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from arrays import ArrayData
from repeats import (
    Floats,
    Options,
    Size,
    encoded,
    evaluations,
    interval_text,
    over_seeds,
    read_options,
    t_interval,
    table,
    write_values,
)

from automtl.config import Family, ModelConfig, TrainConfig, TrialConfig
from automtl.data.synthetic import regression_pair
from automtl.models.cost import costs

FULL = Size(seeds=16, rows=100_000, epochs=4.0)
QUICK = Size(seeds=2, rows=20_000, epochs=2.0)
CORRELATIONS = (0.0, 0.5, 0.9, 1.0)
LOWEST, SAME = CORRELATIONS[0], CORRELATIONS[-1]
LEARNING_RATES = (3e-3, 1e-2, 3e-2)
FIRST_TUNING_SEED = 1000  # an eighth as many as are reported
BATCH_SIZE = 256
NUM_INPUTS = 100
NUM_FRESH = 20_000
HARDLY = 0.1  # of OMoE's loss: a difference within it counts as almost none
OMOE = ModelConfig(family="omoe", num_shared_experts=8, expert_dims=(16,), tower_dims=(8,))
MODELS: Mapping[Family, ModelConfig] = {
    # 113 in the paper, which leaves the gates out of the count; 126 has the parameters of MMoE
    "shared_bottom": ModelConfig(family="shared_bottom", expert_dims=(126,), tower_dims=(8,)),
    "omoe": OMOE,
    "mmoe": replace(OMOE, family="mmoe"),
}
PAIRS: Sequence[tuple[Family, Family]] = (
    ("omoe", "shared_bottom"),
    ("mmoe", "shared_bottom"),
    ("mmoe", "omoe"),
)
DATA = {
    "generate": {"name": "regression_pair", "num_features": NUM_INPUTS},
    "split": {"column": "split"},
    "numeric": [f"x{index}" for index in range(NUM_INPUTS)],
}
TASKS = {name: {"label": name, "type": "regression", "loss": "mse"} for name in ("y1", "y2")}

Losses = Mapping[float, Mapping[Family, Floats]]  # by correlation and family, [S]


@dataclass(frozen=True, slots=True)
class Point:
    """A family, how fast it learns, and for how long it has."""

    family: Family
    lr: float
    epochs: float

    def __str__(self) -> str:
        return f"{self.family}, lr {self.lr:g}, {self.epochs:.3g} epochs"


def main(arguments: Sequence[str] | None = None) -> None:
    description = (__doc__ or "").partition("\n")[0]
    print("\n\n".join(report(read_options(description, arguments, full=FULL, quick=QUICK))))


# ---- what is measured ----------------------------------------------------------------------


def losses(
    correlation: float, seed: int, *, rates: Mapping[Family, Sequence[float]], size: Size
) -> dict[Point, float]:
    """The share of variance that each family, at each of its rates, leaves on one seed's rows."""
    data = make_data(correlation, seed, size.rows)
    found = {}
    for family, lr in [(family, lr) for family, some in rates.items() for lr in some]:
        train = TrainConfig(epochs=size.epochs, batch_size=BATCH_SIZE, lr=lr)
        config = TrialConfig(model=MODELS[family], train=train)
        for one in evaluations(config, data, seed=seed, rungs=(size.epochs / 3,)):
            shares = [(one.metrics[f"{task.name}.rmse"] / task.std) ** 2 for task in data.tasks]
            found[Point(family, lr, one.epochs)] = float(np.mean(shares))
    return found


def make_data(correlation: float, seed: int, num_rows: int) -> ArrayData:
    """`num_rows` to train on, and fresh ones to judge by."""
    frame = regression_pair(
        num_rows + NUM_FRESH, seed, correlation=correlation, num_features=NUM_INPUTS
    )
    return encoded(DATA, TASKS, train=frame[:num_rows], valid=frame[num_rows:])


def best_rates(options: Options) -> dict[Family, float]:
    """Each family's learning rate, from seeds that are not reported."""
    rates = dict.fromkeys(MODELS, LEARNING_RATES)
    seeds = range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + math.ceil(options.size.seeds / 8))
    measure = partial(losses, rates=rates, size=options.size)
    values = over_seeds(measure, (LOWEST, SAME), seeds, processes=options.processes)

    def mean_loss(family: Family, lr: float) -> float:
        end = Point(family, lr, options.size.epochs)
        return float(np.mean([named[end] for named in values.values()]))

    return {family: min(rates[family], key=partial(mean_loss, family)) for family in MODELS}


# ---- what the paper states -----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """True if the mean of every difference [S] is above 0, by its interval.

    With `within`: if it is between −`within` and `within`.
    """

    text: str
    differences: Sequence[Floats]
    within: float | None = None

    def __str__(self) -> str:
        intervals = [t_interval(values_S) for values_S in self.differences]
        low, high = (0.0, math.inf) if self.within is None else (-self.within, self.within)
        num_shown = sum(low < one.low and one.high < high for one in intervals)
        num_against = sum(one.high < low or high < one.low for one in intervals)
        verdict = "contradicted" if num_against else "not shown"
        if num_shown == len(intervals):
            verdict = "true"
        counts = f"{num_shown} of {len(intervals)} intervals for it, {num_against} against it"
        return f"- **{verdict}** ({counts}): {self.text}"


def statements(loss: Losses) -> Iterable[Statement]:
    """What §5 of the paper says about its Figure 4."""
    rise = rises(loss)
    yield Statement(
        text=f"every family is better at correlation {SAME:g} than at {LOWEST:g}",
        differences=list(rise.values()),
    )
    yield Statement(
        text="less relatedness costs shared-bottom and OMoE more than it costs MMoE",
        differences=[rise["shared_bottom"] - rise["mmoe"], rise["omoe"] - rise["mmoe"]],
    )
    yield Statement(
        text=f"at correlation {SAME:g} OMoE and MMoE hardly differ (by {HARDLY:.0%} of the loss)",
        differences=[loss[SAME]["omoe"] - loss[SAME]["mmoe"]],
        within=HARDLY * float(loss[SAME]["omoe"].mean()),
    )
    yield Statement(
        text=f"MMoE is better than OMoE at every correlation below {SAME:g}",
        differences=[loss[one]["omoe"] - loss[one]["mmoe"] for one in CORRELATIONS[:-1]],
    )
    yield Statement(
        text="OMoE and MMoE are better than shared-bottom at every correlation",
        differences=[
            loss[one]["shared_bottom"] - loss[one][family]
            for family in ("omoe", "mmoe")
            for one in CORRELATIONS
        ],
    )


def rises(loss: Losses) -> dict[Family, Floats]:
    """What the lowest correlation costs each family, [S]."""
    return {family: loss[LOWEST][family] - loss[SAME][family] for family in MODELS}


# ---- Markdown ------------------------------------------------------------------------------


def report(options: Options) -> Iterable[str]:
    size = options.size
    rates = best_rates(options)
    measure = partial(losses, rates={family: [lr] for family, lr in rates.items()}, size=size)
    values = over_seeds(measure, CORRELATIONS, range(size.seeds), processes=options.processes)
    if options.out is not None:
        write_values(options.out, size, {"loss": values})
    yield (
        f"**Loss by correlation**: {size.seeds} seeds, {size.rows:,} rows, batches of "
        f"{BATCH_SIZE}; share of the label's variance left on {NUM_FRESH:,} fresh rows, mean of "
        "both tasks, with its 95 % interval over seeds"
    )
    data = make_data(SAME, 0, num_rows=2)
    params = {
        family: costs(MODELS[family], data.features, data.tasks)["params"] for family in rates
    }
    yield table(
        ["family", "params", "lr"],
        [[family, f"{params[family]:,.0f}", f"{lr:g}"] for family, lr in rates.items()],
    )
    for epochs in sorted({point.epochs for point in values[SAME]}):
        yield f"**After {epochs:.3g} epochs**"
        loss = {
            correlation: {
                point.family: values_S
                for point, values_S in named.items()
                if point.epochs == epochs
            }
            for correlation, named in values.items()
        }
        yield from at_one_moment(loss)


def at_one_moment(loss: Losses) -> Iterable[str]:
    rise = rises(loss)
    yield table(
        [
            "↓",
            *(f"correlation {one:g}" for one in CORRELATIONS),
            f"rise from {SAME:g} to {LOWEST:g}",
        ],
        [
            [family]
            + [interval_text(loss[one][family]) for one in CORRELATIONS]
            + [interval_text(rise[family], signed=True)]
            for family in MODELS
        ]
        + [
            [f"{a} − {b}"]
            + [interval_text(loss[one][a] - loss[one][b], signed=True) for one in CORRELATIONS]
            + [interval_text(rise[a] - rise[b], signed=True)]
            for a, b in PAIRS
        ],
    )
    yield "The paper's statements; each interval has 95 % by itself, seeds are paired:"
    yield "\n".join(str(one) for one in statements(loss))


if __name__ == "__main__":
    main()
