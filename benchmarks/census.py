"""Census-Income, the table that papers and libraries publish: every family, and the peers' own.

    python benchmarks/census.py [--quick] [--seeds 5] [--epochs 3] [--lr 0.001 0.003 0.01]
        [--embedding-dim 8] [--pairs income/never_married ...] [--peers-env DIR] [--out FILE.json]

For each pair of labels and each model: the learning rate with the best mean AUC on VALIDATION rows
of one seed; then all seeds with it, and the mean and standard deviation of the AUC on TEST rows,
all after the same number of epochs. Models have the papers' size: 8 experts of 16 for MMoE, about
as many hidden units for the others. The learning rate is that of everything for the peers; of ours
that of all but the embeddings, whose Adagrad has the default of `TrainConfig`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean, stdev

import jobs
from peers import environment
from peers.job import Job, Result
from rows import census

PAIRS = (("income", "never_married"), ("college", "never_married"))
QUICK_STEPS = 20
NOTABLE = 0.003  # of AUC; the sampling error of one test AUC of income is about .004
EXPERTS = {"expert_dims": (16,), "num_shared_experts": 8}
MODELS = {
    "single_task": {"expert_dims": (64,)},
    "shared_embedding": {"expert_dims": (64,)},
    "shared_bottom": {"expert_dims": (128,)},
    "omoe": EXPERTS,
    "mmoe": EXPERTS,
    "cgc": EXPERTS | {"num_shared_experts": 4, "num_task_experts": 2},
    "ple": EXPERTS | {"num_shared_experts": 3, "num_task_experts": 3, "num_levels": 2},
}
PEERS_MODELS = ("shared_bottom", "mmoe", "ple")

# income / never_married; splits, features and sizes differ from source to source
PUBLISHED = {
    "torch-rechub's README": {
        "shared_bottom": (0.9560, 0.9948),
        "mmoe": (0.9579, 0.9950),
        "ple": (0.9593, 0.9950),
    },
    "another zoo, learning rate .01, 8 experts of 16": {
        "shared_bottom": (0.9478, 0.9947),
        "mmoe": (0.9463, 0.9937),
        "ple": (0.9480, 0.9947),
    },
    "PaddleRec, mean": {"mmoe": (0.9447, 0.9932)},
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One model on one pair of labels: a test AUC a task and seed."""

    pair: tuple[str, str]
    side: str
    family: str
    lr: float
    results: tuple[Result, ...]

    @property
    def means(self) -> tuple[float, ...]:
        return tuple(map(mean, self._by_task()))

    @property
    def texts(self) -> tuple[str, ...]:
        """`mean ± standard deviation` of each task; one seed has no deviation."""
        return tuple(
            f"{mean(values):.4f}" + (f" ± {stdev(values):.4f}" if len(values) > 1 else "")
            for values in self._by_task()
        )

    def _by_task(self) -> list[tuple[float, ...]]:
        return list(zip(*(result.auc["test"] for result in self.results), strict=True))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few steps, one seed: does it run?")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, nargs="+", default=[0.001, 0.003, 0.01])
    parser.add_argument("--embedding-dim", type=int, default=8)
    names = ["/".join(pair) for pair in PAIRS]
    parser.add_argument("--pairs", nargs="+", choices=names, default=names)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--peers-env", type=Path, help="where the peers are, or are to be, installed"
    )
    parser.add_argument("--out", type=Path, help="every single result as JSON")
    options = parser.parse_args(arguments)
    if options.quick:
        options.seeds, options.epochs, options.lr = 1, 1, options.lr[:1]
    lines = []
    for line in measure(options, environment.ensure(options.peers_env)):
        lines.append(line)
        if options.out:
            plain = [asdict(one) for one in lines]
            options.out.write_text(json.dumps(plain, indent=1), encoding="utf-8")
    print(table(lines))
    print("\n".join(differences(lines)))


def measure(options: argparse.Namespace, peers_python: Path) -> Iterator[Line]:
    base = Job(
        side="",
        family="",
        tower_dims=(8,),
        embedding_dim=options.embedding_dim,
        batch_size=1024,
        epochs=options.epochs,
        threads=options.threads,
        max_steps=QUICK_STEPS if options.quick else None,
    )
    models = [(jobs.OURS, family) for family in MODELS]
    models += [(side, family) for family in PEERS_MODELS for side in jobs.PEERS]
    for pair in PAIRS:
        if "/".join(pair) not in options.pairs:
            continue
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "rows.npz"
            census(pair).save(path)
            for side, family in models:
                job = replace(base, side=side, family=family, **MODELS[family])
                line = line_of(job, pair, options, path, peers_python)
                print(pair, side, family, line.lr, line.means, file=sys.stderr)
                yield line


def line_of(
    job: Job,
    pair: tuple[str, str],
    options: argparse.Namespace,
    rows: Path,
    peers_python: Path,
) -> Line:
    """The best learning rate by validation, then every seed with it."""

    def run(lr: float, seed: int) -> Result:
        return jobs.run(replace(job, lr=lr, seed=seed), rows, peers_python=peers_python)

    first = {lr: run(lr, 0) for lr in options.lr}
    best = max(first, key=lambda lr: mean(first[lr].auc["valid"]))
    others = (run(best, seed) for seed in range(1, options.seeds))
    return Line(
        pair=pair, side=job.side, family=job.family, lr=best, results=(first[best], *others)
    )


# ---- Markdown ------------------------------------------------------------------------------


def table(lines: Sequence[Line]) -> str:
    head = ["labels", "family", "whose", "lr", "test AUC of the first", "of the second"]
    head.append("published")
    cells = [
        [
            "/".join(line.pair),
            line.family,
            line.side,
            f"{line.lr:g}",
            *line.texts,
            "; ".join(
                f"{'/'.join(f'{value:.4f}' for value in values)} ({source})"
                for source, values in published(line).items()
            ),
        ]
        for line in sorted(lines, key=lambda line: (PAIRS.index(line.pair), order_of(line)))
    ]
    return jobs.markdown(head, cells)


def order_of(line: Line) -> int:
    return list(MODELS).index(line.family)


def published(line: Line) -> dict[str, tuple[float, float]]:
    if line.pair != PAIRS[0]:
        return {}
    return {
        source: values[line.family] for source, values in PUBLISHED.items() if line.family in values
    }


def differences(lines: Sequence[Line]) -> Iterator[str]:
    """Where ours and another value of the same family are more than `NOTABLE` apart."""
    yield f"\nOurs minus theirs, where more than {NOTABLE}:\n"
    for ours in (line for line in lines if line.side == jobs.OURS):
        others = dict(published(ours)) | {
            line.side: line.means
            for line in lines
            if (line.pair, line.family) == (ours.pair, ours.family) and line.side != jobs.OURS
        }
        for source, values in others.items():
            gaps = [own - other for own, other in zip(ours.means, values, strict=True)]
            if max(map(abs, gaps)) > NOTABLE:
                each = ", ".join(
                    f"{task} {gap:+.4f}" for task, gap in zip(ours.pair, gaps, strict=True)
                )
                yield f"- {'/'.join(ours.pair)}, {ours.family} against {source}: {each}"


if __name__ == "__main__":
    main()
