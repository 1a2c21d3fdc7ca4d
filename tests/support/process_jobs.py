"""Fake jobs for processes that are not the test's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.fake_job import FakeJob

from automtl.config import Evaluation
from automtl.search.assignment import Assignment
from automtl.search.home import HERE, Home


@dataclass(frozen=True)
class Noting(FakeJob):
    """Tells what its process was given."""

    noted: Path | None = None

    def run(self, assignment: Assignment, home: Home = HERE) -> Iterator[Evaluation]:
        assert self.noted is not None
        with self.noted.open("a") as file:
            file.write(
                f"{os.getpid()} {os.environ['CUDA_VISIBLE_DEVICES']}"
                f" {os.environ['OMP_NUM_THREADS']}\n"
            )
        return super().run(assignment, home)


@dataclass(frozen=True)
class Unheard(FakeJob):
    """Its module is not to be had in any other process than the test's."""

    def __reduce__(self) -> str | tuple[object, ...]:
        return _import_error, ()


def _import_error() -> None:
    raise ImportError("no module named rows_of_ours")
