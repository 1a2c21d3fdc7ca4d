"""A search of fake jobs in a process of its own, to be killed:

RUN EXECUTOR NUM_TRIALS PAUSE_S [NUMBER FAULT]
"""

from __future__ import annotations

import sys
from pathlib import Path

from support.fake_job import FEATURES, TASKS, FakeData, FakeJob, fake_spec

from automtl.search.executor import Executor, LocalExecutor
from automtl.search.loop import SearchLoop
from automtl.search.process_executor import ProcessExecutor
from automtl.study import Study
from automtl.study_writer import create_study, writing


def main() -> None:
    run_dir, name, num_trials, pause_s, *fault = sys.argv[1:]
    spec = fake_spec(trials=int(num_trials))
    is_new = not Path(run_dir).exists()
    study = create_study(Path(run_dir), spec, FakeData()) if is_new else Study.open(Path(run_dir))
    faults = {int(fault[0]): fault[1]} if fault else {}
    job = FakeJob(pause_s=float(pause_s), weights_dir=study.run_dir / "weights", faults=faults)
    executor: Executor = LocalExecutor()
    if name == "processes":
        executor = ProcessExecutor(workers=2, cpus=1, gpus=0.25)
    elif name == "ray":
        from automtl.search.ray_executor import RayExecutor

        executor = RayExecutor(workers=2, cpus=1, gpus=0.25, address=None)
    try:
        with writing(study) as writer:
            executor.run(SearchLoop(writer, spec, features=FEATURES, tasks=TASKS), job)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
