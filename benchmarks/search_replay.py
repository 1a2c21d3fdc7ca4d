"""What stopping early is worth, on recorded curves: the same trials in the same order, other rules.

    python benchmarks/search_replay.py search_spaces/kuairand.yaml CURVES.jsonl [--orders 40]
            [--workers 1 2] [--rules NAME ...] [--made-up N] [--syne-env DIR] [--out JSON]
            [--quick]

`curves.py` records a pool of random configurations. A search takes trials from it in a random
order, one a seed and the same for all rules, until it is used up; a processor's seconds of training
and evaluating pass as recorded, and only the rule at the rungs differs. Syne Tune's MOASHA decides
in an environment of its own (made once).

Counted are trials trained to their end only. Their VALIDATION front has a hypervolume (parameters
as log10) to one reference point, that of the whole pool; given as a share of the whole pool's, and
again for the same trials' TEST metrics. The budget is a share of what training the whole pool
takes, so at all of it no stopping has everything that there is. `sooner` is how much earlier a rule
has what no stopping has at half of the budget. Intervals are over orders, 95 %, Student;
differences are paired. They hold the pool fixed: other configurations or training seeds would move
the numbers as well. A pool that is `--made-up` by a surrogate (`searches/surrogate.py`) is as large
as one likes; stopping needs many trials to choose from.

Shapes: S orders, N trials, B budgets.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from curves import Curve, random_config, read_curves
from peers import environment
from repeats import Floats, t_interval, table
from searches.replay import Finished, Pool, replay
from searches.result import losses, reference_of
from searches.rules import NONE, RULES, StoppingRule, make_pool
from searches.surrogate import Surrogate

from automtl import pareto
from automtl.config import Objective
from automtl.data.cache import open_data
from automtl.spec.load import load_spec
from automtl.spec.schema import Spec

BUDGETS = (0.05, 0.1, 0.25, 0.5, 1.0)
MIDDLE = BUDGETS.index(0.5)
MOASHA = Path(__file__).parent / "peers" / "moasha.py"
BASELINE = "ours, 1/3"  # as a search is that asks for nothing else


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Shares of the whole pool's hypervolume at each budget, how much earlier the target is met,
    and the share of the trials that are trained to their end."""

    valid_SB: Floats
    test_SB: Floats
    sooner_S: Floats
    finished_S: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """How the trials of a pool count."""

    valid_NM: Floats
    test_NM: Floats
    valid_ref_M: Floats
    test_ref_M: Floats

    @property
    def num_front(self) -> int:
        return int(pareto.pareto_front(self.valid_NM).sum())

    def volumes(self, finished: Finished, at_s_B: Floats) -> tuple[Floats, Floats]:
        """(valid_B, test_B) of the front of the trials that have finished by each time."""
        known_B = [np.searchsorted(finished.at_s, at_s, side="right") for at_s in at_s_B]
        pairs = [self.of(list(finished.trials[:known])) for known in known_B]
        valid_B, test_B = zip(*pairs, strict=True)
        return np.array(valid_B), np.array(test_B)

    def of(self, trials: list[int]) -> tuple[float, float]:
        front = np.array(trials, dtype=int)[pareto.pareto_front(self.valid_NM[trials])]
        return (
            pareto.hypervolume(self.valid_NM[front], self.valid_ref_M),
            pareto.hypervolume(self.test_NM[front], self.test_ref_M),
        )


