"""Where Ray itself does not come up, what is said."""

import pytest
import ray

from automtl.errors import RunError
from automtl.search.ray_executor import RayExecutor


def test_a_machine_too_busy_for_ray_is_told_with_the_way_out(monkeypatch, tmp_path):
    def init(**options):
        raise Exception("The current node timed out during startup.")  # as Ray does

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    executor = RayExecutor(workers=1, cpus=1, gpus=0, address=None)
    with (
        pytest.raises(RunError, match=r"Ray cannot be started .*timed out.*--executor local"),
        executor._cluster(tmp_path),
    ):
        raise AssertionError("started")
