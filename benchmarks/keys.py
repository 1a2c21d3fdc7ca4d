"""How much memory, and time, do ids take that hardly repeat?

    python benchmarks/keys.py --rows 20000000

Rows of which each has an id of its own: one of text, of 36 letters, or two integers of 64 bits. A
fifth is not learned from. Each kind is encoded in a process of its own, whose peak is VmHWM.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

NUM_FILES = 10
COLUMNS = {"text": ["id"], "integers": ["id", "more"]}


def write_rows(folder: Path, kind: str, num_rows: int) -> None:
    """Daily files; nothing if they are there."""
    if (folder / "done").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for day in range(NUM_FILES):
        rng, count = np.random.default_rng(day), num_rows // NUM_FILES
        halves = pl.DataFrame(rng.integers(2**60, 2**62, (count, 2)), schema=["id", "more"])
        if kind == "text":
            halves = halves.select(pl.format("{}{}", "id", "more").str.head(36).alias("id"))
        halves.select(COLUMNS[kind]).with_columns(
            click=pl.Series(rng.random(count) < 0.2).cast(pl.Int8),
            day=pl.lit(day, dtype=pl.Int32),
        ).write_parquet(folder / f"{day}.parquet")
    (folder / "done").touch()


def encode(folder: Path, kind: str) -> None:
    """Prints what it took."""
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
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    num_ids = sum(table.num_rows for table in tables)
    print(json.dumps({"s": took, "GB": int(peak[1]) / 1e6 if peak else 0.0, "ids": num_ids}))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/automtl-benchmark-keys"))
    parser.add_argument("--job", choices=COLUMNS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        encode(options.folder, options.job)
        return
    print("| ids | in vocabularies | s | peak GB |\n|---|---|---|---|")
    for kind in COLUMNS:
        folder = options.folder / f"{options.rows}-{kind}"
        write_rows(folder, kind, options.rows)
        cache = options.folder / "cache"
        shutil.rmtree(cache, ignore_errors=True)
        command = [sys.executable, __file__, "--job", kind, "--folder", str(folder)]
        environment = {**os.environ, "AUTOMTL_CACHE": str(cache)}
        output = subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True
        ).stdout
        took = json.loads(output)
        print(f"| {kind} | {took['ids']:,} | {took['s']:.1f} | {took['GB']:.2f} |", flush=True)


if __name__ == "__main__":
    main()