def yardstick_of(curves: Sequence[Curve], objectives: Sequence[Objective]) -> Yardstick:
    valid_NM = losses([curve.points[-1].metrics for curve in curves], objectives)
    test_NM = losses([curve.test for curve in curves], objectives)
    return Yardstick(
        valid_NM=valid_NM,
        test_NM=test_NM,
        valid_ref_M=pareto.reference_point(valid_NM),
        test_ref_M=reference_of(test_NM[pareto.pareto_front(valid_NM)]),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("spec", type=Path)
    parser.add_argument("curves", type=Path, help="what curves.py has written of this spec")
    parser.add_argument("--orders", type=int, default=40)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rules", nargs="+", choices=RULES, default=list(RULES), metavar="RULE")
    parser.add_argument("--made-up", type=int, help="a pool of so many by a surrogate instead")
    parser.add_argument("--syne-env", type=Path, help="where Syne Tune is, or is to be, installed")
    parser.add_argument("--out", type=Path, help="write every value as JSON to this file")
    parser.add_argument("--quick", action="store_true", help="a smoke run: proves nothing")
    options = parser.parse_args(arguments)
    curves = read_curves(options.curves)
    if options.quick:
        options.orders, options.workers, curves = 3, options.workers[:1], curves[:30]
    names = list(dict.fromkeys([NONE, BASELINE, *options.rules]))
    spec = load_spec(options.spec, check_files=not options.made_up)
    objectives = spec.objective_list()
    if options.made_up:
        curves = made_up(curves, spec, options.made_up)
    orders = [
        np.random.default_rng(seed).permutation(len(curves)).tolist()
        for seed in range(options.orders)
    ]
    raw = {}
    for workers in options.workers:
        found = {
            name: searched(RULES[name], curves, objectives, orders, workers, options.syne_env)
            for name in names
        }
        scores = score(found, curves, objectives, workers)
        num_front = yardstick_of(curves, objectives).num_front
        pool_s = np.mean([one.spent_s for one in found[NONE]])
        print(f"**{len(curves)} trials, {num_front} of them on the front", end=", ")
        print(f"{pool_s:.0f} s in all, {workers} workers**\n")
        print(report(scores), "\n")
        raw[workers] = {
            name: {key: value.tolist() for key, value in asdict(one).items()}
            for name, one in scores.items()
        }
    if options.out:
        options.out.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")


def made_up(curves: Sequence[Curve], spec: Spec, num_trials: int) -> tuple[Curve, ...]:
    """As many configurations that nobody has trained, none of them among the recorded ones."""
    data = open_data(spec)
    surrogate = Surrogate(curves, spec.objective_list(), data.features, data.tasks)
    start = max(curve.number for curve in curves) + 1
    return tuple(
        surrogate.curve(number, random_config(spec, number))
        for number in range(start, start + num_trials)
    )


def searched(
    rule: StoppingRule,
    curves: Sequence[Curve],
    objectives: Sequence[Objective],
    orders: Sequence[Sequence[int]],
    workers: int,
    syne_env: Path | None,
) -> list[Finished]:
    """One search an order."""
    pool = make_pool(curves, objectives, rule.shares)
    if rule.kind in ("shipped", "published"):
        return by_moasha(pool, rule, orders, workers, environment.ensure_syne_tune(syne_env))
    return [replay(pool, order, rule.start(pool), num_workers=workers) for order in orders]


def by_moasha(
    pool: Pool, rule: StoppingRule, orders: Sequence[Sequence[int]], workers: int, python: Path
) -> list[Finished]:
    with tempfile.TemporaryDirectory() as directory:
        source, out = Path(directory) / "in.npz", Path(directory) / "out.json"
        np.savez(
            source,
            losses=pool.losses_NRM,
            arrival=pool.arrival_NR,
            orders=np.array(orders),
            eta=rule.eta,
            workers=workers,
            published=rule.kind == "published",
        )
        subprocess.run([python, MOASHA, source, out], check=True)
        return [Finished(**one) for one in json.loads(out.read_text(encoding="utf-8"))]


# ---- what it shows -------------------------------------------------------------------------


def score(
    found: Mapping[str, Sequence[Finished]],
    curves: Sequence[Curve],
    objectives: Sequence[Objective],
    workers: int,
) -> dict[str, Scores]:
    yardstick = yardstick_of(curves, objectives)
    whole = yardstick.of(list(range(len(curves))))
    at_s_B = np.array(BUDGETS) * found[NONE][0].spent_s / workers
    # the last trials of no stopping end a little later than that, one worker being idle
    at_s_B[-1] = max(one.at_s[-1] for one in found[NONE])
    targets_S = [yardstick.volumes(one, at_s_B)[0][MIDDLE] for one in found[NONE]]

    def scores(many: Sequence[Finished]) -> Scores:
        volumes_SB = [yardstick.volumes(one, at_s_B) for one in many]
        return Scores(
            valid_SB=np.array([valid_B / whole[0] for valid_B, _ in volumes_SB]),
            test_SB=np.array([test_B / whole[1] for _, test_B in volumes_SB]),
            sooner_S=np.array(
                [
                    at_s_B[MIDDLE] / first_s(one, yardstick, target)
                    for one, target in zip(many, targets_S, strict=True)
                ]
            ),
            finished_S=np.array([len(one.trials) / len(curves) for one in many]),
        )

    return {name: scores(many) for name, many in found.items()}


def first_s(finished: Finished, yardstick: Yardstick, target: float) -> float:
    """When the volume is at `target`; infinity if never."""
    trials = list(finished.trials)
    trace_N = pareto.hypervolume_trace(yardstick.valid_NM[trials], yardstick.valid_ref_M)
    reached = np.flatnonzero(trace_N >= target - 1e-12)
    return finished.at_s[reached[0]] if len(reached) else np.inf


def report(scores: Mapping[str, Scores]) -> str:
    parts = []
    for title, values in (
        ("VALIDATION", {name: one.valid_SB for name, one in scores.items()}),
        ("the same fronts on TEST", {name: one.test_SB for name, one in scores.items()}),
    ):
        head = [title, *(f"{budget:.0%} of the budget" for budget in BUDGETS)]
        rows = [
            [name, *(cell(values_SB[:, b]) for b in range(len(BUDGETS)))]
            for name, values_SB in values.items()
        ]
        rows += [
            [f"{BASELINE} − {name}", *(cell(gap_S, "+") for gap_S in (values[BASELINE] - other).T)]
            for name, other in values.items()
            if RULES[name].kind in ("none", "first", "shipped", "published")
        ]
        parts.append(table(head, rows))
    parts.append(
        table(
            ["", "trained to the end", "sooner: median [quartiles]", "never"],
            [
                [
                    name,
                    f"{one.finished_S.mean():.0%}",
                    "{:.2f} [{:.2f}, {:.2f}]".format(*np.quantile(one.sooner_S, (0.5, 0.25, 0.75))),
                    f"{(one.sooner_S == 0).mean():.0%}",
                ]
                for name, one in scores.items()
            ],
        )
    )
    return "\n\n".join(parts)


def cell(values_S: Floats, sign: str = "") -> str:
    one = t_interval(values_S)
    return f"{one.estimate:{sign}.3f} ± {one.estimate - one.low:.3f}"


if __name__ == "__main__":
    main()
