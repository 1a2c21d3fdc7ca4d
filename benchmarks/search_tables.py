"""How much of the exact front a search finds, on real tables, ours beside Optuna's samplers.

    python benchmarks/search_tables.py [--seeds 20] [--first-seed 0] [--slow-seeds 2] [--rungs]
                                       [--tables TEXT] [--searchers NAME ...] [--budgets 50 100]
                                       [--out JSON]

The tables (`tables.py`) hold every configuration, so the hypervolume of a search is a share of the
exact one. Optuna's samplers run as shipped, through `ask` and `tell`; ours through their
strategies, as a search drives them. The same table and the same seed make a pair; `slow` searchers
run `--slow-seeds` of the seeds. With `--rungs` four workers train at a time and a trial is stopped
at a third of its training unless it is among the best third of those that came there (layers of
dominance, then hypervolume contributions); the budget counts full trainings, and only these count
for the front. Raw values go to `--out` as they come, and what is there is not run again. Prints
Markdown.

Shapes: S seeds, N trials.
"""

from __future__ import annotations

import argparse
import dataclasses
import heapq
import json
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import optuna
from scipy.stats import t as student
from tables import RUNGS, TABLES, Table, load, share_of_front

from automtl.search.rungs import judge
from automtl.search.strategies import StrategyName, make_strategy
from automtl.search.strategies.base import Observation, Rung, SearchSpace
from automtl.spec.domains import IntRange

NUM_STARTUP = 10  # what Optuna's TPE and GP have
NUM_WORKERS = 4
ETA = 3


class Searcher(Protocol):
    """Asks and tells, whoever is behind it."""

    def ask(self) -> Mapping[str, Any]: ...
    def tell(self, number: int, losses: Sequence[float] | None, rungs: Sequence[Rung]) -> None: ...


class Ours:
    """A strategy and the history that it is given. `see` changes what it is told of rungs."""

    def __init__(self, name: StrategyName, table: Table, seed: int, see: str = "rungs") -> None:
        space = SearchSpace(domains=table.domains)
        self._strategy = make_strategy(
            name, space, seed=seed, num_startup=NUM_STARTUP, num_objectives=len(table.ref_M)
        )
        self._table, self._see = table, see
        self._history: list[Observation] = []
        self._taken: set[int] = set()

    def ask(self) -> Mapping[str, Any]:
        number = len(self._history)
        seen = extrapolated(self._history) if self._see == "gaps" else self._history
        for choose in self._strategy.draws(seen, number=number, pins={}):
            params = {name: choose(name, d) for name, d in self._table.domains.items()}
            if (index := self._table.index(params)) not in self._taken:
                break
        self._taken.add(index)
        self._history.append(Observation(number=number, state="running", params=params))
        return params

    def tell(self, number: int, losses: Sequence[float] | None, rungs: Sequence[Rung]) -> None:
        full = None if losses is None else tuple(losses)
        if self._see == "nothing":
            rungs = ()
        self._history[number] = Observation(
            number=number,
            state="pruned" if full is None else "complete",
            params=self._history[number].params,
            losses=full,
            rungs=tuple(rungs),
        )


def extrapolated(history: Sequence[Observation]) -> list[Observation]:
    """Stopped trials with the median of what complete ones gained after the same rung."""
    gaps: dict[float, list[Any]] = {}
    for one in history:
        for rung in one.rungs if one.losses is not None else ():
            gaps.setdefault(rung.share, []).append(np.subtract(one.losses, rung.losses))
    seen = []
    for one in history:
        if one.state == "pruned" and len(gaps.get(one.rungs[-1].share, ())) >= 3:
            last = one.rungs[-1]
            guess_M = np.add(last.losses, np.median(gaps[last.share], axis=0))
            rung = Rung(share=last.share, losses=tuple(guess_M.tolist()))
            one = dataclasses.replace(one, rungs=(*one.rungs[:-1], rung))
        seen.append(one)
    return seen


class Shipped:
    """A sampler of Optuna's in a study of Optuna's."""

    def __init__(self, sampler: optuna.samplers.BaseSampler, table: Table) -> None:
        self._table = table
        directions = ["minimize"] * len(table.ref_M)
        self._study = optuna.create_study(directions=directions, sampler=sampler)

    def ask(self) -> Mapping[str, Any]:
        trial = self._study.ask()
        return {
            name: trial.suggest_int(name, domain.low, domain.high)
            if isinstance(domain, IntRange)
            else trial.suggest_categorical(name, domain.options)
            for name, domain in self._table.domains.items()
        }

    def tell(self, number: int, losses: Sequence[float] | None, rungs: Sequence[Rung]) -> None:
        if losses is None:
            self._study.tell(number, state=optuna.trial.TrialState.PRUNED)
        else:
            self._study.tell(number, list(losses))


