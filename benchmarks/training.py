"""How fast models train: the peers and ours side by side, on the same rows, in one run.

    python benchmarks/training.py [--quick] [--rows N] [--vocab 10000 ...] [--threads 1 2]
        [--families mmoe ple] [--repeats 3] [--variants fp32 ...] [--device cuda]
        [--peers-env DIR] [--out FILE.json]

Every measurement is a process of its own; the sides take turns within each repeat, so that a busy
machine is busy for all. Prints, for each setting, medians over the repeats and what they are times
the FASTEST peer. `peers/job.py` says what each number is.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

import jobs
import torch
from peers import environment
from peers.job import Job, JobRows, Result
from rows import NUM_ID_COLUMNS, census, made_up

from automtl.training.precision import resolve_precision

VARIANTS = ("fp32", "rowwise", "tf32", "bf16", "dense_adam", "dense_part", "gemms")
OF_GPUS = ("tf32",)
NAMES = {"rechub": "torch-rechub", "deepctr": "DeepCTR-Torch", "automtl": "automtl"}
FAMILIES = {
    "shared_bottom": {},
    "mmoe": {"num_shared_experts": 4},
    "cgc": {"num_shared_experts": 2, "num_task_experts": 2},
    "ple": {"num_shared_experts": 2, "num_task_experts": 2, "num_levels": 2},
    "esmm": {},
}
SPEEDS = ("train_per_s", "train_whole_per_s", "ready_per_s", "eval_per_s")
MEASURED = (*SPEEDS, "overhead_s", "peak_mib", "gflops")
HEAD = ["", "train rows/s", "of the whole training", "batches ready", "predict rows/s"]
HEAD += ["peak MiB", "valid AUC", "rest of a trial, s"]
HUGE_TABLE_ROWS = 10_000_000  # from here on, whoever updates every row gets few steps
FEW_STEPS = 8
SEED = 0


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One model on one set of rows, on some threads; `job` says all but side and variant."""

    name: str
    job: Job
    make_rows: Callable[[], JobRows]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One side in one setting: medians over the repeats."""

    side: str
    variant: str
    result: Result

    @property
    def is_peer(self) -> bool:
        return self.side != jobs.OURS

    @property
    def name(self) -> str:
        return NAMES[self.side] if self.is_peer else f"{NAMES[self.side]} {self.variant}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few rows, one repeat: does it run?")
    parser.add_argument("--rows", type=int, default=200_000, help="train rows made up")
    parser.add_argument("--vocab", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=["mmoe", "ple"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, help="all that the device has")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--no-census", action="store_true", help="leave the small model out")
    parser.add_argument(
        "--peers-env", type=Path, help="where the peers are, or are to be, installed"
    )
    parser.add_argument("--out", type=Path, help="every single result as JSON")
    options = parser.parse_args(arguments)
    if options.variants is None:
        options.variants = [v for v in VARIANTS if options.device == "cuda" or v not in OF_GPUS]
    if options.quick:
        options.rows, options.repeats = 20_000, 1
        options.vocab, options.threads = options.vocab[:1], options.threads[:1]
    peers_python = environment.ensure(options.peers_env)
    raw = []
    for setting in settings(options):
        setting = replace(setting, job=replace(setting.job, device=options.device))
        results = measure(setting, options.variants, options.repeats, peers_python)
        raw += [
            {"setting": setting.name, "side": side, "variant": variant} | asdict(result)
            for (side, variant), many in results.items()
            for result in many
        ]
        print(report(setting, [line_of(*key, many) for key, many in results.items()]), flush=True)
        if options.out:
            options.out.write_text(json.dumps(raw, indent=1), encoding="utf-8")


def settings(options: argparse.Namespace) -> Iterator[Setting]:
    for vocab in options.vocab:
        for family in options.families:
            for threads in options.threads:
                yield Setting(
                    name=f"{family}, {NUM_ID_COLUMNS} x {vocab:,} ids, {threads} threads",
                    job=Job(side="", family=family, threads=threads, **FAMILIES[family]),
                    make_rows=lambda vocab=vocab, family=family: made_up(
                        vocab=vocab,
                        num_train=options.rows,
                        num_valid=options.rows // 4,
                        seed=SEED,
                        is_chained=family == "esmm",
                    ),
                )
    small = {"expert_dims": (16,), "tower_dims": (8,), "embedding_dim": 4, "batch_size": 1024}
    for threads in [] if options.no_census else options.threads:
        steps = options.rows // small["batch_size"] if options.quick else None
        yield Setting(
            name=f"mmoe of 8 small experts, Census-Income, {threads} threads",
            job=Job(
                side="",
                family="mmoe",
                num_shared_experts=8,
                threads=threads,
                max_steps=steps,
                **small,
            ),
            make_rows=census,
        )


def measure(
    setting: Setting, variants: Sequence[str], repeats: int, peers_python: Path
) -> dict[tuple[str, str], list[Result]]:
    """All results of every side, the sides taking turns."""
    sides = [*((peer, "fp32") for peer in jobs.PEERS), *((jobs.OURS, v) for v in variants)]
    results: dict[tuple[str, str], list[Result]] = {key: [] for key in sides}
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "rows.npz"
        rows = setting.make_rows()
        rows.save(path)
        for repeat in range(repeats):
            for side, variant in sides:
                job = replace(setting.job, side=side, variant=variant, seed=repeat)
                if is_slow(side, variant, rows) and job.device == "cpu":
                    job = replace(job, max_steps=FEW_STEPS)
                result = jobs.run(job, path, peers_python=peers_python)
                results[side, variant].append(result)
                print(f"{setting.name}: {side} {variant} {result.train_per_s}", file=sys.stderr)
    return results


def is_slow(side: str, variant: str, rows: JobRows) -> bool:
    """Does it update every row of huge tables at every step, or emulate bf16?"""
    if variant == "bf16":
        return resolve_precision("auto", torch.device("cpu"))[0] != "bf16"
    updates_all = side != jobs.OURS or variant == "dense_adam"
    return updates_all and sum(rows.vocab) >= HUGE_TABLE_ROWS


def line_of(side: str, variant: str, results: Sequence[Result]) -> Line:
    """Medians, number by number; AUCs by task."""
    middle = {
        name: median(values)
        for name in MEASURED
        if None not in (values := [getattr(result, name) for result in results])
    }
    auc = {
        split: tuple(map(median, zip(*(one.auc[split] for one in results), strict=True)))
        for split in results[0].auc
    }
    return Line(side=side, variant=variant, result=replace(results[0], **middle, auc=auc))


# ---- Markdown ------------------------------------------------------------------------------


def report(setting: Setting, lines: Sequence[Line]) -> str:
    peers = [line.result for line in lines if line.is_peer]
    fastest = {name: max(getattr(peer, name) for peer in peers) for name in SPEEDS}
    examples = max(line.result.examples or 0 for line in lines)
    notes = [
        f"{line.name}: {line.result.gflops:.0f} GFLOP/s" for line in lines if line.result.gflops
    ]
    if setting.job.device == "cuda":
        notes.append(torch.cuda.get_device_name())
    versions = {key: value for line in lines for key, value in line.result.versions.items()}
    notes.append(", ".join(f"{name} {value}" for name, value in versions.items()))
    cells = [cells_of(line, fastest, examples) for line in lines]
    return f"\n### {setting.name}\n\n{jobs.markdown(HEAD, cells)}\n\n{'; '.join(notes)}"


def cells_of(line: Line, fastest: dict[str, float], examples: int) -> list[str]:
    """A line of the table. A model trained on far fewer rows than the others shows no AUC."""
    one = line.result
    speeds = [
        "–" if (value := getattr(one, name)) is None else f"{value:,.0f} ({value / best:.2f}x)"
        for name, best in fastest.items()
    ]
    auc = " / ".join(f"{value:.4f}" for value in one.auc.get("valid", ()))
    return [
        line.name,
        *speeds,
        "–" if one.peak_mib is None else f"{one.peak_mib:,.0f}",
        auc if auc and one.examples > examples / 2 else "–",
        "–" if one.overhead_s is None else f"{one.overhead_s:.2f}",
    ]


if __name__ == "__main__":
    main()
