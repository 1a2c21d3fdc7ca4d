"""One search in a process of its own.

    python benchmarks/searches/run.py METHOD SPEC OUT.json STARTED WORKERS EXECUTOR [KEY=VALUE ...]

STARTED is when the process was started, in seconds since 1970, so that imports count. EXECUTOR is
who runs OUR trials; a search by hand has Ray. The rest changes the spec, as `automtl search --set`
does.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

BENCHMARKS = str(Path(__file__).parent.parent)
sys.path.insert(0, BENCHMARKS)
# for the processes that Ray starts
os.environ["PYTHONPATH"] = os.pathsep.join([BENCHMARKS, *filter(None, [os.getenv("PYTHONPATH")])])

METHODS = ("handmade", "automatic")  # modules of this package


def main(
    method: str, path: str, out: str, started: str, workers: str, executor: str, *overrides: str
) -> None:
    from automtl.data.cache import open_data
    from automtl.spec.load import load_spec

    search = importlib.import_module(f"searches.{method}").search
    spec = load_spec(path, overrides=overrides)
    with tempfile.TemporaryDirectory(prefix="found-", ignore_cleanup_errors=True) as directory:
        result = search(
            spec,
            Path(directory),
            workers=int(workers),
            executor=executor,
            elapsed_s=lambda: time.time() - float(started),
        )
        from searches.rescore import rescored  # here: a user's search would not import torch for it

        found = rescored(result.found, open_data(spec), spec.objective_list())
    replace(result, found=found).save(Path(out))


if __name__ == "__main__":
    main(*sys.argv[1:])
