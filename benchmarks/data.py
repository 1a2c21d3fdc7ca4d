"""How fast are rows encoded, in how much memory, and how fast do they come back from the cache?

    python benchmarks/data.py --rows 5000000 20000000 [--ids integers text] [--format csv]

Generated rows: 30 columns in 40 daily files (Parquet: zstd, row groups of 125,000), 17 id columns
with Zipf frequencies (10 to 2,000,000 ids), 3 of names, 7 of numbers, 2 labels and the day, by
which they are split. Ids are integers (one column has hashes of 64 bits) or text of eight
hexadecimal digits, as in Criteo's rows. Each job runs in a process of its own; its peak is VmHWM,
the most memory that it ever had, its times the best of `--repeats`. CPU seconds are those of all
threads: what it takes on a machine that others use, too. `LabelEncoder` is how the examples of
torch-rechub and DeepCTR-Torch encode (Criteo's ids and Census-Income's categories are text there,
ByteRec's ids integers): pandas, a LabelEncoder a column, a MinMaxScaler.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
from processes import done, fill_once, run_job

if TYPE_CHECKING:
    import polars as pl

IDS = (2_000_000, 500_000, 200_000, 100_000, 50_000, 20_000, 10_000, 5_000)
IDS += (2_000, 1_000, 500, 200, 100, 50, 20, 10)
TEXTS = (100_000, 1_000, 30)
NUM_HASHED = 1_000_000
NUM_NUMBERS = 7
NUM_DAYS = 40
GROUP_ROWS = 125_000  # of a row group at most: what a reader holds follows from it
ZIPF_EXPONENT = 1.05
CATEGORICAL = [*(f"c{i}" for i in range(len(IDS))), "h0", *(f"s{i}" for i in range(len(TEXTS)))]
NUMERIC = [f"x{i}" for i in range(NUM_NUMBERS)]
LABELS = ["click", "buy"]
BATCH, NUM_BATCHES, NUM_TURNS = 2048, 100, 9
STEPS = {
    "looking at times": "times",
    "reading": "pass 1",
    "encoding": "pass 2",
    "fingerprint of the files": "fingerprint",
}
JOBS = ("encode", "polars", "pyarrow", "batches", "labels")
FORMATS = ("parquet", "csv")
KINDS_OF_IDS = ("integers", "text")


def write_rows(folder: Path, num_rows: int, kind: str, ids: str) -> None:
    """Daily files."""
    for day in range(NUM_DAYS):
        write_day(folder, day, num_rows // NUM_DAYS, kind, ids)


def write_day(folder: Path, day: int, count: int, kind: str, ids: str) -> None:
    import polars as pl

    rng = np.random.default_rng(day)
    columns = {f"c{i}": zipf(rng, vocab, count) for i, vocab in enumerate(IDS)}
    columns["h0"] = zipf(rng, NUM_HASHED, count)
    if ids == "text":
        columns = {name: hexadecimal(numbers) for name, numbers in columns.items()}
    else:
        hashed = columns["h0"].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        columns["h0"] = hashed.view(np.int64)
    for i, vocab in enumerate(TEXTS):
        names = pl.Series([f"value_{place:07d}" for place in range(vocab)])
        columns[f"s{i}"] = names.gather(zipf(rng, vocab, count))
    for i in range(4):
        columns[f"x{i}"] = rng.standard_normal(count).astype(np.float32)
    columns["x4"], columns["x5"] = rng.lognormal(size=count), rng.poisson(3, count)
    holes = np.flatnonzero(rng.random(count) < 0.1)
    columns["x6"] = pl.Series(rng.standard_normal(count)).scatter(holes, None)
    click = rng.random(count) < 0.2
    columns |= {"click": click, "buy": click & (rng.random(count) < 0.1)}
    columns["day"] = np.full(count, 20220401 + day, dtype=np.int32)
    frame = pl.DataFrame(columns).with_columns(pl.col(LABELS).cast(pl.Int8))
    if kind == "csv":
        frame.write_csv(folder / f"{day:02}.csv")
    else:
        frame.write_parquet(folder / f"{day:02}.parquet", row_group_size=min(count, GROUP_ROWS))


def zipf(rng: np.random.Generator, vocab: int, count: int) -> np.ndarray:
    cumulative = np.cumsum(np.arange(1, vocab + 1) ** -ZIPF_EXPONENT)
    return np.searchsorted(cumulative, rng.random(count) * cumulative[-1]).astype(np.int64)


def hexadecimal(numbers: np.ndarray) -> pl.Series:
    """Eight digits that tell the numbers apart."""
    import polars as pl

    distinct, places = np.unique(numbers, return_inverse=True)
    mixed = distinct * 0x9E3779B1 % 2**32  # by an odd number: no two become the same
    return pl.Series([f"{number:08x}" for number in mixed.tolist()]).gather(places)


# ---- jobs: each says what it took, in seconds ----------------------------------------------


Clocks = tuple[float, float, float]


def clocks() -> Clocks:
    """Now, the CPU time of this process, and how much of that is the system's."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), used.ru_utime + used.ru_stime, used.ru_stime


