"""What is decided by a confirmation: by validation means alone, whatever TEST rows say."""

import dataclasses

import pytest
from support.confirmed import confirmation, measure, model, versus

from automtl.config import TaskSchema
from automtl.confirmed import (
    confirmed_front,
    confirmed_knee,
    read_confirmation,
    write_confirmation,
)
from automtl.errors import RunError
from automtl.spec.objectives import parse_objective

TASKS = (TaskSchema(name="click"), TaskSchema(name="buy", given="click"))
OBJECTIVES = tuple(parse_objective(name, TASKS) for name in ("click.auc", "buy.auc", "params"))


def two(click, buy):
    """Three seeds around each mean."""
    return {
        "click.auc": (click - 0.01, click, click + 0.01),
        "buy.auc": (buy - 0.02, buy, buy + 0.02),
    }


GOOD = model(4, two(0.74, 0.66), 1e6)
SMALL = model(7, two(0.72, 0.66), 2e5)
WORSE = model(9, two(0.71, 0.65), 1e6)


def ids(models):
    return [one.id for one in models]


def test_the_front_is_of_the_means_best_in_the_first_objective_first():
    found = confirmation(SMALL, WORSE, GOOD)
    assert ids(confirmed_front(found, OBJECTIVES)) == ["t0004", "t0007"]


def test_baselines_the_reference_and_outsiders_are_not_on_it():
    others = [
        model(0, two(0.9, 0.9), is_candidate=False, is_reference=True),
        model(1, two(0.9, 0.9), is_candidate=False, is_baseline=True),
        model(2, two(0.9, 0.9), may_lead=False),
        model(None, two(0.9, 0.9), is_candidate=False),
    ]
    assert ids(confirmed_front(confirmation(GOOD, *others), OBJECTIVES)) == ["t0004"]


def test_a_candidate_of_which_a_seed_failed_is_not_on_it():
    lame = dataclasses.replace(GOOD, trial=5, num_failed=1)
    dead = model(6, {}, runs=())
    assert ids(confirmed_front(confirmation(lame, dead, SMALL), OBJECTIVES)) == ["t0007"]
    assert confirmed_front(confirmation(lame, dead), OBJECTIVES) == ()
    assert confirmed_knee(confirmation(lame, dead), OBJECTIVES) is None


def test_test_rows_decide_nothing():
    on_test = {"click.auc": measure(0.99, 0.99, 0.99), "buy.auc": measure(0.99, 0.99, 0.99)}
    lucky = dataclasses.replace(WORSE, test=on_test)
    found = confirmation(GOOD, lucky, SMALL)
    assert ids(confirmed_front(found, OBJECTIVES)) == ["t0004", "t0007"]
    assert confirmed_knee(found, OBJECTIVES).id in ("t0004", "t0007")


def test_the_error_of_a_mean_is_that_of_its_seeds():
    assert measure(0.70, 0.72).seed_error == pytest.approx(0.01)
    assert measure(0.70).seed_error == 0.0


def test_it_is_read_as_it_was_written(tmp_path):
    (tmp_path / "confirm").mkdir()
    told = dataclasses.replace(
        GOOD,
        test={"click.auc": measure(0.7, 0.8, versus=versus(0.01, 0.02), low=0.6, high=0.9)},
    )
    found = confirmation(told, SMALL, group="user_id")
    write_confirmation(tmp_path, found)
    assert read_confirmation(tmp_path) == found
    assert found.model(7) == SMALL
    assert found.model(8) is None


def test_a_run_that_was_not_confirmed_has_none(tmp_path):
    assert read_confirmation(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{", '{"seeds": 3}', "[]"])
def test_a_damaged_file_says_what_to_do(tmp_path, content):
    (tmp_path / "confirm").mkdir()
    (tmp_path / "confirm" / "results.json").write_text(content)
    with pytest.raises(RunError, match=r"is damaged .*delete it, and confirm again"):
        read_confirmation(tmp_path)
