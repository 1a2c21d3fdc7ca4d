"""What does serving cost? `automtl serve` under load, its memory, and `automtl predict` beside
reading the same file.

    python benchmarks/service.py [--bundle DIR --data FILE] [--requests 50000]

Without a bundle a small search over KuaiRand makes one. The service runs in a process of its own on
loopback; clients are threads of this process, so they share the processors with it: on an idle
machine of many cores it serves more. A request is 100 rows as a client of a recommender sends them,
each connection is kept alive. Latencies are those that a client sees, from the first byte sent to
the last one read. Memory is the resident set of the service's process, processor the time that its
threads had of one: what is left of a request on a machine where others run, too.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from automtl.export.bundle import Bundle
from automtl.export.pick import pick
from automtl.export.predict import predict_file
from automtl.export.write import export_bundle
from automtl.search.run import run_search
from automtl.spec.load import load_spec

SPACES = Path(__file__).parent.parent / "search_spaces"
SMALL = ("search.trials=2", "search.epochs=0.1")
NUM_BODIES = 2000  # different requests, of other rows each; sent again and again
WARM = 50  # requests that are not counted


@dataclass(slots=True)
class Load:
    """What the clients saw; `rss_mib` by the number of requests that were answered. `cpu_s` is the
    service's."""

    seconds: list[float] = field(default_factory=list)
    rss_mib: dict[int, float] = field(default_factory=dict)
    wall_s: float = 0.0
    cpu_s: float = 0.0


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options().parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        bundle, data = options.bundle, options.data
        if bundle is None:
            bundle, data = make_bundle(Path(scratch)), SPACES / "data" / "kuairand_pure.parquet"
        bodies = make_bodies(bundle, data, num_rows=options.rows)
        load = run_load(
            bundle, bodies, num_requests=options.requests, num_connections=options.connections
        )
        print(load_table(load, num_rows=options.rows))
        print(predict_table(bundle, data, Path(scratch)))


def make_bundle(scratch: Path) -> Path:
    spec = load_spec(SPACES / "kuairand.yaml", overrides=SMALL)
    study = run_search(spec, scratch / "run", executor="local")
    return export_bundle(study, pick(study, "knee"), scratch / "bundle", formats="all")


def make_bodies(bundle: Path, data: Path, *, num_rows: int) -> list[bytes]:
    columns = Bundle.load(bundle).encoder.columns
    rows = pl.scan_parquet(data).select(columns).head(NUM_BODIES * num_rows).collect()
    return [
        json.dumps({"rows": part.to_dicts()}, default=str).encode()
        for part in rows.iter_slices(num_rows)
    ]


# ---- the service ---------------------------------------------------------------------------


def run_load(
    bundle: Path, bodies: Sequence[bytes], *, num_requests: int, num_connections: int
) -> Load:
    command = [sys.executable, "-m", "automtl", "serve", str(bundle), "--port", "0"]
    service = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert service.stdout is not None
    try:
        address = urlsplit(service.stdout.readline().strip())
        _send(address, bodies, range(WARM), [])
        load = Load(rss_mib={0: _rss_mib(service.pid)})
        cpu_s = _cpu_s(service.pid)
        shares = np.array_split(np.arange(num_requests), num_connections)
        for half in range(2):
            started = time.perf_counter()
            clients = [
                threading.Thread(
                    target=_send,
                    args=(address, bodies, np.array_split(share, 2)[half], load.seconds),
                )
                for share in shares
            ]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
            load.wall_s += time.perf_counter() - started
            load.rss_mib[len(load.seconds)] = _rss_mib(service.pid)
        load.cpu_s = _cpu_s(service.pid) - cpu_s
        if len(load.seconds) != num_requests:
            raise SystemExit("a request was not answered with scores")
        return load
    finally:
        service.terminate()
        service.wait()
        service.stdout.close()


def _send(
    address: SplitResult, bodies: Sequence[bytes], numbers: Sequence[int], seconds: list[float]
) -> None:
    assert address.hostname is not None
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=600)
    for number in numbers:
        started = time.perf_counter()
        body = bodies[int(number) % len(bodies)]
        connection.request("POST", "/score", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{answer.status}: {content.decode()}")
        seconds.append(time.perf_counter() - started)
    connection.close()


def _rss_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # user, system


def load_table(load: Load, *, num_rows: int) -> str:
    per_s = len(load.seconds) / load.wall_s
    low, high = np.percentile(load.seconds, [50, 99]) * 1000
    memory = ", ".join(f"{mib:.0f} after {number:,}" for number, mib in load.rss_mib.items())
    return (
        f"| `serve`, {num_rows} rows a request | |\n|---|---|\n"
        f"| requests/s | {per_s:,.0f} ({per_s * num_rows:,.0f} rows/s) |\n"
        f"| processor, ms a request | {load.cpu_s / len(load.seconds) * 1000:.1f} |\n"
        f"| p50, p99 of {len(load.seconds):,} | {low:.1f} ms, {high:.1f} ms |\n"
        f"| MiB | {memory} |\n"
    )


# ---- files ---------------------------------------------------------------------------------


def predict_table(bundle: Path, data: Path, scratch: Path) -> str:
    columns = list(Bundle.load(bundle).encoder.columns)
    started = time.perf_counter()
    num_rows = predict_file(bundle, data, scratch / "scores.parquet").num_rows
    scored_s = time.perf_counter() - started
    started = time.perf_counter()
    for _ in pq.ParquetFile(data).iter_batches(1 << 16, columns=columns):
        pass
    pyarrow_s = time.perf_counter() - started
    started = time.perf_counter()
    pl.read_parquet(data, columns=columns)
    polars_s = time.perf_counter() - started
    lines = [
        f"| {num_rows:,} rows, {len(columns)} columns | rows/s |",
        "|---|---|",
        *(
            f"| {what} | {num_rows / seconds:,.0f} |"
            for what, seconds in [
                ("`predict`", scored_s),
                ("reading alone, pyarrow", pyarrow_s),
                ("reading alone, polars", polars_s),
            ]
        ),
    ]
    return "\n".join(lines)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--bundle", type=Path, help="with --data; else one is made")
    parser.add_argument("--data", type=Path, help="Parquet with the bundle's columns")
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--rows", type=int, default=100, help="of a request")
    return parser


if __name__ == "__main__":
    main()