def passed(step: str, before: Clocks, at: Clocks) -> dict[str, float]:
    took = (now - then for then, now in zip(before, at, strict=True))
    return dict(zip((step, f"{step} CPU", f"{step} system"), took, strict=True))


def encode(folder: Path) -> dict[str, float]:
    # importing is no part of encoding, as of the others
    import automtl.data.build
    import automtl.data.compiled  # noqa: F401
    from automtl.data.cache import load_cached, open_data

    spec = spec_of(folder)
    marks = [("start", clocks())]

    def report(step: str, _share: float, _rows: int) -> None:
        if marks[-1][0] == step:
            marks.pop()
        marks.append((step, clocks()))

    with hashing_timed() as hashing_s:
        data = open_data(spec, report=report)
    took: dict[str, float] = {}
    for (_, before), (step, at) in itertools.pairwise(marks):
        took |= passed(STEPS.get(step, step), before, at)
    took["pass 1 CPU"] -= sum(hashing_s)  # which runs beside it
    took["fingerprint CPU"] += sum(hashing_s)
    began = time.perf_counter()
    load_cached(data.directory).rows("train").ids_NC.shape  # noqa: B018
    size = sum(file.stat().st_size for file in data.directory.rglob("*"))
    return took | {"open": time.perf_counter() - began, "GB": size / 1e9}


@contextmanager
def hashing_timed() -> Iterator[list[float]]:
    """The CPU seconds that hashing each file takes its thread."""
    from automtl.data import fingerprint

    hash_file, seconds = fingerprint.Hashes._hash, list[float]()

    def timed(self: fingerprint.Hashes, file: Path) -> str:
        before = time.thread_time()
        digest = hash_file(self, file)
        seconds.append(time.thread_time() - before)
        return digest

    with mock.patch.object(fingerprint.Hashes, "_hash", timed):
        yield seconds


def polars(folder: Path) -> dict[str, float]:
    """File by file, as much as it takes to have every column in memory."""
    import polars as pl

    began = clocks()
    for file in files(folder):
        if file.suffix == ".csv":
            pl.read_csv(file, columns=columns_read())
        else:
            pl.read_parquet(file, columns=columns_read(), hive_partitioning=False)
    return passed("read", began, clocks())


def pyarrow(folder: Path) -> dict[str, float]:
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    wanted = pc.ConvertOptions(include_columns=columns_read())
    began = clocks()
    for file in files(folder):
        if file.suffix == ".csv":
            batches = pc.open_csv(file, convert_options=wanted)
        else:
            batches = pq.ParquetFile(file).iter_batches(1 << 16, columns=columns_read())
        for _ in batches:
            pass
    return passed("read", began, clocks())


def labels(folder: Path) -> dict[str, float]:
    import pandas as pd
    from sklearn.preprocessing import LabelEncoder, MinMaxScaler

    began = clocks()
    frame = pd.concat(
        [
            pd.read_csv(file) if file.suffix == ".csv" else pd.read_parquet(file)
            for file in files(folder)
        ]
    )
    for name in CATEGORICAL:
        frame[name] = LabelEncoder().fit_transform(frame[name])
    frame[NUMERIC] = MinMaxScaler().fit_transform(frame[NUMERIC].fillna(0))
    return passed("encode", began, clocks())


def batches(folder: Path) -> dict[str, float]:
    """Shuffled batches as a trial takes them, out of the mapped files and out of copies in RAM; in
    turns, the medians."""
    import torch

    from automtl.data.cache import open_data
    from automtl.training.batches import Batches

    rows = open_data(spec_of(folder)).rows("train")
    mapped = (rows.ids_NC, rows.numeric_NF, rows.labels_NK)
    for array in mapped:
        array.sum()  # both from the page cache: what is compared is the way, not the disk
    kinds = {"mapped": mapped, "RAM": [np.array(array) for array in mapped]}
    coming = {
        name: Batches(*arrays, device=torch.device("cpu")).shuffled(BATCH, np.random.default_rng(0))
        for name, arrays in kinds.items()
    }
    took: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(1 + NUM_TURNS):
        for name, batches in coming.items():
            next(batches)
            began = time.perf_counter()
            for _ in range(NUM_BATCHES):
                next(batches)
            took[name].append((time.perf_counter() - began) / NUM_BATCHES)
    return {name: median(seconds[1:]) for name, seconds in took.items()}