SEARCHERS: Mapping[str, Callable[[Table, int], Searcher]] = {
    "ours: auto": lambda table, seed: Ours("auto", table, seed),
    "ours: tpe": lambda table, seed: Ours("tpe", table, seed),
    "ours: nsga2": lambda table, seed: Ours("nsga2", table, seed),
    "ours: random": lambda table, seed: Ours("random", table, seed),
    "ours: auto, stopped trials ignored": lambda t, seed: Ours("auto", t, seed, see="nothing"),
    "ours: auto, stopped trials extrapolated": lambda t, s: Ours("auto", t, s, see="gaps"),
    "Optuna TPE": lambda t, seed: Shipped(optuna.samplers.TPESampler(seed=seed), t),
    "Optuna NSGA-II": lambda t, seed: Shipped(optuna.samplers.NSGAIISampler(seed=seed), t),
    "Optuna random": lambda t, seed: Shipped(optuna.samplers.RandomSampler(seed=seed), t),
    "Optuna GP": lambda t, seed: Shipped(optuna.samplers.GPSampler(seed=seed), t),
}
SLOW = ("Optuna GP",)
ONLY_RUNGS = ("ours: auto, stopped trials ignored", "ours: auto, stopped trials extrapolated")


# ---- searches ------------------------------------------------------------------------------


def search(searcher: Searcher, table: Table, budget: int) -> tuple[list[list[float]], list[float]]:
    """((full trainings spent, configuration) of each trial, seconds an `ask`)."""
    found, seconds = [], []
    for number in range(budget):
        index = _timed_ask(searcher, table, seconds)
        found.append([number + 1.0, float(index)])
        searcher.tell(number, table.losses(index).tolist(), ())
    return found, seconds


def search_with_rungs(
    searcher: Searcher, table: Table, budget: int
) -> tuple[list[list[float]], list[float]]:
    """The same with `NUM_WORKERS` at a time and early stopping; stopped trials are not found."""
    shares = (*RUNGS, 1.0)
    rungs: dict[int, list[Rung]] = {}
    seen: list[list[list[float]]] = [[] for _ in RUNGS]
    indices: dict[int, int] = {}
    found: list[list[float]] = []
    seconds: list[float] = []
    events: list[tuple[float, int, int]] = []  # when, who, which evaluation

    def start(now: float) -> None:
        number = len(indices)
        indices[number] = _timed_ask(searcher, table, seconds)
        rungs[number] = []
        heapq.heappush(events, (now + shares[0] * _speed(table, indices[number]), number, 0))

    for _ in range(NUM_WORKERS):
        start(0.0)
    spent = 0.0
    while events and spent < budget:
        now, number, stage = heapq.heappop(events)
        index = indices[number]
        spent += shares[stage] - (shares[stage - 1] if stage else 0.0)
        if stage == len(RUNGS):
            found.append([spent, float(index)])
            searcher.tell(number, table.losses(index).tolist(), rungs[number])
            start(now)
            continue
        losses = table.losses_at(index, stage).tolist()
        rungs[number].append(Rung(share=RUNGS[stage], losses=tuple(losses)))
        seen[stage].append(losses)
        feasible_N = np.zeros(len(seen[stage]))
        if judge(np.array(seen[stage]), feasible_N, newcomer=-1, eta=ETA).goes_on:
            wait = (shares[stage + 1] - shares[stage]) * _speed(table, index)
            heapq.heappush(events, (now + wait, number, stage + 1))
        else:
            searcher.tell(number, None, rungs[number])
            start(now)
    return found, seconds


def _speed(table: Table, index: int) -> float:
    return float(0.5 + table.slow_N[index])


def _timed_ask(searcher: Searcher, table: Table, seconds: list[float]) -> int:
    start = time.perf_counter()
    params = searcher.ask()
    seconds.append(time.perf_counter() - start)
    return table.index(params)


# ---- the report ----------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--slow-seeds", type=int, default=2)
    parser.add_argument("--tables", default="", help="only those whose name has this text")
    parser.add_argument("--rungs", action="store_true")
    parser.add_argument("--budgets", type=int, nargs="+", default=[50, 100])
    parser.add_argument("--searchers", nargs="+", choices=SEARCHERS, default=list(SEARCHERS))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    names = [name for name in TABLES if options.tables in name]
    searchers = [s for s in options.searchers if options.rungs or s not in ONLY_RUNGS]
    raw = json.loads(options.out.read_text()) if options.out and options.out.exists() else {}
    for place in range(options.seeds):
        seed = options.first_seed + place
        for name in names:
            for who in searchers:
                key = "|".join([who, name, str(seed), "rungs" if options.rungs else "full"])
                if key in raw or (who in SLOW and place >= options.slow_seeds):
                    continue
                drive = search_with_rungs if options.rungs else search
                table = load(name)
                found, seconds = drive(SEARCHERS[who](table, seed), table, max(options.budgets))
                raw[key] = {"found": found, "seconds": seconds}
                if options.out:
                    options.out.write_text(json.dumps(raw))
    print(report(raw, names, searchers, options.budgets, with_rungs=options.rungs))


