"""Whole searches over a surrogate of recorded curves, in simulated seconds: ours against by hand.

    python benchmarks/search_simulated.py search_spaces/kuairand.yaml CURVES.jsonl
              [--trainings TRAININGS.jsonl.gz] [--seeds 20] [--trials 60] [--ours-trials 240]
              [--workers 2] [--samplers tpe random] [--variants NAME ...]
              [--up-to SHARE] [--out JSON] [--quick]

A regression over the curves of `curves.py` stands in for training (`searches/surrogate.py`); all
else of our search is real: its loop, sampler and rungs. By hand is what `search.py` lets Ray Tune
do: `--trials` trials by Optuna's TPE with its defaults, none stopped. Ours may go on for as long by
the clock. `ratio` is what the search by hand took in all over what ours took until its front had
the hypervolume that the former had at its end (VALIDATION metrics, parameters as log10, one
reference point: that of all searches). A search that did not come there counts with the least that
its ratio can be at most, its whole time, and in `never`. `at the end`: ours over by hand, after
equal seconds; `TEST`: the same fronts on TEST rows, where `on TEST` has the ratios. With
`--up-to .25` ours is cut off after a quarter of the time, and its end is there; that takes a fifth
as long to simulate. Intervals are over the searches' seeds, 95 %, Student (of the logarithms for
ratios); `times the first line's` compares ratios seed by seed.

The surrogate is smoother than training and knows no failures, start-ups or idle workers. Of few
curves it explains little (its first line says how much): with `--trainings` it is of these, and the
curves tell no more than how trainings come to their end.

Shapes: S seeds, N trials.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from curves import read_curves
from repeats import Floats, t_interval, table
from searches.foretold import Foretelling
from searches.omniscient import omniscient
from searches.result import prefix_fronts, reference_of
from searches.simulated import Outcome, by_hand, ours
from searches.surrogate import Surrogate
from trainings import completed, read_trainings

from automtl import pareto
from automtl.analysis.interval import Interval
from automtl.config import Objective
from automtl.data.cache import EncodedData, open_data
from automtl.spec.load import load_spec
from automtl.spec.schema import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """How our search differs from its defaults: settings of the spec, the plan of first trials,
    the roles that the rungs judge beside `search`, where they lie (shares of a training), whether
    they judge by predicted ends, and whether it begins by chance, not with what the other data
    sets taught. Or it is no search of ours, but one that knows what to expect
    (`searches/omniscient.py`)."""

    search: Mapping[str, Any] = field(default_factory=dict)
    plan: str = "spread"
    judged: tuple[str, ...] = ()
    shares: tuple[float, ...] | None = None
    foretelling: Foretelling | None = None
    begun_by_chance: bool = False
    is_omniscient: bool = False


VARIANTS: Mapping[str, Variant] = {
    "as it is": Variant(),
    "begun by chance": Variant(begun_by_chance=True),
    "no rungs": Variant(search={"rungs": 1}),
    "3 rungs": Variant(search={"rungs": 3}),
    "4 rungs": Variant(search={"rungs": 4}),
    "2 rungs, eta 9": Variant(search={"rungs": 2, "eta": 9}),
    "one rung, 1/9": Variant(shares=(1 / 9,)),
    "one rung, 1/27": Variant(shares=(1 / 27,)),
    "predicted end, 1/9 1/3": Variant(foretelling=Foretelling(), shares=(1 / 9, 1 / 3)),
    "predicted end, 1/27 1/9": Variant(foretelling=Foretelling(), shares=(1 / 27, 1 / 9)),
    "predicted end, 1/9": Variant(foretelling=Foretelling(), shares=(1 / 9,)),
    "predicted end, 1/27": Variant(foretelling=Foretelling(), shares=(1 / 27,)),
    "predicted end, not gain, 1/27": Variant(foretelling=Foretelling(gain=False), shares=(1 / 27,)),
    "predicted end, the front goes on, 1/27 1/9": Variant(
        foretelling=Foretelling(gain=False, least=8, front=True), shares=(1 / 27, 1 / 9)
    ),
    "eta 4": Variant(search={"eta": 4}),
    "eta 2, 4 rungs": Variant(search={"eta": 2, "rungs": 4}),
    "defaults first": Variant(plan="defaults first"),
    "references spread": Variant(plan="references spread"),
    "references at once": Variant(plan="at once"),
    "half the references": Variant(plan="half"),
    "1 reference": Variant(plan="untuned"),
    "nothing planned": Variant(plan="nothing"),
    "baselines judged": Variant(judged=("baseline",)),
    "all judged": Variant(judged=("baseline", "reference")),
    "all judged, 4 rungs": Variant(judged=("baseline", "reference"), search={"rungs": 4}),
    "nothing planned, 4 rungs": Variant(plan="nothing", search={"rungs": 4}),
    "all judged, 1 reference": Variant(judged=("baseline", "reference"), plan="untuned"),
    "nothing planned, no rungs": Variant(plan="nothing", search={"rungs": 1}),
    "omniscient": Variant(is_omniscient=True),
}
Key = tuple[str, str]  # sampler, variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Volumes:
    """After each trial that ran to its end."""

    at_s_N: Floats
    valid_N: Floats
    test_N: Floats  # of the same fronts


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("spec", type=Path)
    parser.add_argument("curves", type=Path, help="what curves.py has written of this spec")
    parser.add_argument("--trainings", type=Path, help="what trainings.py has written of it")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--trials", type=int, default=60, help="of the search by hand")
    parser.add_argument("--ours-trials", type=int, help="at most; default 4 times --trials")
    parser.add_argument("--up-to", type=float, help="cut ours off after this share of the time")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--samplers", nargs="+", default=["tpe"], help="of ours: search.sampler")
    parser.add_argument("--opponent", choices=("tpe", "random"), default="tpe")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--out", type=Path, help="write every value as JSON to this file")
    parser.add_argument("--quick", action="store_true", help="a smoke run: proves nothing")
    options = parser.parse_args(arguments)
    if options.quick:
        options.seeds, options.trials, options.variants = 2, 15, options.variants[:2]
    spec = load_spec(options.spec)
    data = open_data(spec)
    curves = read_curves(options.curves)
    known = spec.objective_list(), data.features, data.tasks
    surrogate = Surrogate(curves, *known)
    if options.trainings:
        curves = completed(surrogate, read_trainings(options.trainings))
        surrogate = Surrogate(curves, *known)
    explained = ", ".join(f"{name} {value:.2f}" for name, value in surrogate.r2.items())
    print(f"Surrogate of {len(curves)} curves; R² out of fold: {explained}\n", flush=True)
    pairs: dict[Key, list[tuple[Outcome, Outcome]]] = {}
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        started = time.perf_counter()
        theirs = by_hand(
            changed(spec, trials=options.trials, seed=seed),
            surrogate,
            num_workers=options.workers,
            sampler=options.opponent,
        )
        for sampler in options.samplers:
            for name in options.variants:
                searched = changed(
                    spec,
                    seed=seed,
                    sampler=sampler,
                    trials=options.ours_trials or 4 * options.trials,
                    wall_hours=theirs.spent_s / 3600,
                    **VARIANTS[name].search,
                )
                mine = search(VARIANTS[name], searched, surrogate, data, theirs.spent_s, options)
                pairs.setdefault((sampler, name), []).append((theirs, mine))
        print(f"seed {seed}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
        if options.out and seed > options.first_seed:  # as it stands, should the rest be cut off
            shown = report(pairs, surrogate, spec.objective_list(), options)
            options.out.with_suffix(".md").write_text(shown + "\n", encoding="utf-8")
    print(report(pairs, surrogate, spec.objective_list(), options))


def search(
    variant: Variant,
    spec: Spec,
    surrogate: Surrogate,
    data: EncodedData,
    theirs_s: float,
    options: argparse.Namespace,
) -> Outcome:
    """Of one variant, as long as the search by hand took, or up to a share of that."""
    if variant.is_omniscient:
        until_s = (options.up_to or 1.0) * theirs_s
        return omniscient(spec, surrogate, num_workers=options.workers, until_s=until_s)
    return ours(
        spec,
        surrogate,
        data.features,
        data.tasks,
        num_workers=options.workers,
        plan=variant.plan,
        judged=variant.judged,
        shares=variant.shares,
        foretelling=variant.foretelling,
        begun_by_chance=variant.begun_by_chance,
        until_s=options.up_to * theirs_s if options.up_to else math.inf,
    )


def changed(spec: Spec, **search: Any) -> Spec:
    raw = spec.to_dict()
    raw["search"] |= search
    return Spec.from_dict(raw, base_dir=spec.base_dir)


# ---- what it shows -------------------------------------------------------------------------


def report(
    pairs: Mapping[Key, Sequence[tuple[Outcome, Outcome]]],
    surrogate: Surrogate,
    objectives: Sequence[Objective],
    options: argparse.Namespace,
) -> str:
    outcomes = [one for many in pairs.values() for both in many for one in both]
    valid_ref_M = pareto.reference_point(
        np.vstack([valid_losses(one, surrogate, objectives) for one in outcomes])
    )
    test_ref_M = reference_of(
        np.vstack([last_front(one, surrogate, objectives) for one in outcomes])
    )

    def volumes(outcome: Outcome) -> Volumes:
        valid_NM = valid_losses(outcome, surrogate, objectives)
        test_NM = test_losses(outcome, surrogate, objectives)
        return Volumes(
            at_s_N=np.array(outcome.at_s),
            valid_N=pareto.hypervolume_trace(valid_NM, valid_ref_M),
            test_N=np.array(
                [
                    pareto.hypervolume(test_NM[front], test_ref_M)
                    for front in prefix_fronts(valid_NM)
                ]
            ),
        )

    rows, raw = [], {}
    for (sampler, name), many in pairs.items():
        both_S = [(theirs, volumes(theirs), mine, volumes(mine)) for theirs, mine in many]
        until_S = np.array([first_s(b.at_s_N, b.valid_N, a.valid_N[-1]) for _, a, _, b in both_S])
        test_until_S = [first_s(b.at_s_N, b.test_N, a.test_N[-1]) for _, a, _, b in both_S]
        ratio_S, test_ratio_S = (
            np.array(
                [
                    theirs.spent_s / min(until, _whole_s(theirs, mine, options.up_to))
                    for until, (theirs, _, mine, _) in zip(many, both_S, strict=True)
                ]
            )
            for many in (until_S, test_until_S)
        )
        end_S = np.array([b.valid_N[-1] / a.valid_N[-1] for _, a, _, b in both_S])
        test_S = np.array([b.test_N[-1] / a.test_N[-1] for _, a, _, b in both_S])
        raw[f"{sampler}, {name}"] = {
            "ratio": ratio_S.tolist(),
            "on TEST": test_ratio_S.tolist(),
            "end": end_S.tolist(),
        }
        first = raw[next(iter(raw))]["ratio"]
        log, paired = (t_interval(np.log(many_S)) for many_S in (ratio_S, ratio_S / first))
        rows.append(
            [
                sampler,
                name,
                f"{np.median(ratio_S):.2f}",
                spread(log),
                spread(paired) if len(rows) else "",
                f"{np.median(test_ratio_S):.2f}",
                spread(t_interval(np.log(test_ratio_S))),
                f"{np.isinf(until_S).mean():.0%}",
                cell(end_S),
                cell(test_S),
                f"{np.mean([one.num_trials for _, one in many]):.0f}",
                f"{np.mean([len(one.configs) for _, one in many]):.0f}",
            ]
        )
    if options.out:
        options.out.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    head = ["sampler", "variant", "ratio: median", "geometric mean", "times the first line's"]
    head += [
        "on TEST: median",
        "geometric mean",
        "never",
        "at the end",
        "TEST",
        "trials started",
        "trained to the end",
    ]
    return table(head, rows)


def valid_losses(
    outcome: Outcome, surrogate: Surrogate, objectives: Sequence[Objective]
) -> pareto.Floats:
    return pareto.to_losses([surrogate.values(one) for one in outcome.configs], objectives)


def test_losses(
    outcome: Outcome, surrogate: Surrogate, objectives: Sequence[Objective]
) -> pareto.Floats:
    values = [surrogate.values(one, on_test=True) for one in outcome.configs]
    return pareto.to_losses(values, objectives)


def last_front(
    outcome: Outcome, surrogate: Surrogate, objectives: Sequence[Objective]
) -> pareto.Floats:
    """The TEST losses of the VALIDATION front."""
    front_N = pareto.pareto_front(valid_losses(outcome, surrogate, objectives))
    return test_losses(outcome, surrogate, objectives)[front_N]


def _whole_s(theirs: Outcome, mine: Outcome, up_to: float | None) -> float:
    """How long ours was given."""
    return up_to * theirs.spent_s if up_to else max(theirs.spent_s, mine.spent_s)


def first_s(at_s_N: Floats, volume_N: Floats, target: float) -> float:
    reached = np.flatnonzero(volume_N >= target)
    return float(at_s_N[reached[0]]) if len(reached) else math.inf


def spread(logs: Interval) -> str:
    return f"{math.exp(logs.estimate):.2f} [{math.exp(logs.low):.2f}, {math.exp(logs.high):.2f}]"


def cell(values_S: Floats) -> str:
    one = t_interval(values_S)
    return f"{one.estimate:.3f} ± {one.estimate - one.low:.3f}"


if __name__ == "__main__":
    main()
