"""How much sooner our search has what a search built by hand has at its end; both really train.

    python benchmarks/search.py kuairand [--seeds 5] [--trials 60] [--ours-trials 180]
                                [--workers 2] [--executor processes] [--set KEY=VALUE ...]
                                [--out DIR] [--quick]

The opponent is Ray Tune with OptunaSearch over our space, models and rows (`searches/handmade.py`):
`--trials` trials, none stopped. Ours is `automtl search` by `--executor`, which may start
`--ours-trials` trials in the opponent's wall time. A search is one process and its file in `--out`;
files that are there are not run again. Seconds are the clock's from the start of the process,
imports and Ray included.

A front counts by its hypervolume (parameters as log10) to one reference point, that of all trials
of all searches here; the target is that of the opponent's front at its end. It is measured on
VALIDATION rows, by which both searches go, and again on TEST rows with each moment's validation
front (to a point worse than all members of the searches' last fronts). `epochs` compares what was
trained until then in place of the clock: other work on the machine does not enter it. A ratio with
< is of a search that did not reach the target: it is at most that.

Shapes: S seeds, N trials.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import get_args

import numpy as np
from repeats import Floats, t_interval, table
from searches.result import Result, losses, prefix_fronts, reference_of

from automtl import pareto
from automtl.config import ExecutorName, Objective
from automtl.spec.load import load_spec

ROOT = Path(__file__).parent.parent
RUN = Path(__file__).parent / "searches" / "run.py"
SPECS = {
    name: ROOT / "search_spaces" / f"{file}.yaml"
    for name, file in {"kuairand": "kuairand", "census": "census_income"}.items()
}
ON_CPU = ("trial.device=cpu", "trial.cpus=1")
QUICK = ("search.epochs=0.1",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Volumes:
    """The hypervolume after each trial that ran to its end, of the front by VALIDATION rows."""

    at_s_N: Floats
    epochs_N: Floats
    valid_N: Floats
    test_N: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How much more the opponent's whole search took than ours until the target, or at most took
    where ours `is_bound` by its end."""

    ratio: float
    is_bound: bool = False

    def __str__(self) -> str:
        return f"{'< ' if self.is_bound else ''}{self.ratio:.2f}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("spec", choices=SPECS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=60, help="of the opponent")
    parser.add_argument("--ours-trials", type=int, help="ours may start; default 3 times --trials")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--executor", choices=get_args(ExecutorName), default="processes")
    parser.add_argument("--set", action="append", default=[], help="of OUR search: search.eta=4")
    parser.add_argument("--out", type=Path, help="a directory for the searches' results")
    parser.add_argument("--quick", action="store_true", help="a smoke run: proves nothing")
    options = parser.parse_args(arguments)
    if options.quick:
        options.seeds, options.trials = 1, 4
    with tempfile.TemporaryDirectory() as aside:
        directory = options.out or Path(aside)
        directory.mkdir(parents=True, exist_ok=True)
        pairs = [pair(options, seed, directory) for seed in range(options.seeds)]
    print(report(pairs, load_spec(SPECS[options.spec]).objective_list()))


def pair(options: argparse.Namespace, seed: int, directory: Path) -> tuple[Result, Result]:
    """The opponent's search and ours, the latter limited to the wall time of the former."""
    common = [*ON_CPU, f"search.seed={seed}", *(QUICK if options.quick else ())]
    path = directory / f"{options.spec}-{seed}"
    theirs = search(
        "handmade",
        options,
        Path(f"{path}-handmade.json"),
        [*common, f"search.trials={options.trials}"],
    )
    limits = [
        f"search.trials={options.ours_trials or 3 * options.trials}",
        f"search.wall_hours={theirs.wall_s / 3600}",
    ]
    ours = search(
        "automatic",
        options,
        Path(f"{path}-ours-{'-'.join([options.executor, *options.set])}.json"),
        [*common, *limits, *options.set],
    )
    return theirs, ours


def search(method: str, options: argparse.Namespace, out: Path, overrides: Sequence[str]) -> Result:
    if not out.exists():
        print(f"{out.stem} …", file=sys.stderr)
        arguments = [str(SPECS[options.spec]), str(out), str(time.time()), str(options.workers)]
        arguments.append(options.executor)
        subprocess.run([sys.executable, RUN, method, *arguments, *overrides], check=True)
    return Result.load(out)


