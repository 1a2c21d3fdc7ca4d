"""One job of a peer, in a process of its own; imports nothing of automtl.

    python benchmarks/peers/worker.py JOB_DIR

Reads `job.json` and `rows.npz`, writes `result.json` (see `job.py` for what is measured).
"""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path

import measure
import numpy as np
import torch
from job import PREDICTIONS_FILE, ROWS_FILE, Job, JobRows, Result

NUM_READY_STEPS = 30


def main(directory: Path) -> None:
    job = Job.load(directory)
    torch.set_num_threads(job.threads)
    library = importlib.import_module(job.side)
    bare = measure.bare_bytes()
    rows = JobRows.load(directory / ROWS_FILE)
    train, valid = rows.train(job), rows.splits["valid"]
    peer = library.Peer(
        job,
        vocab=rows.vocab,
        num_numeric=train.numeric_NF.shape[1],
        num_tasks=len(rows.tasks),
    )
    steps = measure.StepTimes(peer.model)

    started = time.perf_counter()
    peer.fit(train)
    measure.wait_for(job.device)
    train_s = time.perf_counter() - started
    train_per_s = steps.examples_per_s(job.batch_size, skip=job.warmup_steps)

    started = time.perf_counter()
    scores = {"valid": peer.predict(valid)}
    eval_s = time.perf_counter() - started
    peak_mib = measure.peak_mib(bare, job.device)
    if "test" in rows.splits:
        scores["test"] = peer.predict(rows.splits["test"])

    steps.times.clear()
    num_ready = min(NUM_READY_STEPS, len(train) // job.batch_size)
    peer.train_on_ready(train, num_ready)
    Result(
        versions=library.VERSIONS,
        examples=job.epochs * len(train),
        train_per_s=train_per_s,
        train_whole_per_s=job.epochs * len(train) / train_s,
        ready_per_s=steps.examples_per_s(job.batch_size, skip=job.warmup_steps),
        eval_per_s=len(valid) / eval_s,
        peak_mib=peak_mib,
        auc=measure.aucs({name: rows.splits[name].labels_NK for name in scores}, scores),
    ).save(directory)
    if job.keep_predictions:
        np.savez(directory / PREDICTIONS_FILE, **scores)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
