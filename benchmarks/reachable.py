"""How close each family comes to the best reachable AUC, and what ESMM gains as clicks get rarer.

    python benchmarks/reachable.py [--seeds 12] [--rows 200000] [--epochs 1] [--processes 2]
                                   [--quick] [--out JSON]

`impressions` tells the probabilities that clicks and conversions were drawn from; their AUC on the
same TEST rows is what no model beats but by luck. Measured are all families on as many TEST rows as
train rows, at the end of training, so nothing is chosen on them; with one recipe for all, tuned for
none. Then ESMM (Ma et al., Entire Space Multi-Task Model, SIGIR 2018) against training in click
space, same family, rows and initial weights, as clicks get rarer at a fixed number of rows. In
click space a conversion's loss is a mean over clicks, in ESMM one over all rows: with the click
rate as its weight the former has the scale of the latter, and what is left between them is the
dependency itself. A seed draws the world, its rows and the initial weights. Prints Markdown.

Shapes: S seeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from repeats import (
    Floats,
    Options,
    Size,
    encoded,
    evaluations,
    interval_text,
    over_seeds,
    read_options,
    table,
    write_values,
)

from automtl.config import FAMILIES, Family, ModelConfig, TrainConfig, TrialConfig
from automtl.data.synthetic import best_auc, impressions

FULL = Size(seeds=12, rows=200_000, epochs=1.0)
QUICK = Size(seeds=2, rows=20_000, epochs=1.0)
CLICK_RATES = (0.2, 0.05, 0.02, 0.01)
COMMON = CLICK_RATES[0]  # where all families are compared
METRICS = ("click.auc", "conversion.auc", "conversion.joint_auc")
ESMM_FAMILIES: Sequence[Family] = ("shared_embedding", "shared_bottom")
Training = Literal["click space", "weighted click space", "ESMM"]
TRAININGS: Sequence[Training] = ("click space", "weighted click space", "ESMM")
DATA = {
    "generate": {"name": "impressions"},
    "split": {"column": "split"},
    "categorical": ["user_id", "item_id", "context"],
    "numeric": ["x0", "x1", "x2", "x3"],
}
TASKS = {
    "click": {"label": "click"},
    "conversion": {"label": "conversion", "given": "click"},
}


@dataclass(frozen=True, slots=True)
class Point:
    """A metric of a family trained in one of three ways; without a family that of the truth."""

    metric: str
    family: Family | None = None
    training: Training = "click space"

    def __str__(self) -> str:
        who = "best" if self.family is None else f"{self.family}, {self.training}"
        return f"{who}, {self.metric}"


Values = Mapping[float, Mapping[Point, Floats]]  # by click rate, [S]


def main(arguments: Sequence[str] | None = None) -> None:
    description = (__doc__ or "").partition("\n")[0]
    print("\n\n".join(report(read_options(description, arguments, full=FULL, quick=QUICK))))


# ---- what is measured ----------------------------------------------------------------------


def aucs(click_rate: float, seed: int, *, size: Size) -> dict[Point, float]:
    """The AUCs on TEST rows of the truth and of each model that this click rate asks for."""
    frame = impressions(2 * size.rows, seed, click_rate=click_rate)
    test = frame[size.rows :]  # rows are drawn independently
    found = {Point(metric): value for metric, value in best_auc(test).items()}
    data = encoded(DATA, TASKS, train=frame[: size.rows], valid=test)
    for family, training in models(click_rate):
        last = evaluations(trial(family, training, click_rate, size), data, seed=seed)[-1]
        found |= {Point(metric, family, training): last.metrics[metric] for metric in METRICS}
    return found


def models(click_rate: float) -> list[tuple[Family, Training]]:
    """All families at one click rate; ESMM and what it is held against at each."""
    others = [family for family in FAMILIES if family not in ESMM_FAMILIES]
    return [(family, training) for family in ESMM_FAMILIES for training in TRAININGS] + [
        (family, "click space") for family in others if click_rate == COMMON
    ]


def trial(family: Family, training: Training, click_rate: float, size: Size) -> TrialConfig:
    """Four experts where there are several: four shared, or two shared and one of each task."""
    is_weighted = training == "weighted click space"
    return TrialConfig(
        model=ModelConfig(
            family=family,
            dependency="esmm" if training == "ESMM" else "none",
            embedding_dim=8,
            num_levels=2 if family == "ple" else 1,
            num_shared_experts=2 if family in ("cgc", "ple") else 4,
            num_task_experts=1,
            expert_dims=(64, 32),
            tower_dims=(16,),
        ),
        train=TrainConfig(
            epochs=size.epochs,
            lr=3e-3,
            loss_weights={"conversion": click_rate} if is_weighted else {},
        ),
    )


# ---- Markdown ------------------------------------------------------------------------------


def report(options: Options) -> Iterable[str]:
    size = options.size
    values = over_seeds(
        partial(aucs, size=size), CLICK_RATES, range(size.seeds), processes=options.processes
    )
    if options.out is not None:
        write_values(options.out, size, {"auc": values})
    yield (
        f"**Of the way from 0.5 to the best reachable AUC**: {size.seeds} seeds, {size.rows:,} "
        f"train rows and as many TEST rows, {size.epochs:g} epochs, click rate {COMMON:g}; mean ± "
        "standard deviation over seeds"
    )
    yield ways(values[COMMON])
    yield (
        "**ESMM against click space** as clicks get rarer, on TEST rows: mean AUC with its 95 % "
        "interval over seeds; a difference is taken seed by seed, above 0 ESMM is better; "
        "weighted: the conversion's loss times the click rate, the scale that it has in ESMM"
    )
    for metric in METRICS:
        yield esmm_gains(values, metric)


def ways(auc: Mapping[Point, Floats]) -> str:
    """AUCs, and how far of the way from 0.5 to the best they are, seed by seed."""
    best = {metric: auc[Point(metric)] for metric in METRICS}
    rows = [["best reachable", *map(_mean_spread, best.values()), *["1"] * len(METRICS)]]
    for family in FAMILIES:
        own = {metric: auc[Point(metric, family)] for metric in METRICS}
        way = [(own[metric] - 0.5) / (best[metric] - 0.5) for metric in METRICS]
        rows.append([family, *map(_mean_spread, own.values()), *map(_mean_spread, way)])
    return table(["family", *METRICS, *(f"{metric}, of the way" for metric in METRICS)], rows)


def esmm_gains(values: Values, metric: str) -> str:
    head = [f"{metric}, click rate", "family", "best reachable", *TRAININGS]
    rows = []
    for click_rate, auc in values.items():
        for family in ESMM_FAMILIES:
            own = {training: auc[Point(metric, family, training)] for training in TRAININGS}
            gains = [own["ESMM"] - own[training] for training in TRAININGS[:-1]]
            rows.append(
                [f"{click_rate:g}", family]
                + [interval_text(values_S) for values_S in (auc[Point(metric)], *own.values())]
                + [interval_text(gain_S, signed=True) for gain_S in gains]
            )
    return table([*head, *(f"ESMM − {training}" for training in TRAININGS[:-1])], rows)


def _mean_spread(values_S: Floats) -> str:
    return f"{values_S.mean():.4f} ± {values_S.std(ddof=1):.4f}"


if __name__ == "__main__":
    main()