# ---- what it shows -------------------------------------------------------------------------


def report(pairs: Sequence[tuple[Result, Result]], objectives: Sequence[Objective]) -> str:
    found = [one for both in pairs for result in both for one in result.found]
    valid_ref_M = pareto.reference_point(losses([one.valid for one in found], objectives))
    test_ref_M = reference_of(
        np.vstack([last_front(one, objectives) for both in pairs for one in both])
    )
    rows, ratios = [], []
    for theirs, ours in pairs:
        a, b = (volumes(one, objectives, valid_ref_M, test_ref_M) for one in (theirs, ours))
        reached = (
            ratio(theirs.wall_s, ours.wall_s, b.at_s_N, b.valid_N, a.valid_N[-1]),
            ratio(a.at_s_N[a.valid_N.argmax()], ours.wall_s, b.at_s_N, b.valid_N, a.valid_N[-1]),
            ratio(theirs.epochs, ours.epochs, b.epochs_N, b.valid_N, a.valid_N[-1]),
            ratio(theirs.wall_s, ours.wall_s, b.at_s_N, b.test_N, a.test_N[-1]),
            ratio(theirs.epochs, ours.epochs, b.epochs_N, b.test_N, a.test_N[-1]),
        )
        ratios.append(reached)
        rows.append(
            [
                f"{theirs.seed}",
                f"{theirs.wall_s:.0f} s, {theirs.epochs:.3g} epochs, {theirs.num_trials} trials",
                f"{ours.wall_s:.0f} s, {ours.epochs:.3g} epochs, {ours.num_trials} trials",
                *(
                    f"{b_N[-1] / a_N[-1]:.3f}"
                    for a_N, b_N in ((a.valid_N, b.valid_N), (a.test_N, b.test_N))
                ),
                *map(str, reached),
            ]
        )
    columns = list(zip(*ratios, strict=True))
    summary = [
        [
            "median",
            "",
            "",
            "",
            "",
            *(f"{median(one.ratio for one in many):.2f}" for many in columns),
        ],
        ["geometric mean, 95 %", "", "", "", "", *map(spread, columns)],
    ]
    head = ["seed", pairs[0][0].method, pairs[0][1].method, "volume at the end: VALIDATION", "TEST"]
    head += ["ratio of wall time", "to the opponent's last gain", "of epochs"]
    head += ["of wall time, TEST", "of epochs, TEST"]
    return table(head, [*rows, *summary])


def last_front(result: Result, objectives: Sequence[Objective]) -> pareto.Floats:
    """The TEST losses of the search's VALIDATION front at its end."""
    valid_NM = losses([one.valid for one in result.found], objectives)
    tests = [result.found[n].test or {} for n in prefix_fronts(valid_NM)[-1]]
    return losses(tests, objectives)


def volumes(
    result: Result,
    objectives: Sequence[Objective],
    valid_ref_M: pareto.Floats,
    test_ref_M: pareto.Floats,
) -> Volumes:
    valid_NM = losses([one.valid for one in result.found], objectives)
    tests = [one.test or {} for one in result.found]
    return Volumes(
        at_s_N=np.array([one.at_s for one in result.found]),
        epochs_N=np.array([one.epochs for one in result.found]),
        valid_N=pareto.hypervolume_trace(valid_NM, valid_ref_M),
        test_N=np.array(
            [
                pareto.hypervolume(losses([tests[n] for n in front], objectives), test_ref_M)
                for front in prefix_fronts(valid_NM)
            ]
        ),
    )


def ratio(theirs: float, ours: float, spent_N: Floats, volume_N: Floats, target: float) -> Reached:
    """`theirs` over what ours had spent when it first had the target; over all `ours` if never."""
    reached = np.flatnonzero(volume_N >= target)
    if len(reached):
        return Reached(ratio=float(theirs / spent_N[reached[0]]))
    return Reached(ratio=theirs / ours, is_bound=True)


def spread(many: Sequence[Reached]) -> str:
    if len(many) < 2:
        return "one seed"
    one = t_interval(np.log([reached.ratio for reached in many]))
    return f"{math.exp(one.estimate):.2f} [{math.exp(one.low):.2f}, {math.exp(one.high):.2f}]"


if __name__ == "__main__":
    main()
