"""`run_search` as it stands, of trials that train nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.fake_job import FEATURES, TASKS, FakeData, FakeJob, fake_spec

from automtl.search import run
from automtl.search.fidelity import Ladder
from automtl.study import Study

__all__ = ["FakeSearch", "fake_search"]

FakeSearch = Callable[..., Study]


class Data(FakeData):
    features, tasks = FEATURES, TASKS

    def rows(self, split: str) -> None:
        pass


def fake_search(monkeypatch: pytest.MonkeyPatch) -> FakeSearch:
    """fake_search(monkeypatch)(run_dir, trials=4, job=FakeJob(), …options of run_search)."""
    monkeypatch.setattr(run, "open_data", lambda spec, **how: Data())
    monkeypatch.setattr(run, "check_before_search", lambda spec, data: ())
    monkeypatch.setattr(run, "count_positives", lambda rows, tasks: {})
    monkeypatch.setattr(run, "make_ladder", lambda spec, positives: Ladder(rungs=(1 / 9, 1 / 3)))

    def run_fake(
        run_dir: Path, *, trials: int = 4, job: Any = None, name: str = "fake", **options: Any
    ) -> Study:
        monkeypatch.setattr(run, "make_job", lambda *given, **more: job or FakeJob())
        spec = fake_spec(trials=trials, name=name)
        return run.run_search(spec, run_dir, executor="local", **options)

    return run_fake
