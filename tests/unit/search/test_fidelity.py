"""Where trials are judged."""

from __future__ import annotations

import numpy as np
import pytest
from support.fake_job import TASKS, fake_spec

from automtl.config import TaskSchema
from automtl.data.cache import Rows
from automtl.search.fidelity import count_positives, make_ladder

MANY = {"click": 100_000, "buy": 50_000}


@pytest.mark.parametrize(
    ("search", "rungs"),
    [
        ({}, (1 / 3,)),
        ({"rungs": 3}, (1 / 9, 1 / 3)),
        ({"rungs": 1}, ()),
        ({"rungs": 3, "eta": 4, "epochs": 2}, (1 / 8, 1 / 2)),
        ({"rungs": 3, "epochs": {"choice": [0.5, 3]}}, (1 / 3, 1)),
        ({"rungs": 3, "epochs": {"float": [0.5, 0.9]}}, (0.1, 0.3)),
    ],
)
def test_each_rung_has_eta_times_the_examples_of_the_last(
    search: dict, rungs: tuple[float, ...]
) -> None:
    ladder = make_ladder(fake_spec(**search), MANY)
    assert ladder.rungs == pytest.approx(rungs)
    assert ladder.why == ""


def test_a_rung_with_too_few_positives_is_left_out_and_it_is_said() -> None:
    ladder = make_ladder(fake_spec(rungs=3), {"click": 100_000, "buy": 900})
    assert ladder.rungs == pytest.approx((1 / 3,))
    assert ladder.why == (
        "buy has 900 positives in train and a trial is judged after 200 of them: "
        "the first rung is at 0.333 epochs"
    )


def test_without_enough_positives_no_trial_stops_early() -> None:
    ladder = make_ladder(fake_spec(), {"click": 100_000, "buy": 599})
    assert ladder.rungs == ()
    assert ladder.why.endswith("no trial stops early")


def test_positives_are_ones_or_for_numbers_what_is_there() -> None:
    nan = np.nan
    labels_NK = np.array([[1, nan, 3.5], [0, nan, nan], [1, 1, 0]], dtype=np.float32)
    rows = Rows(ids_NC=np.zeros((3, 1)), numeric_NF=np.zeros((3, 0)), labels_NK=labels_NK)
    tasks = (*TASKS, TaskSchema(name="spend", kind="regression", loss="mse"))
    assert count_positives(rows, tasks) == {"click": 2, "buy": 1, "spend": 2}
