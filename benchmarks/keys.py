"""How much memory, and time, do ids take that hardly repeat?

    python benchmarks/keys.py --rows 20000000

Rows of which each has an id of its own: one of text, of 36 letters, or two integers of 64 bits. A
fifth is not learned from. Each kind is encoded in a process of its own, whose peak is VmHWM.
"""

from __future__ import annotations

import argparse
import shutil
import time
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from processes import done, fill_once, run_job

NUM_FILES = 10
COLUMNS = {"text": ["id"], "integers": ["id", "more"]}


def write_rows(folder: Path, kind: str, num_rows: int) -> None:
    """Daily files."""
    for day in range(NUM_FILES):
        rng, count = np.random.default_rng(day), num_rows // NUM_FILES
        halves = pl.DataFrame(rng.integers(2**60, 2**62, (count, 2)), schema=["id", "more"])
        if kind == "text":
            halves = halves.select(pl.format("{}{}", "id", "more").str.head(36).alias("id"))
        halves.select(COLUMNS[kind]).with_columns(
            click=pl.Series(rng.random(count) < 0.2).cast(pl.Int8),
            day=pl.lit(day, dtype=pl.Int32),
        ).write_parquet(folder / f"{day}.parquet")


def encode(folder: Path, kind: str) -> dict[str, float]:
    from automtl.data.cache import open_data
    from automtl.spec.schema import Spec

    path = str(folder / "*.parquet")
    data = {"path": path, "split": {"time": "day"}, "categorical": COLUMNS[kind]}
    spec = Spec.from_dict(
        {
            "version": 1,
            "name": "keys",
            "data": data,
            "tasks": {"click": {"label": "click"}},
            "objectives": ["params"],
            "space": {"sharing": [{"family": "shared_bottom"}]},
        }
    )
    began = time.perf_counter()
    tables = open_data(spec).features.tables
    took = time.perf_counter() - began
    return {"s": took, "ids": sum(table.num_rows for table in tables)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/automtl-benchmark-keys"))
    parser.add_argument("--job", choices=COLUMNS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        done(encode(options.folder, options.job))
        return
    print("| ids | in vocabularies | s | peak GB |\n|---|---|---|---|")
    for kind in COLUMNS:
        folder = options.folder / f"{options.rows}-{kind}"
        fill_once(folder, partial(write_rows, folder, kind, options.rows))
        cache = options.folder / "cache"
        shutil.rmtree(cache, ignore_errors=True)
        took = run_job(__file__, kind, folder, cache=cache)
        print(f"| {kind} | {took['ids']:,} | {took['s']:.1f} | {took['peak']:.2f} |", flush=True)


if __name__ == "__main__":
    main()