def report(
    raw: Mapping[str, Any],
    names: Sequence[str],
    searchers: Sequence[str],
    budgets: Sequence[int],
    *,
    with_rungs: bool,
) -> str:
    """Markdown: shares, differences to `auto` seed by seed, mean ranks, seconds a proposal."""
    mode = "rungs" if with_rungs else "full"
    lines = []
    for budget in budgets:
        values = {
            (who, name, int(seed)): share_of_front(
                load(name), [int(index) for spent, index in run["found"] if spent <= budget + 1e-9]
            )
            for key, run in raw.items()
            for who, name, seed, how in [key.split("|")]
            if how == mode and name in names and who in searchers
        }
        lines += _budget_table(values, names, searchers, budget)
    lines += ["", "| searcher | ms a proposal, trials 41 to 60 | 91 to 100 | last 10 of a search |"]
    lines += ["|---|---|---|---|"]
    for who in searchers:
        runs = [run["seconds"] for key, run in raw.items() if key.startswith(f"{who}|")]
        cells = [
            [second for run in runs for second in part(run)]
            for part in (lambda r: r[40:60], lambda r: r[90:100], lambda r: r[-10:])
        ]
        lines.append(f"| {who} | " + " | ".join(_milliseconds(cell) for cell in cells) + " |")
    return "\n".join(lines)


def _budget_table(
    values: Mapping[tuple[str, str, int], float],
    names: Sequence[str],
    searchers: Sequence[str],
    budget: int,
) -> list[str]:
    head = [f"share after {budget}", *names, "mean", "mean rank"]
    lines = ["", "| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    num_runs = Counter(who for who, _, _ in values)
    in_all = [who for who in searchers if num_runs[who] == max(num_runs.values())]
    ranks = _mean_ranks(values, names, in_all)
    for who in searchers:
        cells, means = [], []
        for name in names:
            seeds = sorted(s for w, n, s in values if (w, n) == (who, name))
            both = [s for s in seeds if ("ours: auto", name, s) in values]
            if not seeds:
                cells.append("")
                continue
            share_S = np.array([values[who, name, s] for s in seeds])
            means.append(share_S.mean())
            gap_S = np.array([values["ours: auto", name, s] - values[who, name, s] for s in both])
            text = f"{share_S.mean():.3f}"
            if who != "ours: auto" and len(gap_S) > 1:
                half = _half_width(gap_S)
                text += f" ({gap_S.mean():+.3f} ± {half:.3f})"
            cells.append(text)
        rank = f"{ranks[who]:.2f}" if who in ranks else ""
        mean = f"{np.mean(means):.3f}" if means else ""
        lines.append("| " + " | ".join([who, *cells, mean, rank]) + " |")
    return lines


def _half_width(gap_S: Any) -> float:
    """Of the 95 % interval of the mean, by Student's t."""
    num_seeds = len(gap_S)
    quantile = student.ppf(0.975, num_seeds - 1)
    return float(quantile * gap_S.std(ddof=1) / np.sqrt(num_seeds))


def _mean_ranks(
    values: Mapping[tuple[str, str, int], float], names: Sequence[str], searchers: Sequence[str]
) -> dict[str, float]:
    """Over the pairs of table and seed that all `searchers` have run."""
    seeds = {seed for _, _, seed in values}
    rows = [
        [-values[who, name, seed] for who in searchers]
        for name in names
        for seed in sorted(seeds)
        if all((who, name, seed) in values for who in searchers)
    ]
    if not rows:
        return {}
    row_NW = np.array(rows)
    below_NW = (row_NW[:, None, :] < row_NW[:, :, None]).sum(axis=2)
    equal_NW = (row_NW[:, None, :] == row_NW[:, :, None]).sum(axis=2)
    rank_W = (below_NW + (equal_NW + 1) / 2).mean(axis=0)
    return dict(zip(searchers, rank_W.tolist(), strict=True))


def _milliseconds(seconds: Sequence[float]) -> str:
    return f"{1000 * float(np.median(seconds)):.0f}" if seconds else ""


if __name__ == "__main__":
    main()
