"""Which trials are trained again: some of the front, what they are compared with, all seeds."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from support.study import make_record, make_spec, make_study

from automtl import pareto, records
from automtl.confirm.candidates import reruns, select, spread
from automtl.errors import RunError


def front_of(points):
    """A front of two task objectives and the size."""
    spec = make_spec()
    found = [
        make_record(
            number,
            objectives=spec.objectives,
            metrics={"click.auc": click, "long_view.auc": watched, "params": size},
        )
        for number, (click, watched, size) in enumerate(points)
    ]
    return records.front(found, spec.objective_list()), spec.objective_list()


POINTS = [(0.70 + 0.01 * i, 0.69 - 0.01 * i, 1e6 * (1 + i % 3)) for i in range(9)]


def test_a_short_front_is_confirmed_whole_and_in_its_order():
    front, objectives = front_of(POINTS)
    assert spread(front, objectives, len(front)) == front
    assert spread(front, objectives, 99) == front


def test_of_a_long_front_the_knee_is_always_among_the_candidates():
    front, objectives = front_of(POINTS)
    knee = front[pareto.knee(records.losses(front, objectives))]
    for count in (1, 2, 5):
        chosen = spread(front, objectives, count)
        assert len(chosen) == count
        assert knee in chosen
        assert list(chosen) == [one for one in front if one in chosen]


def test_the_candidates_have_nearly_the_volume_of_the_best_choice():
    front, objectives = front_of(POINTS)
    losses_NM = records.losses(front, objectives)
    ref_M = pareto.reference_point(losses_NM)

    def volume(chosen):
        return pareto.hypervolume(losses_NM[[front.index(one) for one in chosen]], ref_M)

    best = max(volume(some) for some in itertools.combinations(front, 4))
    assert volume(spread(front, objectives, 4)) >= 0.9 * best


def test_the_reference_and_the_defaults_come_along_each_trial_once():
    study = make_study(24)
    found = select(study, candidates=4, baselines=True)
    assert len(found.candidates) == min(4, len(study.front()))
    assert found.reference == study.reference()
    assert {one.role for one in found.baselines} == {"baseline"}
    numbers = [one.number for one in found.trials]
    assert len(numbers) == len(set(numbers))
    assert select(study, candidates=4, baselines=False).baselines == ()


def test_a_study_without_a_front_has_nothing_to_confirm():
    with pytest.raises(RunError, match=r"no trial is on the front.*go on searching with --resume"):
        select(make_study(0, num_failed=1), candidates=4, baselines=True)


def test_every_trial_gets_seeds_of_its_own_and_more_seeds_repeat_the_fewer():
    selection = select(make_study(24), candidates=3, baselines=True)
    few = reruns(selection, seeds=2, study_seed=7)
    many = reruns(selection, seeds=4, study_seed=7)
    assert many[: len(few)] == few
    assert len({one.seed for one in many}) == len({one.key for one in many}) == len(many)
    assert [one.trial for one in few[: len(selection.trials)]] == [
        one.number for one in selection.trials
    ]
    others = reruns(selection, seeds=2, study_seed=8)
    assert {one.seed for one in few}.isdisjoint(one.seed for one in others)


def test_a_fresh_seed_is_not_the_one_that_the_trial_was_picked_by():
    study = make_study(24)
    searched = [dataclasses.replace(one) for one in study.trials()]
    fresh = reruns(select(study, candidates=8, baselines=True), seeds=5, study_seed=0)
    assert {one.seed for one in searched}.isdisjoint(one.seed for one in fresh)
