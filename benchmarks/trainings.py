"""Collects what searches that really trained have found, for `searches/surrogate.py`.

    python benchmarks/trainings.py kuairand RESULTS_DIR ... --out FILE.jsonl.gz [--most 400]

The directories are what `search.py` has written with `--out`. Half of the `--most` trainings that
are kept, by chance, are of searches by hand (which look everywhere), half of ours (which look at
what is good). Random curves (`curves.py`) are few, since each takes a whole training; these cost
nothing more, but of each only its end on VALIDATION rows is kept: TEST rows were scored only of
fronts, and fronts are lucky on VALIDATION rows.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from curves import Curve
from searches.result import Result
from searches.surrogate import Surrogate

from automtl.config import TrialConfig, from_jsonable
from automtl.search.sampler import Proposal

__all__ = ["Training", "completed", "read_trainings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One configuration's VALIDATION metrics at its end."""

    config: TrialConfig
    seed: int
    valid: Mapping[str, float]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", help="what search.py calls the data set")
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--most", type=int, default=400)
    options = parser.parse_args(arguments)
    found: dict[str, dict[str, str]] = {"handmade": {}, "ours": {}}
    for folder in options.folders:
        for path in sorted(folder.glob(f"{options.name}-*.json")):
            of_method = found["handmade" if path.stem.endswith("-handmade") else "ours"]
            for one in Result.load(path).found:
                auc = {name: round(x, 6) for name, x in one.valid.items() if name.endswith(".auc")}
                line = {"config": one.config, "seed": one.seed, "valid": auc}
                of_method[json.dumps([one.config, one.seed])] = json.dumps(line)
    random = np.random.default_rng(0)
    lines = [
        many[n]
        for many in (list(of_method.values()) for of_method in found.values())
        for n in sorted(random.permutation(len(many))[: options.most // 2].tolist())
    ]
    with options.out.open("wb") as file, gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:
        packed.write("".join(f"{line}\n" for line in lines).encode())


def read_trainings(path: Path) -> tuple[Training, ...]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return tuple(
        Training(**row | {"config": from_jsonable(TrialConfig, row["config"])}) for row in rows
    )


def completed(surrogate: Surrogate, trainings: Sequence[Training]) -> tuple[Curve, ...]:
    """A curve for each training, as far as `surrogate`, of recorded curves, tells the rest."""
    return tuple(curve_of(one, surrogate, number) for number, one in enumerate(trainings))


def curve_of(training: Training, surrogate: Surrogate, number: int) -> Curve:
    """The training's end; how it came there, what it has on TEST rows beside VALIDATION rows and
    what it took are what `surrogate`, of recorded curves, says of its configuration."""
    curve = surrogate.curve(number, Proposal(config=training.config, params={}))
    end = curve.points[-1].metrics

    def moved(metrics: Mapping[str, float]) -> dict[str, float]:
        return {
            name: value + training.valid[name] - end[name] if name in training.valid else value
            for name, value in metrics.items()
        }

    return replace(
        curve,
        seed=training.seed,
        points=tuple(replace(point, metrics=moved(point.metrics)) for point in curve.points),
        test=moved(curve.test),
    )


if __name__ == "__main__":
    main()
