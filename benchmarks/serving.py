"""How fast an exported model answers: torch and ONNX Runtime on the same bundle, in turns.

    python benchmarks/serving.py BUNDLE ROWS.parquet [--batches 1 32 512] [--calls 300]
        [--repeats 5] [--out FILE.json]

BUNDLE was exported with `--format all`; ROWS are raw rows that it can score. A call is
`engine.predict` of encoded rows, on one thread; the engines take turns within each repeat, so that
a busy machine is busy for both. Latencies are those of single calls: p50 and p99 of each repeat,
then the median over the repeats. Encoding is timed too, as every row pays for it.

The import of the scoring path is a process of its own each time, in turns as well: the time that
`-X importtime` tells for `automtl.export.bundle`, beside that of polars alone (which reads the
rows) and of the engines.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime
import polars as pl
import torch

from automtl.data.encode import Inputs
from automtl.export.bundle import Bundle
from automtl.export.compare import largest_difference
from automtl.export.engines.onnx_engine import OnnxEngine
from automtl.export.engines.torch_engine import TorchEngine

WARM_UP = 5
IMPORTS = ("polars", "automtl.export.bundle", "automtl.export.engines.onnx_engine", "torch")


def latencies_ms(call: Callable[[], object], calls: int) -> np.ndarray:
    for _ in range(WARM_UP):
        call()
    found = np.empty(calls)
    for number in range(calls):
        start = time.perf_counter()
        call()
        found[number] = 1e3 * (time.perf_counter() - start)
    return found


def first_rows(inputs: Inputs, count: int) -> Inputs:
    return Inputs(ids_NC=inputs.ids_NC[:count], numeric_NF=inputs.numeric_NF[:count])


def measure(
    place: Path, rows: pl.DataFrame, batches: Sequence[int], calls: int, repeats: int
) -> list[dict[str, float | int | str]]:
    """A line for each batch size and what was called."""
    torch.set_num_threads(1)
    bundle = Bundle.load(place, engine="torch")
    engines = {
        "torch": TorchEngine.open(place, bundle.manifest),
        "onnx": OnnxEngine.open(place, bundle.manifest, num_threads=1),
    }
    inputs = bundle.encode(rows)
    predicted = [engine.predict(inputs) for engine in engines.values()]
    apart = largest_difference(*predicted, bundle.tasks)
    print(f"largest difference on {rows.height:,} rows: {apart:.1e}")
    print(f"torch {torch.__version__}, ONNX Runtime {onnxruntime.__version__}, one thread\n")
    print("| batch | | p50, ms | p99, ms |\n|---|---|---|---|")
    lines: list[dict[str, float | int | str]] = []
    for size in batches:
        few, raw = first_rows(inputs, size), rows.head(size)
        callees: dict[str, Callable[[], object]] = {
            "encode": lambda raw=raw: bundle.encode(raw),
            **{
                name: lambda engine=engine, few=few: engine.predict(few)
                for name, engine in engines.items()
            },
        }
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in callees}
        for _ in range(repeats):
            for name, call in callees.items():
                told = latencies_ms(call, calls)
                found[name].append((float(np.median(told)), float(np.quantile(told, 0.99))))
        for name, pairs in found.items():
            p50, p99 = (median(values) for values in zip(*pairs, strict=True))
            lines.append({"batch": size, "what": name, "p50_ms": p50, "p99_ms": p99})
            print(f"| {size} | {name} | {p50:.3f} | {p99:.3f} |", flush=True)
    return lines


def import_ms(module: str) -> float:
    """What Python says the import took, all that it imports included."""
    program = [sys.executable, "-X", "importtime", "-c", f"import {module}"]
    said = subprocess.run(program, capture_output=True, text=True, check=True).stderr
    [total] = re.findall(rf"\| +(\d+) \| {re.escape(module)}$", said, re.MULTILINE)
    return int(total) / 1e3


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32, 512])
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    rows = pl.read_parquet(given.rows, n_rows=10_000)
    lines = measure(given.bundle, rows, given.batches, given.calls, given.repeats)
    told: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(given.repeats):
        for name in IMPORTS:
            told[name].append(import_ms(name))
    imports = {name: (median(values), min(values)) for name, values in told.items()}

    print("\n| import | median, ms | least, ms |\n|---|---|---|")
    for name, (middle, least) in imports.items():
        print(f"| `{name}` | {middle:.0f} | {least:.0f} |")
    if given.out is not None:
        given.out.write_text(json.dumps({"latency": lines, "import_ms": told}, indent=1))


if __name__ == "__main__":
    main()