def spec_of(folder: Path):
    from automtl.spec.schema import Spec

    return Spec.from_dict(
        {
            "version": 1,
            "name": "data",
            "data": {
                "path": str(folder / f"*{files(folder)[0].suffix}"),
                "split": {"time": "day"},
                "categorical": CATEGORICAL,
                "numeric": NUMERIC,
            },
            "tasks": {"click": {"label": "click"}, "buy": {"label": "buy", "given": "click"}},
            "objectives": ["params"],
            "space": {"sharing": [{"family": "shared_bottom"}]},
        }
    )


def files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.name != "done")


def columns_read() -> list[str]:
    return [*CATEGORICAL, *NUMERIC, *LABELS, "day"]


RUN: dict[str, Callable[[Path], dict[str, float]]] = {
    "encode": encode,
    "polars": polars,
    "pyarrow": pyarrow,
    "batches": batches,
    "labels": labels,
}


# ---- the table -----------------------------------------------------------------------------


def measured(job: str, folder: Path, cache: Path, repeats: int) -> dict[str, float]:
    """The best time of each part over the repeats, and the largest peak."""
    runs = []
    for _ in range(repeats):
        if job == "encode":
            shutil.rmtree(cache, ignore_errors=True)
        runs.append(run_job(__file__, job, folder, cache=cache))
    best = {key: min(run[key] for run in runs) for key in runs[0]}
    return best | {"peak": max(run["peak"] for run in runs)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--folder", type=Path, default=Path("/tmp/automtl-benchmark-data"))
    parser.add_argument("--format", choices=FORMATS, default="parquet")
    parser.add_argument("--ids", nargs="+", choices=KINDS_OF_IDS, default=["integers"])
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--skip", nargs="*", default=[], choices=JOBS)
    parser.add_argument("--job", choices=JOBS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        done(RUN[options.job](options.folder))
        return
    for num_rows, ids in itertools.product(options.rows, options.ids):
        folder = options.folder / f"{num_rows}-{options.format}-{ids}"
        fill_once(folder, partial(write_rows, folder, num_rows, options.format, ids))
        found = {
            job: measured(job, folder, options.folder / "cache", options.repeats)
            for job in JOBS
            if job not in options.skip
        }
        title = f"{num_rows:,} rows of {options.format}, ids are {ids}"
        print(table(title, num_rows, found), flush=True)


def table(title: str, num_rows: int, found: dict[str, dict[str, float]]) -> str:
    ours = found["encode"]
    first = added(ours, "times", "pass 1")
    both = added(ours, "times", "pass 1", "pass 2")
    lines = [f"\n**{title}**, {ours['GB']:.2f} GB encoded\n"]
    lines += [
        "| | s | CPU s | rows/s | ours takes, s | CPU s | peak GB |",
        "|---|---|---|---|---|---|---|",
    ]

    def line(name: str, took: tuple[float, float], peak: float | None = None) -> None:
        shown = "" if peak is None else f"{peak:.2f}"
        ratios = f"{both[0] / took[0]:.2f}x | {both[1] / took[1]:.2f}x"
        speed = num_rows / took[0]
        lines.append(
            f"| {name} | {took[0]:.2f} | {took[1]:.2f} | {speed:,.0f} | {ratios} | {shown} |"
        )

    line("first pass, the cuts in time before it", first)
    line("second pass", added(ours, "pass 2"))
    line("both passes", both, ours["peak"])
    line("and the fingerprint", added(ours, *STEPS.values()))
    for job in ("polars", "pyarrow"):
        if job in found:
            line(f"bare read, {job}", added(found[job], "read"), found[job]["peak"])
    if "labels" in found:
        line("pandas and LabelEncoder", added(found["labels"], "encode"), found["labels"]["peak"])
    system = sum(ours[f"{step} system"] for step in ("times", "pass 1", "pass 2"))
    lines.append(f"\nOf the CPU seconds of both passes {system:.2f} are the system's.")
    lines.append(f"Opening the cache: {1e3 * ours['open']:.0f} ms.")
    if "batches" in found:
        mapped, ram = found["batches"]["mapped"], found["batches"]["RAM"]
        lines.append(
            f"Shuffled batches of {BATCH}: {1e6 * mapped:.0f} us mapped, {1e6 * ram:.0f} us from"
            f" RAM ({mapped / ram:.2f})."
        )
    return "\n".join(lines)


def added(took: dict[str, float], *steps: str) -> tuple[float, float]:
    """Seconds and CPU seconds of some steps."""
    return sum(took[step] for step in steps), sum(took[f"{step} CPU"] for step in steps)


if __name__ == "__main__":
    main()
