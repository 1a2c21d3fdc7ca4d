"""Picks from a confirmed front: by the means over fresh seeds, not by the search's lucky draws."""

import dataclasses

import pytest
from support.confirmed import confirmation, model
from support.study import make_spec, make_study

from automtl.errors import RunError
from automtl.export.pick import choices, pick


def two(click, watched, spread=0.001):
    return {
        "click.auc": (click - spread, click, click + spread),
        "long_view.auc": (watched - spread, watched, watched + spread),
    }


def confirmed_study(*models, **options):
    return make_study(24, spec=make_spec(trials=24), confirmation=confirmation(*models), **options)


BIG = model(3, two(0.740, 0.660), 4e6)
MIDDLE = model(5, two(0.739, 0.659), 1e6)
SMALL = model(9, two(0.700, 0.600), 9e5)
MODELS = (BIG, MIDDLE, SMALL)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("best:click", "t0003"),
        ("best:params", "t0009"),
        ("weights:click.auc=1", "t0003"),
        ("weights:params=1", "t0009"),
        ("weights:click=1,params=1", "t0005"),
        ("knee", "t0005"),
    ],
)
def test_picks_go_by_the_means_of_the_confirmed_front(how, expected):
    chosen = pick(confirmed_study(*MODELS), how)
    assert chosen.record.id == expected
    assert "3 trials on the confirmed front" in chosen.why
    assert chosen.why.endswith("by the means of 3 fresh seeds on validation rows.")


def test_within_one_error_the_smallest_is_taken():
    near = model(5, two(0.7395, 0.6595), 1e6)
    noisy = model(9, two(0.72, 0.60, spread=0.2), 9e5)
    assert pick(confirmed_study(BIG, near, SMALL), "within:1se").record.id == "t0005"
    assert pick(confirmed_study(BIG, near, noisy), "within:1se").record.id == "t0009"
    why = pick(confirmed_study(BIG, near, noisy), "within:1se").why
    assert why.endswith("the error is that of the seeds alone, on the same rows.")
    alone = dataclasses.replace(noisy, num_failed=1)
    assert pick(confirmed_study(BIG, near, alone), "within:1se").record.id == "t0005"


def test_one_seed_has_no_standard_error():
    with pytest.raises(RunError, match=r"run `automtl confirm` first"):
        pick(make_study(24), "within:1se")
    assert "within:1se" in choices(confirmed_study(*MODELS))
    assert "within:1se" not in choices(make_study(24))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("weights:", r"'nothing' is no weight; write weights:click.auc=1,long_view.auc=1,params=1"),
        ("weights:click", r"'click' is no weight"),
        ("weights:click=-1", r"'click=-1' is no weight.*each 0 or more"),
        ("weights:click=nan", r"is no weight"),
        ("weights:clik.auc=1", r"no objective of this study"),
        ("weights:click=0", r"all weights are 0; give one that is more"),
        ("within:2se", r"no such choice"),
    ],
)
def test_weights_that_say_nothing_are_an_error(how, message):
    with pytest.raises(RunError, match=message):
        pick(confirmed_study(*MODELS), how)


def test_without_a_confirmation_weights_go_by_the_search():
    study = make_study(24)
    chosen = pick(study, "weights:params=1")
    assert chosen.record.id == pick(study, "best:params").record.id
    assert "confirmed" not in chosen.why


def test_the_suggestion_of_a_study_is_the_confirmed_one():
    study = confirmed_study(*MODELS)
    assert study.suggested() == pick(study, "knee").record
    dead = dataclasses.replace(BIG, runs=(), num_failed=3, valid={})
    assert confirmed_study(dead).suggested() == study.knee()
