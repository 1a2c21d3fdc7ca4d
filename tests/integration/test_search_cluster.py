"""Ray on more than one machine: one of them dies, or the search itself does."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster
from support.fake_job import FEATURES, TASKS, FakeData, FakeJob, fake_spec, num_lines

from automtl.search.loop import SearchLoop
from automtl.search.ray_executor import RayExecutor
from automtl.study_writer import create_study, writing

TESTS = Path(__file__).parents[1]
LIMIT_S = 300
NODE = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 100_000_000}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Two machines with room for one trial each; the workers of both find the tests' jobs."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS), prepend=os.pathsep)
    cluster = Cluster(initialize_head=True, head_node_args=NODE)
    cluster.add_node(**NODE)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def test_a_machine_dies_and_what_it_ran_is_run_again(cluster: Cluster, tmp_path: Path) -> None:
    spec = fake_spec(trials=12)
    study = create_study(tmp_path / "run", spec, FakeData())
    log, away = tmp_path / "log", tmp_path / "away"
    executor = RayExecutor(workers=None, cpus=1, gpus=0.25, address=cluster.address)
    second = next(node for node in cluster.list_all_nodes() if not node.head)

    def pull_the_plug() -> None:
        """When the second machine has run one trial and is busy with the next, which never ends."""
        deadline = time.monotonic() + LIMIT_S
        while num_lines(away) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        cluster.remove_node(second, allow_graceful=False)

    thread = threading.Thread(target=pull_the_plug)
    thread.start()
    with writing(study) as writer:
        loop = SearchLoop(writer, spec, features=FEATURES, tasks=TASKS)
        executor.run(loop, FakeJob(log=log, away=away))
    thread.join()

    assert len(study.trials()) == 12, "the machine that is left has run the rest"
    assert {record.state for record in study.trials()} <= {"complete", "pruned"}
    (lost,) = (record for record in study.history() if record.state == "interrupted")
    assert lost.reason == "the machine that ran it died, or fell silent"
    (again,) = (r for r in study.trials() if r.origin == lost.origin)
    assert (again.config, again.seed, again.role) == (lost.config, lost.seed, lost.role)
    finished = Counter(line.split()[1] for line in log.read_text().splitlines())
    assert set(finished.values()) == {1}, "nothing has been trained to its end twice"
