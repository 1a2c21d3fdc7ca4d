"""How a search starts: Ray beside all else, and what is said where it does not come up."""

import os
import subprocess
import sys

import pytest
import ray

from automtl.errors import RunError
from automtl.search.ray_cluster import cluster


def test_a_machine_too_busy_for_ray_is_told_with_the_way_out(monkeypatch, tmp_path):
    def init(**options):
        raise Exception("The current node timed out during startup.")  # as Ray does

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    with (
        pytest.raises(RunError, match=r"Ray cannot be started .*timed out.*--executor local"),
        cluster(tmp_path, workers=1, cpus=1, address=None) as wait,
    ):
        wait()


def test_what_workers_inherit_is_set_only_while_ray_starts(monkeypatch, tmp_path):
    seen = {}
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda **options: seen.update(os.environ))
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    with cluster(tmp_path, workers=2, cpus=3, address=None) as wait:
        wait()
        assert (seen["OMP_NUM_THREADS"], seen["OMP_WAIT_POLICY"]) == ("3", "PASSIVE")
        assert (os.environ["OMP_NUM_THREADS"], os.getenv("OMP_WAIT_POLICY")) == ("7", None)


def test_no_proposal_waits_for_torch():
    """Importing it takes the time of a short trial, and 200 MB for as long as a search goes on."""
    code = """
import sys
import automtl.search.run
from automtl.search.strategies import make_strategy
from automtl.search.strategies.base import Observation, SearchSpace
from automtl.spec.domains import FloatRange

space = SearchSpace(domains={"lr": FloatRange(0.1, 1.0, log=True)})
seen = [
    Observation(number=n, state="complete", params={"lr": 0.1 * (n + 1)}, losses=(n, -n))
    for n in range(10)
]
for name in ("auto", "gp", "tpe", "nsga2"):
    for history in ([], seen):
        strategy = make_strategy(name, space, seed=0, num_startup=10, num_objectives=2)
        next(iter(strategy.draws(history, number=len(history), pins={})))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
